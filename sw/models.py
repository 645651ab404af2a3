"""Families of networks, each written once over operators: any layer takes any operator and precision."""

from typing import Literal

from pydantic import Field, model_validator

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun
from gatewright.sw.layers import Layer, Pooling, Workload
from gatewright.sw.modules import QuantisedNetwork

Family = Literal["mlp", "vgg"]


class Architecture(Noun):
    """A network of a family: `widths` are the output channels of every layer but the last, `operators` has one more for the logits.

    mlp: fully connected layers. vgg: 3 x 3 convolutions with padding 1, 2 x 2 pooling after the layers numbered in `pool_after`
    (from 0), then a fully connected layer on the remaining map.
    """

    family: Family
    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    classes: int = Field(default=10, ge=2)
    widths: tuple[int, ...]
    operators: tuple[Operator, ...] = Field(min_length=1)
    pool_after: tuple[int, ...] = ()
    pooling: Pooling = "max"

    @model_validator(mode="after")
    def _check(self) -> "Architecture":
        if len(self.operators) != len(self.widths) + 1:
            raise ValueError(f"operators: one for each width and one for the logits, {len(self.widths) + 1}; got {len(self.operators)}")
        if any(width < 1 for width in self.widths):
            raise ValueError(f"widths must be positive; got {self.widths}")
        if self.family == "mlp" and self.pool_after:
            raise ValueError(f"an mlp has no maps to pool, so pool_after must be empty; got {self.pool_after}")
        if any(not 0 <= place < len(self.widths) for place in self.pool_after) or len(set(self.pool_after)) < len(self.pool_after):
            raise ValueError(f"pool_after names convolutions 0..{len(self.widths) - 1}, each once; got {self.pool_after}")
        if min(self.height, self.width) >> len(self.pool_after) < 1:
            raise ValueError(f"{len(self.pool_after)} poolings by 2 leave nothing of a {self.height} x {self.width} map")
        return self

    @property
    def name(self) -> str:
        """Family, widths and operators, in short: `vgg_16x32_int8_int8_xnor`."""
        return "_".join((self.family, "x".join(map(str, self.widths)) or "0", *(operator.name for operator in self.operators)))


def workload(architecture: Architecture) -> Workload:
    """The layers of an architecture with their shapes."""
    build = {"mlp": _mlp, "vgg": _vgg}[architecture.family]
    return Workload(name=architecture.name, layers=tuple(build(architecture)))


def network(architecture: Architecture, seed: int = 0) -> QuantisedNetwork:
    """The architecture as a PyTorch module with random weights."""
    return QuantisedNetwork(workload(architecture), seed)


def _whole_map(name: str, operator: Operator, shape: tuple[int, int, int], outputs: int) -> Layer:
    """A fully connected layer: a convolution whose kernel covers the map of `shape` (C, H, W)."""
    channels, height, width = shape
    return Layer(name=name, operator=operator, C=channels, K=outputs, H=height, W=width, R=height, S=width)


def _mlp(a: Architecture) -> list[Layer]:
    shape = (a.channels, a.height, a.width)
    layers = []
    for index, (outputs, operator) in enumerate(zip((*a.widths, a.classes), a.operators, strict=True)):
        layers.append(_whole_map(f"fc{index}", operator, shape, outputs))
        shape = (outputs, 1, 1)
    return layers


def _vgg(a: Architecture) -> list[Layer]:
    shape = (a.channels, a.height, a.width)
    layers = []
    for index, (outputs, operator) in enumerate(zip(a.widths, a.operators, strict=False)):
        channels, height, width = shape
        pool = {"pooling": a.pooling, "pool_window": 2, "pool_stride": 2} if index in a.pool_after else {}
        layers.append(Layer(name=f"conv{index}", operator=operator, C=channels, K=outputs, H=height, W=width, R=3, S=3, padding=1, **pool))
        shape = (outputs, layers[-1].out_h, layers[-1].out_w)
    return [*layers, _whole_map("fc", a.operators[-1], shape, a.classes)]
