"""mlp: fully connected layers; widths are the outputs of every layer but the last."""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers


def build(a: Architecture, layers: Layers) -> Value:
    """fc0, fc1, ..."""
    x = layers.graph.image(a.channels, a.height, a.width)
    for index, outputs in enumerate((*a.widths, a.classes)):
        x = layers.dense(x, outputs, f"fc{index}")
    return x


FAMILIES = {"mlp": Family(build=build)}
