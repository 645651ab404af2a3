"""Plain stacks of convolutions: vgg (after Simonyan and Zisserman, arXiv 1409.1556) and xnornet.

vgg: widths are the convolutions' channels, 2 x 2 pooling follows those numbered in `pool_after`; then a fully connected layer. Kernels are
3 x 3 or as `kernels` say, with as much padding as keeps a map's size.
xnornet: the convolutions of BinaryNet (Courbariaux et al., arXiv 1602.02830), pooled in pairs, without its two hidden fully connected
layers; where no operators are given, XNOR (Rastegari et al., arXiv 1603.05279) between an 8-bit first and last layer, as in both papers.
No scales of the weights: normalisation after the sum takes them in.
"""

from collections.abc import Iterable

from gatewright.hw.config import integer, xnor
from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture, Convolution
from gatewright.sw.models.family import Family, Layers, one_pooling, widths

BINARYNET = (128, 128, 256, 256, 512, 512)
BINARY = (integer(8), *(xnor(),) * (len(BINARYNET) - 1), integer(8))


def _stack(a: Architecture, layers: Layers, convolutions: Iterable[Convolution]) -> Value:
    x = layers.graph.image(a.channels, a.height, a.width)
    for index, (outputs, kernel, pooling, relu) in enumerate(convolutions):
        x = layers.conv(x, outputs, kernel, f"conv{index}", padding=kernel // 2, relu=relu)
        if pooling:
            x = layers.graph.pool(x, pooling, 2, 2, f"pool{index}")
    return layers.dense(x, a.classes, "fc")


def vgg(a: Architecture, layers: Layers) -> Value:
    """conv0, conv1, ..., fc."""
    return _stack(a, layers, a.convolutions)


def xnornet(a: Architecture, layers: Layers) -> Value:
    """conv0, conv1, ..., fc; pooling after every second convolution while there is something to pool."""
    channels = widths(a, BINARYNET)
    most = min(a.height, a.width).bit_length() - 1
    pooled = tuple(range(1, len(channels), 2))[:most]
    return _stack(a, layers, [(outputs, 3, one_pooling(a) if index in pooled else None, False) for index, outputs in enumerate(channels)])


FAMILIES = {
    "vgg": Family(build=vgg, pools=True),
    "xnornet": Family(build=xnornet, widths=BINARYNET, scales=True, pools=True, operators=BINARY),
}
