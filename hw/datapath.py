"""A datapath: one lane circuit of a processing element, and the operators of the configuration that run on it."""

from dataclasses import dataclass

from amaranth.hdl import Value
from amaranth.lib import wiring

from gatewright.hw import split
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.operators import circuit
from gatewright.hw.stochastic.numbers import Side

SLICE_BITS = 16  # operand bits whose products and first adder level lie in front of the first of two pipeline registers


@dataclass(frozen=True)
class Datapath:
    """`name` says which circuit; `modes` are the run-time choices of one that splits, none for a fixed one."""

    name: str
    operators: tuple[Operator, ...]
    operand_bits: int

    @property
    def modes(self) -> tuple[split.Mode, ...]:
        return split.modes(self.operators) if self.name == split.NAME else ()

    @property
    def encoded_bits(self) -> tuple[int, int]:
        """Bits of the activation and the weight word that reach the elements."""
        if self.modes:
            return self.operand_bits, self.operand_bits
        bits: tuple[int, int] = circuit(self.operators[0]).encoded_bits(self.operators[0], self.operand_bits)
        return bits

    def sum_range(self, slices: int = 1) -> tuple[int, int]:
        """Least and greatest sum of one element's lanes in one cycle, or of one of `slices` parts of them."""
        ranges = [circuit(operator).sum_range(operator, self.operand_bits // slices) for operator in self.operators]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    @property
    def slices(self) -> int:
        """Equal parts of the operands that can be summed apart. Signs that lie behind all pulses forbid it."""
        encoded = hasattr(circuit(self.operators[0]), "Encoder") and self.name != "xnor"
        return 1 if encoded else self.operand_bits // SLICE_BITS

    def lanes(self, slices: int = 1) -> wiring.Component:
        """The circuit of one of `slices` parts of the operands: ports `activation`, `weight`, `sum`, and `mode` if there are modes."""
        bits = self.operand_bits // slices
        if self.modes:
            return split.SplitLanes(self.operators, bits)
        lanes: wiring.Component = circuit(self.operators[0]).Lanes(self.operators[0], bits)
        return lanes

    def operand(self, operator: Operator, word: Value, side: Side) -> Value:
        """A word of the buffers (or of an encoder) as the lanes take it."""
        return split.spread(operator, word, split.lane_bits(self.operators)) if self.modes and side == "weight" else word


def datapaths(config: AcceleratorConfig) -> tuple[Datapath, ...]:
    """The datapaths of an element, in order of first appearance."""
    groups: dict[str, list[Operator]] = {}
    for operator in config.operators:
        divided = config.split and split.splits(operator)
        groups.setdefault(split.NAME if divided else circuit(operator).datapath(operator), []).append(operator)
    return tuple(Datapath(name, tuple(group), config.operand_bits) for name, group in groups.items())
