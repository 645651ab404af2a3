"""Residual networks (He et al., arXiv 1512.03385) for small images: resnet8, resnet18, resnet20.

resnet8 is MLPerf Tiny's (Banbury et al., arXiv 2106.07597): three stages of one block. resnet20 has three blocks a stage; its shortcuts
between stages are 1 x 1 convolutions where the paper pads with zero channels. resnet18 has two blocks in four stages after a 3 x 3 stem
for small images, in place of 7 x 7 and pooling. Widths: one a stage, the stem having the first.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, widths


def block(layers: Layers, x: Value, outputs: int, stride: int, name: str) -> Value:
    """Two 3 x 3 convolutions and the sum with x, or with its 1 x 1 convolution where the shape changes."""
    y = layers.conv(x, outputs, 3, f"{name}.conv1", stride=stride, padding=1, relu=True)
    y = layers.conv(y, outputs, 3, f"{name}.conv2", padding=1)
    if stride > 1 or x.channels != outputs:
        x = layers.conv(x, outputs, 1, f"{name}.shortcut", stride=stride)
    return layers.graph.add(y, x, f"{name}.add", relu=True)


def resnet(blocks: int, published: tuple[int, ...]) -> Family:
    """So many blocks in each stage."""

    def build(a: Architecture, layers: Layers) -> Value:
        stages = widths(a, published)
        x = layers.graph.image(a.channels, a.height, a.width)
        x = layers.conv(x, stages[0], 3, "stem", padding=1, relu=True)
        for stage, outputs in enumerate(stages, start=1):
            for index in range(1, blocks + 1):
                x = block(layers, x, outputs, 2 if stage > 1 and index == 1 else 1, f"stage{stage}.block{index}")
        return layers.dense(layers.global_average(x), a.classes, "fc")

    return Family(build=build, widths=published, scales=True)


FAMILIES = {
    "resnet8": resnet(1, (16, 32, 64)),
    "resnet18": resnet(2, (64, 128, 256, 512)),
    "resnet20": resnet(3, (16, 32, 64)),
}
