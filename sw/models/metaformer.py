"""metaformer: a small vision Transformer with everything replaced that the datapath does not have.

After Dosovitskiy et al. (arXiv 2010.11929) in the form that Yu et al. (arXiv 2111.11418, 2210.13452) call MetaFormer: patches, then blocks
that mix tokens and then channels, each with its residual sum. Replaced are: attention, with its softmax and its two products of
activations, by a learned depthwise 3 x 3 convolution over the grid of tokens; layer norm by normalisation per channel, which folds into
integers; GELU by ReLU; the class token by the average of all tokens; position embeddings by the zeros around the grid. So it is no
Transformer with attention, and its figures stand for none. Widths: channels of a token, then the hidden channels of each block.
"""

from gatewright.sw.graph import Value
from gatewright.sw.models.architecture import Architecture
from gatewright.sw.models.family import Family, Layers, widths

PUBLISHED = (64, 128, 128, 128, 128)
GRID = 8  # tokens along the shorter side of the image


def build(a: Architecture, layers: Layers) -> Value:
    """patches, then block1.mix, block1.fc1, block1.fc2, ..., fc."""
    embedding, *hidden = widths(a, PUBLISHED)
    patch = max(1, min(a.height, a.width) // GRID)
    x = layers.conv(layers.graph.image(a.channels, a.height, a.width), embedding, patch, "patches", stride=patch)
    for index, wide in enumerate(hidden, start=1):
        name = f"block{index}"
        x = layers.graph.add(layers.depthwise(x, f"{name}.mix"), x, f"{name}.mixed")
        y = layers.conv(x, wide, 1, f"{name}.fc1", relu=True)
        x = layers.graph.add(layers.conv(y, embedding, 1, f"{name}.fc2"), x, f"{name}.add")
    return layers.dense(layers.global_average(x), a.classes, "fc")


FAMILIES = {"metaformer": Family(build=build, widths=PUBLISHED, scales=True)}
