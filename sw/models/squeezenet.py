"""squeezenet: SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360, and its authors' second version) for small images.

The stem has stride 1, poolings are 2 x 2 rather than 3 x 3 with stride 2, dropout is left out. The average is taken before the last 1 x 1
convolution, which gives logits: the published order differs by the ReLU between them.
Widths: stem, then what each of eight fire modules squeezes to; it expands to four times as many in each of its two halves.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, widths

PUBLISHED = (64, 16, 16, 32, 32, 48, 48, 64, 64)
EXPANSION = 4
POOLED = (0, 2, 4)  # after the stem, fire3 and fire5


def build(a: Architecture, layers: Layers) -> Value:
    """Stem, fire2 to fire9, fc."""
    stem, *fires = widths(a, PUBLISHED)
    x = layers.conv(layers.graph.image(a.channels, a.height, a.width), stem, 3, "stem", padding=1, relu=True)
    x = layers.graph.pool(x, "max", 2, 2, "stem.pool")
    for index, squeezed in enumerate(fires, start=1):
        x = _fire(layers, x, squeezed, f"fire{index + 1}")
        if index in POOLED:
            x = layers.graph.pool(x, "max", 2, 2, f"fire{index + 1}.pool")
    return layers.dense(layers.global_average(x), a.classes, "fc")


def _fire(layers: Layers, x: Value, squeezed: int, name: str) -> Value:
    x = layers.conv(x, squeezed, 1, f"{name}.squeeze", relu=True)
    one = layers.conv(x, EXPANSION * squeezed, 1, f"{name}.expand1", relu=True)
    three = layers.conv(x, EXPANSION * squeezed, 3, f"{name}.expand3", padding=1, relu=True)
    return layers.graph.concat([one, three])


FAMILIES = {"squeezenet": Family(build=build, widths=PUBLISHED, scales=True)}
