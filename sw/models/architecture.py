"""Which network: a family with its sizes, and the operator of each of its layers."""

from typing import Any, Literal

from pydantic import Field, model_validator

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun
from gatewright.sw.graph import JOIN
from gatewright.sw.layers import Pooling

Activation = Literal["clamp", "relu"]
Convolution = tuple[int, int, Pooling | None, bool]
"""Channels, kernel, the pooling after it, and whether it has a ReLU of its own."""


class Architecture(Noun):
    """A network of a family; the families are the modules of `gatewright.sw.models`, whose docstrings say what is in them.

    widths: channels of layers, as the family says; () are the published ones. multiplier: of all widths, for families that have one.
    operators: one for each layer of `layer_names`, in order, or one for all. join: that of sums and copies between layers.
    pooling, and for vgg pool_after (numbers of convolutions, from 0, that 2 x 2 pooling follows): where the family pools at all. A vgg
    can have a pooling for each of pool_after.
    kernels, activations: of each convolution of a vgg. Kernels are odd, () are 3 x 3. An activation says what becomes of results that
    are read in a signed format: "clamp" keeps both signs (hard tanh), "relu" makes negative ones zero; () is clamp throughout (in
    floating point, which has no range to clamp to, ReLU).
    source: for the family "module" `file.py:Name`, something to call without arguments that gives an `nn.Module`; for "onnx" a file.
    """

    family: str
    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    classes: int = Field(default=10, ge=2)
    widths: tuple[int, ...] = ()
    operators: tuple[Operator, ...] = Field(min_length=1)
    pool_after: tuple[int, ...] = ()
    pooling: Pooling | tuple[Pooling, ...] = "max"
    kernels: tuple[int, ...] = ()
    activations: tuple[Activation, ...] = ()
    multiplier: float = Field(default=1.0, gt=0)
    join: Operator = JOIN
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _own_operators(cls, data: Any) -> Any:
        """A family that is about its operators has them where none are given."""
        from gatewright.sw.models import families

        family = families().get(str(data.get("family"))) if isinstance(data, dict) else None
        if family is None or family.operators is None or "operators" in data:
            return data
        return data | {"operators": family.operators}

    @model_validator(mode="after")
    def _check(self) -> "Architecture":
        from gatewright.sw.models import check  # the families build on this module

        check(self)
        return self

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """Those of a vgg."""
        pooling = self.pooling if isinstance(self.pooling, tuple) else (self.pooling,) * len(self.pool_after)
        pooled = dict(zip(self.pool_after, pooling, strict=True))
        many = range(len(self.widths))
        kernels, activations = self.kernels or (3,) * len(many), self.activations or ("clamp",) * len(many)
        return tuple((self.widths[i], kernels[i], pooled.get(i), activations[i] == "relu") for i in many)

    @property
    def name(self) -> str:
        """Family, sizes and operators, in short: `vgg_16x32_int8_int8_xnor`, `vgg_16k5x32_int8`, `shufflenetv2_0.25_int8s`."""
        if self.family in ("mlp", "vgg"):
            kernels = (f"k{kernel}" if kernel != 3 else "" for kernel in self.kernels or (3,) * len(self.widths))
            shape = "x".join(f"{width}{kernel}" for width, kernel in zip(self.widths, kernels, strict=True))
            return "_".join((self.family, shape or "0", *(operator.name for operator in self.operators)))
        sizes = ("x".join(map(str, self.widths)), "" if self.multiplier == 1 else f"{self.multiplier:g}")
        different = tuple(dict.fromkeys(operator.name for operator in self.operators))
        listed = different if len(different) <= 3 else (f"{len(different)}_operators",)
        mixed = (self.content_hash[:8],) if len(different) > 1 else ()
        return "_".join((self.family, *(size for size in sizes if size), *listed, *mixed))
