"""A layer as a nest of eight loops, and the words of each tensor that a tile of them touches."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.hw.noun import Noun
from gatewright.sw.layers import Layer

Dim = Literal["G", "N", "K", "C", "P", "Q", "R", "S"]
Tensor = Literal["weights", "inputs", "outputs"]

DIMS: tuple[Dim, ...] = ("G", "N", "K", "C", "P", "Q", "R", "S")
TENSORS: tuple[Tensor, ...] = ("weights", "inputs", "outputs")
IRRELEVANT: Mapping[Tensor, frozenset[Dim]] = {
    "weights": frozenset({"N", "P", "Q"}),
    "inputs": frozenset({"K"}),
    "outputs": frozenset({"C", "R", "S"}),
}
"""Loops that do not move a tensor's tile. No loop but G moves all three, and none is in two of these sets: see `certify`."""


MOST_PRODUCTS = 1 << 53  # counts stay exact in floating point
MOST_TRIPS = 1 << 40  # of a loop: its divisors are found by trial up to the square root

Name = Annotated[str, Field(min_length=1)]
Number = Annotated[int, Field(ge=1, strict=True)]
"""Of things; a text or a truth value is not taken for one."""
Trips = Annotated[Number, Field(le=MOST_TRIPS)]


class Problem(Noun):
    """One layer: G groups of N images, K output and C input channels, P x Q outputs, R x S kernels. `count` equal layers in a network."""

    name: Name
    G: Trips = 1
    N: Trips = 1
    K: Trips = 1
    C: Trips = 1
    P: Trips = 1
    Q: Trips = 1
    R: Trips = 1
    S: Trips = 1
    stride: Number = 1
    count: Number = 1

    @model_validator(mode="after")
    def _check(self) -> "Problem":
        if self.products >= MOST_PRODUCTS:
            raise ValueError(f"a layer has fewer than 2^53 products, all its sizes multiplied; got {self.products:.3g}")
        return self

    @classmethod
    def of(cls, layer: Layer, images: int = 1, count: int = 1) -> "Problem":
        """The convolution of a layer, without its pooling."""
        g = layer.groups
        sizes = {"G": g, "N": images, "K": layer.K // g, "C": layer.C // g, "P": layer.P, "Q": layer.Q, "R": layer.R, "S": layer.S}
        return cls(name=layer.name, stride=layer.stride, count=count, **sizes)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Trips of the loops, in the order of DIMS."""
        return tuple(getattr(self, dim) for dim in DIMS)

    @property
    def products(self) -> int:
        """Multiplications."""
        return prod(self.sizes)

    def words(self, tensor: Tensor, tile: Sequence[int] | None = None) -> int:
        """Words of a tensor that a tile (trips in the order of DIMS; the whole layer) touches; the padding around an image counts."""
        g, n, k, c, p, q, r, s = tile or self.sizes
        if tensor == "weights":
            return g * k * c * r * s
        if tensor == "outputs":
            return g * n * k * p * q
        return g * n * c * touched(p, r, self.stride) * touched(q, s, self.stride)


def touched(outputs: int, kernel: int, stride: int) -> int:
    """Rows of an image that `outputs` rows of results with `kernel` rows of weights read: between wide strides rows are left out."""
    return min(outputs * kernel, (outputs - 1) * stride + kernel)


class Network(Noun):
    """Layers to map one by one."""

    name: Name
    layers: tuple[Problem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Network":
        names = [layer.name for layer in self.layers]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the names of layers must differ; {', '.join(repeated)} came twice")
        return self
