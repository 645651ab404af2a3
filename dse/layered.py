"""Networks whose layers are given (families of the zoo, a user's own) as choices: their sizes, and the operators of their layers."""

from functools import lru_cache

from gatewright.dse.config import RunConfig
from gatewright.dse.network_space import Place
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.models import Architecture, families, integers, layer_names, workload

Params = dict[str, str | int]
Choices = dict[str, tuple[str | int, ...]]


def choices(config: RunConfig, family: str, shape: tuple[int, int, int], classes: int) -> Choices:
    """Every choice that makes a network of a family, by name; each begins with the family's.

    Raises BadInput where layers have no operator to choose from, and for a user's own network that cannot be read.
    """
    network, kind, found = config.network, families()[family], Choices()
    if not kind.imported:
        found["size"] = tuple(network.sizes_of(family))
    if kind.pools:
        found["pooling"] = network.pooling
    given = _given(config, family, shape, classes, {})
    if integers(given) is not None:
        if config.operators.choices:
            raise BadInput(f"{config.name}: {given.source} is quantised and has its own operators. Leave [operators] out.")
        return {}
    found["join"] = config.operators.join
    for name, place in places(given).items():
        operators = config.operators.of(place)
        if not config.operators.choices:
            raise BadInput(f"{config.name}: {given.source} is not quantised: name operators for its layers in [operators] choices.")
        if not operators:
            raise BadInput(
                f"{config.name}: layer {name} of {family} has groups, and none of [operators] choices has a weight that adds nothing. "
                "Name some that have one in [operators] depthwise, as int8 or int4."
            )
        found[name if config.operators.each == "layer" else place] = operators
    return {f"{family}.{name}": tuple(dict.fromkeys(values)) for name, values in found.items()}


def architecture(config: RunConfig, params: Params, shape: tuple[int, int, int], classes: int) -> Architecture:
    """The network of a choice of a family whose layers are given. Raises BadInput for an impossible one."""
    family = str(params["family"])
    mine = {name.removeprefix(f"{family}."): value for name, value in params.items() if name.startswith(f"{family}.")}
    given = _given(config, family, shape, classes, mine)
    if integers(given) is not None:
        return given
    keys = [name if config.operators.each == "layer" else place for name, place in places(given).items()]
    operators = tuple(operator_named(str(mine[key])) for key in keys) or given.operators  # a quantised file has its own
    return given.replace(operators=operators, join=operator_named(str(mine["join"])))


def _given(config: RunConfig, family: str, shape: tuple[int, int, int], classes: int, params: Params) -> Architecture:
    """A network without its operators: sizes as chosen, or the first choice."""
    sizes = config.network.sizes_of(family)
    widths, multiplier = sizes[str(params.get("size", next(iter(sizes))))]
    return Architecture(
        family=family,
        channels=shape[0],
        height=shape[1],
        width=shape[2],
        classes=classes,
        widths=widths,
        multiplier=multiplier,
        pooling=params.get("pooling", "max"),
        operators=(integer(8),),
        source=config.network.source(family),
    )


@lru_cache(maxsize=256)
def places(network: Architecture) -> dict[str, Place]:
    """Where each layer that takes an operator stands, in their order; a layer with groups counts as depthwise."""
    names = layer_names(network)
    grouped = {layer.name for layer in workload(network).layers if layer.groups > 1 and not layer.unit_weights}
    found: dict[str, Place] = {}
    for i, name in enumerate(names):
        parts = {name, *(part for part in grouped if part.rpartition(".")[0] == name)}
        place: Place = "last" if i == len(names) - 1 else "first" if i == 0 else "hidden"
        found[name] = "depthwise" if parts & grouped else place
    return found
