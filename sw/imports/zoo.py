"""How an imported network takes its place among the families of `gatewright.sw.models`."""

from collections.abc import Callable
from functools import partial

from gatewright.hw.errors import BadInput
from gatewright.sw.graph import Graph, Value
from gatewright.sw.imports.initialise import calibrate, load_weights
from gatewright.sw.imports.lower import build, float_layers, names
from gatewright.sw.imports.network import FloatNetwork
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers
from gatewright.sw.modules import QuantisedNetwork


def imported_family(read: Callable[[Architecture], FloatNetwork]) -> Family:
    """The family of the networks that `read` makes of an architecture's `source`, with their weights where these are trained."""

    def write(a: Architecture, layers: Layers) -> Value:
        network = _checked(a, read(a))
        layers.names.extend(names(network))
        return build(network, layers.graph, layers.operators)

    def initial(a: Architecture, graph: Graph, model: QuantisedNetwork) -> None:
        network = read(a)
        if network.trained:
            floats = float_layers(network, a.operators, graph, model.workload)
            load_weights(model, floats)
            model.begin = partial(calibrate, model, floats)

    return Family(build=write, imported=True, initial=initial)


def _checked(a: Architecture, network: FloatNetwork) -> FloatNetwork:
    classes = network.shapes[network.output][0]
    if classes != a.classes:
        raise BadInput(f"{a.source} gives {classes} logits and {a.classes} classes are wanted.")
    return network
