"""dqn: the value network of deep Q-learning (Mnih et al., arXiv 1312.5602), for its cost: nothing here trains it by reinforcement.

Published on 84 x 84 images of 4 frames, one output an action. Widths: two convolutions and a fully connected layer.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, widths

PUBLISHED = (16, 32, 256)


def build(a: Architecture, layers: Layers) -> Value:
    """conv1, conv2, fc1, fc2."""
    first, second, hidden = widths(a, PUBLISHED)
    x = layers.graph.image(a.channels, a.height, a.width)
    x = layers.conv(x, first, 8, "conv1", stride=4, relu=True)
    x = layers.conv(x, second, 4, "conv2", stride=2, relu=True)
    return layers.dense(layers.dense(x, hidden, "fc1", relu=True), a.classes, "fc2")


FAMILIES = {"dqn": Family(build=build, widths=PUBLISHED)}
