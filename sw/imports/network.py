"""What every importer makes of a user's file: `FloatNetwork`, steps in floating point over named values, and its way to a workload.

Batch norm is folded, dropout is gone, a flattened map is the map itself. Images are pixels from 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

IMAGE = "image"  # the value that the network is given


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """`path`: the user's name of it, dotted, for layers' names and messages. `inputs`, `output`: names of values [N, C, H, W]."""

    path: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution(Step):
    """weight: [K, C / groups, R, S]; bias: [K]."""

    weight: Tensor
    bias: Tensor
    stride: int = 1
    padding: int = 0
    groups: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Step):
    """A matrix product over the whole map in the order C, H, W. weight: [K, C * H * W]; bias: [K]. Gives a map of 1 x 1."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(Step):
    """x * scale + shift, [C] each: batch norm, normalised pixels. `folded` leaves none of them."""

    scale: Tensor
    shift: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Relu(Step):
    """Values below `low` become `low`, zero or -`limit`; values above `limit` become `limit`."""

    low: float = 0.0
    limit: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Step):
    """The sum of two values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Step):
    """The channels of the inputs, one after the other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pick(Step):
    """Channels of one value, in any order: slices, halves, shuffles."""

    channels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Step):
    """Square windows without padding; places that do not fill a window are left out."""

    kind: Literal["max", "average"]
    window: int
    stride: int


def compute(step: Step, inputs: Sequence[Tensor]) -> Tensor:
    """The step's value [N, C, H, W] in floating point."""
    x = inputs[0]
    match step:
        case Convolution():
            return F.conv2d(x, step.weight.to(x), step.bias.to(x), step.stride, step.padding, groups=step.groups)
        case Dense():
            return F.linear(x.flatten(1), step.weight.to(x), step.bias.to(x))[:, :, None, None]
        case Relu():
            return x.clamp(step.low, step.limit)
        case Affine():
            return x * step.scale.to(x)[:, None, None] + step.shift.to(x)[:, None, None]
        case Add():
            return x + inputs[1]
        case Concat():
            return torch.cat(list(inputs), dim=1)
        case Pick():
            return x[:, list(step.channels)]
        case Pool():
            pooled = F.max_pool2d if step.kind == "max" else F.avg_pool2d
            return pooled(x, step.window, step.stride)
    raise TypeError(f"{type(step).__name__} is not a step")


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetwork:
    """An imported network: images [N, channels, height, width] of pixels from 0 to 1, steps in order, the value of the logits.

    `trained`: whether training starts from its weights, rather than from random ones.
    """

    name: str
    channels: int
    height: int
    width: int
    steps: tuple[Step, ...]
    output: str
    trained: bool = True

    def __post_init__(self) -> None:
        known = {IMAGE}
        for step in self.steps:
            if missing := [name for name in step.inputs if name not in known]:
                raise ValueError(f"{step.path} reads {missing[0]}, which no step before it gives")
            known.add(step.output)
        if self.output not in known or len(known) != len(self.steps) + 1:
            raise ValueError(f"every step gives a value of its own, one of them {self.output}")

    @property
    def operator_steps(self) -> tuple[Convolution | Dense, ...]:
        """The steps that have weights, hence operators, in order."""
        return tuple(step for step in self.steps if isinstance(step, Convolution | Dense))

    @torch.no_grad()
    def values(self, images: Tensor) -> dict[str, Tensor]:
        """Every value of images [N, C, H, W], by name."""
        found = {IMAGE: images}
        for step in self.steps:
            found[step.output] = compute(step, [found[name] for name in step.inputs])
        return found

    def evaluate(self, images: Tensor) -> Tensor:
        """Logits [N, classes]."""
        return self.values(images)[self.output].flatten(1)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Channels, height and width of every value."""
        found = self.values(torch.zeros(1, self.channels, self.height, self.width))
        return {name: (value.shape[1], value.shape[2], value.shape[3]) for name, value in found.items()}

    @cached_property
    def readers(self) -> dict[str, tuple[Step, ...]]:
        """The steps that read each value."""
        return {name: tuple(step for step in self.steps if name in step.inputs) for name in (IMAGE, *(s.output for s in self.steps))}
