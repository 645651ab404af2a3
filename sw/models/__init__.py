"""Families of networks, each written once over operators: any layer takes any operator and precision.

A family is a module here with `FAMILIES`, from names to `Family`; importers of users' networks have theirs in `gatewright.sw.imports`.
"""

import importlib
import pkgutil
from functools import cache

from gatewright.hw.errors import BadInput
from gatewright.sw.fixed import FixedNetwork
from gatewright.sw.graph import Graph
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.layers import IMAGE, Workload
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers
from gatewright.sw.modules import QuantisedNetwork

__all__ = ["Architecture", "families", "integers", "layer_names", "network", "workload"]


@cache
def families() -> dict[str, Family]:
    """Every family by its name."""
    found: dict[str, Family] = {}
    for package in (__name__, "gatewright.sw.imports"):
        for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
            found |= getattr(importlib.import_module(f"{package}.{info.name}"), "FAMILIES", {})
    return found


def workload(architecture: Architecture) -> Workload:
    """The layers of an architecture with their shapes."""
    given = integers(architecture)
    return _written(architecture)[1] if given is None else given.workload


def integers(architecture: Architecture) -> IntegerNetwork | None:
    """The integer network of an imported, quantised source, for which nothing is trained; None for all others."""
    own = families()[architecture.family].integers
    return None if own is None else own(architecture)


def network(architecture: Architecture, seed: int = 0) -> QuantisedNetwork:
    """The architecture as a PyTorch module with random weights; an imported one with those of its source, or its integers."""
    if (given := integers(architecture)) is not None:
        return FixedNetwork(given)
    graph, work = _written(architecture)
    model = QuantisedNetwork(work, seed)
    if initial := families()[architecture.family].initial:
        initial(architecture, graph, model)
    return model


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """The names of the layers that take an operator, in the order of `operators`; none where a quantised source has them."""
    if integers(architecture) is not None:
        return ()
    layers = Layers(Graph(architecture.join), architecture.operators)
    families()[architecture.family].build(architecture, layers)
    return tuple(layers.names)


def _written(architecture: Architecture) -> tuple[Graph, Workload]:
    graph = Graph(architecture.join)
    layers = Layers(graph, architecture.operators)
    logits = families()[architecture.family].build(architecture, layers)
    _check_operators(architecture, layers.names)
    return graph, _short(graph.finish(logits, architecture.name))


def _short(work: Workload) -> Workload:
    """The same workload without names of inputs where these are the results of the layer before."""
    before = (IMAGE, *(work.output(i) for i in range(len(work.layers))))
    layers = (layer.replace(inputs=()) if layer.inputs == (before[i],) else layer for i, layer in enumerate(work.layers))
    return work.replace(layers=tuple(layers))


def check(a: Architecture) -> None:
    """Raises ValueError where an architecture breaks a rule of its family."""
    if a.family not in families():
        raise ValueError(f"family must be one of {', '.join(sorted(families()))}; got {a.family!r}")
    family = families()[a.family]
    if any(width < 1 for width in a.widths):
        raise ValueError(f"widths must be positive; got {a.widths}")
    if a.widths and family.widths is not None and len(a.widths) != len(family.widths):
        raise ValueError(f"{a.family} has {len(family.widths)} widths, as {family.widths}; got {a.widths}")
    _check_multiplier(a, family)
    if bool(a.source) != family.imported:
        raise ValueError(f"source names the file of a network of family {_heeding('imported')}, and of no other; got {a.source!r}")
    _check_pooling(a, family)
    if not family.imported:
        try:
            _check_operators(a, list(layer_names(a)))
        except BadInput as error:
            raise ValueError(str(error)) from None


def _heeding(field: str) -> str:
    return " or ".join(name for name, family in sorted(families().items()) if getattr(family, field)) or "none"


def _check_multiplier(a: Architecture, family: Family) -> None:
    if a.multiplier != 1 and not family.scales:
        raise ValueError(f"a multiplier is for {_heeding('scales')}; {a.family} has none; got {a.multiplier}")
    if a.multiplier != 1 and a.widths:
        raise ValueError(f"a multiplier is of the published widths: give widths or a multiplier; got {a.widths} and {a.multiplier}")
    if family.multipliers and a.multiplier not in family.multipliers:
        raise ValueError(f"multiplier of {a.family} must be one of {', '.join(map(str, family.multipliers))}; got {a.multiplier}")


def _check_pooling(a: Architecture, family: Family) -> None:
    if a.pool_after and a.family != "vgg":
        raise ValueError(f"pool_after is for vgg; {a.family} pools nowhere or where its definition says; got {a.pool_after}")
    if a.family != "vgg":
        for field in ("kernels", "activations"):
            if value := getattr(a, field):
                raise ValueError(f"{field} are for vgg; {a.family} has its own; got {value}")
    if any(kernel < 1 or kernel % 2 == 0 for kernel in a.kernels):
        raise ValueError(f"kernels must be odd, so that padding keeps a map's size; got {a.kernels}")
    for field in ("kernels", "activations"):
        if (many := len(getattr(a, field))) not in (0, len(a.widths)):
            raise ValueError(f"{field}: one for each of the {len(a.widths)} convolutions, or none; got {many}")
    if isinstance(a.pooling, tuple) and (a.family != "vgg" or len(a.pooling) != len(a.pool_after)):
        raise ValueError(f"pooling: one word for all, or for vgg one for each of pool_after {a.pool_after}; {a.family} got {a.pooling}")
    if a.pooling != "max" and not family.pools:
        raise ValueError(f"pooling is for {_heeding('pools')}; {a.family} has its own; got {a.pooling!r}")
    if any(not 0 <= place < len(a.widths) for place in a.pool_after) or len(set(a.pool_after)) < len(a.pool_after):
        raise ValueError(f"pool_after names convolutions 0..{len(a.widths) - 1}, each once; got {a.pool_after}")
    if min(a.height, a.width) >> len(a.pool_after) < 1:
        raise ValueError(f"{len(a.pool_after)} poolings by 2 leave nothing of a {a.height} x {a.width} map")


def _check_operators(a: Architecture, names: list[str]) -> None:
    if len(a.operators) not in (1, len(names)):
        listed = ", ".join(names if len(names) < 12 else [*names[:8], "...", names[-1]])
        raise BadInput(f"operators: one for all layers, or one for each of the {len(names)} ({listed}); got {len(a.operators)}")
