"""The tables [network] and [operators] of a configuration file: which networks a run chooses from, and which operators for their layers."""

from typing import Any, Literal

from pydantic import Field, model_validator

from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.sw.layers import Pooling
from gatewright.sw.models import families
from gatewright.sw.operators import arithmetic

PUBLISHED = "published"
EXAMPLES = {"module": "file.py:Name", "onnx": "file.onnx"}
FREE = ("mlp", "vgg")  # families with any number of layers, each with a width of its own
Place = Literal["first", "hidden", "depthwise", "last"]


class NetworkSpace(Noun):
    """Networks to choose from: families of `gatewright.sw.models`, and a user's own.

    mlp, vgg: `depths` count the layers before the logits, `widths` are their output channels, each layer its own. `poolings`: how many
    2 x 2 poolings a `vgg` has, after its first convolutions; an `mlp` has none. Other families: `sizes` are lists of all their widths, as
    the family counts them, or [] for the published ones times one of `multipliers`. `pooling` is for families that heed it.
    `module`: `file.py:Name`, a PyTorch module; `onnx`: a file. Their layers are as they are.
    """

    families: tuple[str, ...] = Field(default=("vgg",), min_length=1)
    depths: tuple[int, ...] = Field(default=(2,), min_length=1)
    widths: tuple[int, ...] = ()
    poolings: tuple[int, ...] = Field(default=(1,), min_length=1)
    pooling: tuple[Pooling, ...] = Field(default=("max",), min_length=1)
    sizes: tuple[tuple[int, ...], ...] = Field(default=((),), min_length=1)
    multipliers: tuple[float, ...] = Field(default=(1.0,), min_length=1)
    module: str = ""
    onnx: str = ""

    @model_validator(mode="before")
    @classmethod
    def _own_family(cls, data: Any) -> Any:
        """Who names a network of his own need not name its family."""
        own = tuple(name for name in ("module", "onnx") if isinstance(data, dict) and data.get(name))
        return data | {"families": own} if own and "families" not in data else data

    @model_validator(mode="after")
    def _check(self) -> "NetworkSpace":
        for name, least in (("depths", 0), ("widths", 1), ("poolings", 0)):
            if min(getattr(self, name), default=least) < least:
                raise ValueError(f"{name} must be at least {least}; got {list(getattr(self, name))}")
        for name in self.families:
            if name not in families():
                raise ValueError(f"families are {', '.join(sorted(families()))}; got {name!r}")
            if families()[name].imported and not self.source(name):
                raise ValueError(f"the family {name!r} needs {name} = '{EXAMPLES[name]}'")
            if name in self.layered:
                self._check_sizes(name)
        for name in ("module", "onnx"):
            if self.source(name) and name not in self.families:
                raise ValueError(f"{name} names a network, but families lacks {name!r}; got {list(self.families)}")
        if self.free and not self.widths:
            raise ValueError(f"widths are missing: the channels to choose from for each layer of {' and '.join(self.free)}")
        return self

    def _check_sizes(self, name: str) -> None:
        family = families()[name]
        if family.widths is None or self.sizes_of(name):
            return
        allowed = f", or multiplied by {', '.join(map(str, family.multipliers))}" if family.multipliers else ""
        raise ValueError(
            f"sizes: {name} has {len(family.widths)} widths, published as {list(family.widths)}{allowed}; "
            f"got {list(map(list, self.sizes))}, multipliers {list(self.multipliers)}"
        )

    @property
    def free(self) -> tuple[str, ...]:
        """The families of which layers are chosen too."""
        return tuple(name for name in self.families if name in FREE)

    @property
    def layered(self) -> tuple[str, ...]:
        """The families whose layers are given."""
        return tuple(name for name in dict.fromkeys(self.families) if name not in FREE)

    def source(self, family: str) -> str:
        """The file of a user's own network."""
        return {"module": self.module, "onnx": self.onnx}.get(family, "")

    def sizes_of(self, family: str) -> dict[str, tuple[tuple[int, ...], float]]:
        """The sizes that a family can have, by name: its widths, () the published ones, and by what these are multiplied."""
        kind, found = families()[family], dict[str, tuple[tuple[int, ...], float]]()
        factors = [by for by in self.multipliers if not kind.multipliers or by in kind.multipliers] if kind.scales else [1.0]
        for size in self.sizes:
            if size and kind.widths is not None and len(size) == len(kind.widths):
                found["x".join(map(str, size))] = size, 1.0
            elif not size:
                found |= {PUBLISHED if by == 1 else f"x{by:g}": (size, by) for by in factors}
        return found


class OperatorSpace(Noun):
    """Operators by name, none for a network that is quantised already; `first`, `last` and `depthwise` replace `choices` for the layer that
    reads the image, for the logits and for layers with groups. `join`: of sums and copies between layers.

    each: whether each layer has its own operator, or all of a group (first, hidden, depthwise, last) have the same; an mlp's and a vgg's
    layers always have their own.
    """

    choices: tuple[str, ...] = ()
    first: tuple[str, ...] | None = Field(default=None, min_length=1)
    last: tuple[str, ...] | None = Field(default=None, min_length=1)
    depthwise: tuple[str, ...] | None = Field(default=None, min_length=1)
    join: tuple[str, ...] = Field(default=("int8s",), min_length=1)
    each: Literal["layer", "group"] = "layer"

    @model_validator(mode="after")
    def _check(self) -> "OperatorSpace":
        for name in (*self.choices, *(self.first or ()), *(self.last or ())):
            operator_named(name)
        for name in self.depthwise or ():
            if not takes_groups(name):
                raise ValueError(f"depthwise operators need a weight that adds nothing to any activation, and {name} has none")
        for name in self.join:
            if operator_named(name).kind != "int":
                raise ValueError(f"join must be integers, as int8s: sums and copies are products with the weight 1; got {name}")
        return self

    def of(self, place: Place) -> tuple[str, ...]:
        """The names to choose from at a place in the network."""
        if place == "depthwise":
            return self.depthwise or tuple(name for name in self.choices if takes_groups(name))
        return {"first": self.first, "hidden": None, "last": self.last}[place] or self.choices


def takes_groups(name: str) -> bool:
    """Whether layers with groups can have an operator: lanes of other groups hold a weight that adds nothing."""
    kind = arithmetic(operator_named(name))
    return not kind.table[:, kind.unused_weight_bits].any()
