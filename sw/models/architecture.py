"""Which network: a family with its sizes, and the operator of each of its layers."""

from typing import Any

from pydantic import Field, model_validator

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun
from gatewright.sw.graph import JOIN
from gatewright.sw.layers import Pooling


class Architecture(Noun):
    """A network of a family; the families are the modules of `gatewright.sw.models`, whose docstrings say what is in them.

    widths: channels of layers, as the family says; () are the published ones. multiplier: of all widths, for families that have one.
    operators: one for each layer of `layer_names`, in order, or one for all. join: that of sums and copies between layers.
    pooling, and for vgg pool_after (numbers of convolutions, from 0, that 2 x 2 pooling follows): where the family pools at all.
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
    pooling: Pooling = "max"
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
    def name(self) -> str:
        """Family, sizes and operators, in short: `vgg_16x32_int8_int8_xnor`, `shufflenetv2_0.25_int8s`."""
        if self.family in ("mlp", "vgg"):
            return "_".join((self.family, "x".join(map(str, self.widths)) or "0", *(operator.name for operator in self.operators)))
        sizes = ("x".join(map(str, self.widths)), "" if self.multiplier == 1 else f"{self.multiplier:g}")
        different = tuple(dict.fromkeys(operator.name for operator in self.operators))
        listed = different if len(different) <= 3 else (f"{len(different)}_operators",)
        mixed = (self.content_hash[:8],) if len(different) > 1 else ()
        return "_".join((self.family, *(size for size in sizes if size), *listed, *mixed))
