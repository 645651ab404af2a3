"""shufflenetv2: ShuffleNet V2 (Ma et al., arXiv 1807.11164) with a stem for small images: stride 1 and no pooling.

Widths: stem, three stages, head; published ones are those of 1x. A multiplier of 0.5 is the paper's 0.5x (48, 96, 192 and a head of 1024);
0.25, which the paper does not have, halves it: 24, 48, 96 and a head of 512. The stem keeps its 24 channels.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers

STAGES = {0.25: (24, 24, 48, 96, 512), 0.5: (24, 48, 96, 192, 1024), 1.0: (24, 116, 232, 464, 1024), 1.5: (24, 176, 352, 704, 1024)}
REPEATS = (4, 8, 4)


def build(a: Architecture, layers: Layers) -> Value:
    """Stem, three stages, each of a unit of stride 2 and units of stride 1, head, fc."""
    stem, *stages, head = a.widths or STAGES[a.multiplier]
    x = layers.conv(layers.graph.image(a.channels, a.height, a.width), stem, 3, "stem", padding=1, relu=True)
    for stage, (outputs, repeats) in enumerate(zip(stages, REPEATS, strict=True), start=2):
        x = _down(layers, x, outputs, f"stage{stage}.unit1")
        for unit in range(2, repeats + 1):
            x = _unit(layers, x, f"stage{stage}.unit{unit}")
    x = layers.conv(x, head, 1, "head", relu=True)
    return layers.dense(layers.global_average(x), a.classes, "fc")


def _branch(layers: Layers, x: Value, outputs: int, stride: int, name: str) -> Value:
    y = layers.conv(x, outputs, 1, f"{name}.conv1", relu=True)
    y = layers.depthwise(y, f"{name}.depthwise", stride=stride)
    return layers.conv(y, outputs, 1, f"{name}.conv2", relu=True)


def _unit(layers: Layers, x: Value, name: str) -> Value:
    """Half of the channels pass, half are computed; then both mix."""
    half = x.channels // 2
    kept, used = layers.graph.channels(x, 0, half), layers.graph.channels(x, half, x.channels)
    return layers.graph.shuffle(layers.graph.concat([kept, _branch(layers, used, half, 1, name)]), 2)


def _down(layers: Layers, x: Value, outputs: int, name: str) -> Value:
    """Both branches compute, at half the resolution."""
    other = layers.depthwise(x, f"{name}.shortcut.depthwise", stride=2)
    other = layers.conv(other, outputs // 2, 1, f"{name}.shortcut.conv", relu=True)
    return layers.graph.shuffle(layers.graph.concat([other, _branch(layers, x, outputs // 2, 2, name)]), 2)


FAMILIES = {"shufflenetv2": Family(build=build, widths=STAGES[1.0], scales=True, multipliers=tuple(STAGES))}
