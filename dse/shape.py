"""Widths of a configuration's circuits, as `hw/` makes them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.datapath import Datapath, datapaths
from gatewright.hw.operators import circuit
from gatewright.hw.ranges import range_bits


def _bits(limits: tuple[int, int]) -> int:
    """Bits of a sum; of counts without the sign, which is always zero."""
    return range_bits(*limits) - (limits[0] >= 0)


@dataclass(frozen=True)
class Shape:
    """Widths of a configuration's circuits, in bits unless they say otherwise."""

    config: AcceleratorConfig

    @cached_property
    def paths(self) -> tuple[Datapath, ...]:
        return datapaths(self.config)

    @cached_property
    def sums(self) -> list[int]:
        """The lane sum of each datapath; of counts without the sign, which is always zero."""
        return [_bits(path.sum_range()) for path in self.paths]

    @cached_property
    def held(self) -> int:
        """Register bits between an element's lanes and its accumulators."""
        stages = self.config.pipeline_stages
        slices = sum(path.slices * _bits(path.sum_range(path.slices)) for path in self.paths)
        return (max(self.sums) if stages else 0) + (slices if stages == 2 else 0)

    @cached_property
    def encoded(self) -> list[tuple[int, int]]:
        """Operand bits of each datapath at a row's and at a column's edge that its lanes read: synthesis removes the others."""
        return [self._encoded(path.operators[0]) for path in self.paths]

    def _encoded(self, operator: Operator) -> tuple[int, int]:
        activations, weights = circuit(operator).encoded_bits(operator, self.config.operand_bits)
        if hasattr(circuit(operator), "Encoder"):
            return activations, weights
        lanes = self.config.lanes(operator)
        return min(activations, lanes * operator.activation_bits), min(weights, lanes * operator.weight_bits)

    @cached_property
    def streams(self) -> list[Operator]:
        return [operator for operator in self.config.operators if hasattr(circuit(operator), "Encoder")]

    @property
    def elements(self) -> int:
        return self.config.rows * self.config.cols

    @property
    def index(self) -> int:
        """An accumulator's number."""
        return (self.config.accumulator_depth - 1).bit_length()

    @property
    def row(self) -> int:
        """A row's number."""
        return max(1, (self.config.rows - 1).bit_length())

    @property
    def output(self) -> int:
        """The address of a group of `cols` bits in the output buffer."""
        return (self.config.output_words * self.config.output_bits // self.config.cols - 1).bit_length()

    @property
    def activation(self) -> int:
        return (self.config.activation_words - 1).bit_length()

    @property
    def weight(self) -> int:
        return (self.config.weight_words - 1).bit_length()

    @property
    def parameter(self) -> int:
        return (self.config.parameter_words - 1).bit_length()

    @property
    def step(self) -> int:
        """The number of a cycle of the longest stream."""
        return max(1, (max(operator.steps for operator in self.config.operators) - 1).bit_length())

    def path_of(self, operator: Operator) -> int:
        """Number of the datapath that runs a layer's operator."""
        mine = self.config.operators[self.config.path(operator)]
        return next(i for i, path in enumerate(self.paths) if mine in path.operators)


@lru_cache(maxsize=4096)
def shape(config: AcceleratorConfig) -> Shape:
    return Shape(config)
