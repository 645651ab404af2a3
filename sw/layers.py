"""The shape of the work: `Layer` is a convolution with optional pooling, `Workload` a chain of layers."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun

Pooling = Literal["max", "average"]


class Layer(Noun):
    """A convolution C -> K of an H x W image with an R x S kernel, then optional pooling of its output.

    With `groups`, equal parts of the output channels read only their part of the input channels; depthwise is groups = C.

    A fully connected layer is a 1 x 1 convolution of a 1 x 1 image, or one whose kernel covers the whole image.
    """

    name: str
    operator: Operator
    C: int = Field(ge=1)
    K: int = Field(ge=1)
    H: int = Field(default=1, ge=1)
    W: int = Field(default=1, ge=1)
    R: int = Field(default=1, ge=1)
    S: int = Field(default=1, ge=1)
    stride: int = Field(default=1, ge=1)
    padding: int = Field(default=0, ge=0)
    groups: int = Field(default=1, ge=1)
    pooling: Pooling | None = None
    pool_window: int = Field(default=1, ge=1)
    pool_stride: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "Layer":
        if self.C % self.groups or self.K % self.groups:
            raise ValueError(f"groups must divide C {self.C} and K {self.K}; got {self.groups}")
        if self.padding and self.padding >= min(self.R, self.S):
            raise ValueError(f"padding must be less than the kernel (R {self.R}, S {self.S}); got {self.padding}")
        if self.P < 1 or self.Q < 1:
            raise ValueError(f"kernel {self.R} x {self.S} is larger than the image {self.H} x {self.W} with padding {self.padding}")
        if self.pooling is None and (self.pool_window, self.pool_stride) != (1, 1):
            raise ValueError("pool_window and pool_stride need pooling: 'max' or 'average'")
        if self.out_h < 1 or self.out_w < 1:
            raise ValueError(f"pool_window {self.pool_window} is larger than the convolution's output {self.P} x {self.Q}")
        if self.pool_window**2 > 64:
            raise ValueError(f"a pooling window holds at most 64 samples; got {self.pool_window} x {self.pool_window}")
        return self

    @property
    def P(self) -> int:
        """Rows of the convolution's output."""
        return (self.H + 2 * self.padding - self.R) // self.stride + 1

    @property
    def Q(self) -> int:
        """Columns of the convolution's output."""
        return (self.W + 2 * self.padding - self.S) // self.stride + 1

    @property
    def out_h(self) -> int:
        """Rows after pooling."""
        return (self.P - self.pool_window) // self.pool_stride + 1

    @property
    def out_w(self) -> int:
        """Columns after pooling."""
        return (self.Q - self.pool_window) // self.pool_stride + 1

    @property
    def group_channels(self) -> int:
        """Input channels that one output channel reads."""
        return self.C // self.groups

    @property
    def products(self) -> int:
        """Multiplications for one image, without padding lanes."""
        return self.K * self.group_channels * self.R * self.S * self.out_h * self.out_w * self.pool_window**2


class Workload(Noun):
    """Layers in order; each one's output is the next one's input."""

    name: str
    layers: tuple[Layer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Workload":
        for a, b in pairwise(self.layers):
            given, taken = (a.K, a.out_h, a.out_w), (b.C, b.H, b.W)
            if given != taken:
                raise ValueError(f"layer {b.name} takes (C, H, W) = {taken}, but layer {a.name} before it gives {given}")
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise ValueError("layer names must differ")
        return self
