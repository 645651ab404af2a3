"""lenet5: LeNet-5 (LeCun et al., Proc. IEEE 86, 1998) with pooling without coefficients of its own.

Widths: two convolutions and two fully connected layers. The second convolution reads all maps rather than a table's choice, and the last
fully connected layer stands in place of radial basis functions. Images smaller than the published 32 x 32 are padded by 2, and the second
convolution's map where it is smaller than 14 x 14.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, one_pooling, widths

PUBLISHED = (6, 16, 120, 84)


def build(a: Architecture, layers: Layers) -> Value:
    """conv1, conv2, fc1, fc2, fc3."""
    first, second, third, fourth = widths(a, PUBLISHED)
    x = layers.graph.image(a.channels, a.height, a.width)
    for number, outputs, whole in ((1, first, 32), (2, second, 14)):
        x = layers.conv(x, outputs, 5, f"conv{number}", padding=2 if min(x.height, x.width) < whole else 0)
        x = layers.graph.pool(x, one_pooling(a), 2, 2, f"pool{number}")
    x = layers.dense(x, third, "fc1")
    x = layers.dense(x, fourth, "fc2")
    return layers.dense(x, a.classes, "fc3")


FAMILIES = {"lenet5": Family(build=build, widths=PUBLISHED, pools=True)}
