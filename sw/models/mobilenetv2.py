"""mobilenetv2: MobileNetV2 (Sandler et al., arXiv 1801.04381) with the strides of small images: 1 in the stem and the second stage.

Widths: stem, seven stages, head; a multiplier scales all but the head, which only grows with it. ReLU6 is the clamp that the next layer's
format has in any case.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, divisible, widths

STAGES = ((1, 1, 1), (6, 2, 1), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))  # expansion, blocks, stride of the first
PUBLISHED = (32, 16, 24, 32, 64, 96, 160, 320, 1280)


def build(a: Architecture, layers: Layers) -> Value:
    """Stem, inverted residuals, head, fc."""
    *trunk, _ = widths(a, PUBLISHED)
    stem, *stages = trunk
    head = a.widths[-1] if a.widths else max(PUBLISHED[-1], divisible(PUBLISHED[-1] * a.multiplier))
    x = layers.conv(layers.graph.image(a.channels, a.height, a.width), stem, 3, "stem", padding=1, relu=True)
    for stage, (outputs, (expansion, blocks, stride)) in enumerate(zip(stages, STAGES, strict=True), start=1):
        for index in range(1, blocks + 1):
            x = _inverted(layers, x, outputs, expansion, stride if index == 1 else 1, f"stage{stage}.block{index}")
    x = layers.conv(x, head, 1, "head", relu=True)
    return layers.dense(layers.global_average(x), a.classes, "fc")


def _inverted(layers: Layers, x: Value, outputs: int, expansion: int, stride: int, name: str) -> Value:
    """Widen, filter each channel, narrow without ReLU; the sum with x where the shape stays."""
    y = layers.conv(x, x.channels * expansion, 1, f"{name}.expand", relu=True) if expansion > 1 else x
    y = layers.depthwise(y, f"{name}.depthwise", stride=stride, relu=True)
    y = layers.conv(y, outputs, 1, f"{name}.project")
    return layers.graph.add(y, x, f"{name}.add") if stride == 1 and x.channels == outputs else y


FAMILIES = {"mobilenetv2": Family(build=build, widths=PUBLISHED, scales=True)}
