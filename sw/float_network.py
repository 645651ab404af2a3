"""A network in floating point: the same layers, normalisation and parameters as a `QuantisedNetwork`, and no rounding.

It is what networks in circuits are compared with. Evaluated in fp16 or bf16, weights, activations, sums and the normalisation's factors
and summands are rounded to the format; a sum is added in fp32 and rounded once.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.hw.config import NumberFormat
from gatewright.hw.errors import BadInput
from gatewright.sw.accuracy import BATCH, Accuracy, wilson
from gatewright.sw.arithmetic import Arithmetic
from gatewright.sw.data import Split
from gatewright.sw.layers import Pooling
from gatewright.sw.models import Architecture
from gatewright.sw.modules import LOGIT_SPREAD

EPSILON = 1e-5
CLIP = Arithmetic.activation_clip
Rounding = Callable[[Tensor], Tensor]
FORMATS: dict[NumberFormat, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class FloatLayer(nn.Module):
    """Convolution, normalisation, activation and pooling as an `OperatorConv2d` has them; of the logits, neither of the last two.

    Activations: ReLU, or with `clamp` hard tanh, at as many standard deviations as operators clamp.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(
        self, shape: tuple[int, int, int, int], generator: torch.Generator, *, logits: bool, clamp: bool, pooling: Pooling | None
    ) -> None:
        """shape: that of the weights, [K, C, R, S]. Padding keeps a map's size; the logits have none."""
        super().__init__()
        self.logits, self.clamp, self.pooling = logits, clamp, pooling
        self.padding = 0 if logits else shape[2] // 2
        self.momentum = 0.1
        scales = 1 if logits else shape[0]
        self.weight = nn.Parameter(torch.randn(shape, generator=generator) * (shape[1] * shape[2] * shape[3]) ** -0.5)
        self.log_gain, self.beta = nn.Parameter(torch.zeros(scales)), nn.Parameter(torch.zeros(shape[0]))
        self.register_buffer("running_mean", torch.zeros(scales))
        self.register_buffer("running_variance", torch.ones(scales))

    def forward(self, x: Tensor, rounded: Rounding | None = None) -> Tensor:
        """Activations [N, C, H, W] to [N, K, out_h, out_w]; rounded: to a number format, of whatever is stored."""
        given = rounded or (lambda value: value)
        sums = given(F.conv2d(given(x), given(self.weight), padding=self.padding).float())
        if self.training:
            variance, mean = torch.var_mean(sums, (0, 1, 2, 3) if self.logits else (0, 2, 3), correction=0)
            mean, variance = mean.reshape(-1), variance.reshape(-1)
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_variance.lerp_(variance.detach(), self.momentum)
        else:
            mean, variance = self.running_mean, self.running_variance
        unit = LOGIT_SPREAD if self.logits else 1.0
        scale = unit * self.log_gain.exp() / torch.sqrt(variance + EPSILON)
        shift = unit * self.beta - mean * scale
        y = given(sums * given(scale.reshape(1, -1, 1, 1)) + given(shift.reshape(1, -1, 1, 1)))
        if self.logits:
            return y
        y = F.hardtanh(y, -CLIP, CLIP) if self.clamp else F.relu(y)
        if self.pooling == "max":
            return F.max_pool2d(y, 2)
        return given(F.avg_pool2d(y, 2)) if self.pooling == "average" else y


class FloatNetwork(nn.Module):
    """A `vgg` whose operators are floating-point; its activations are ReLU where the architecture names none.

    Input: images [N, C, H, W] from 0 to 1; gives logits [N, classes].
    """

    def __init__(self, architecture: Architecture, seed: int = 0) -> None:
        super().__init__()
        if architecture.family != "vgg" or any(o.kind != "float" for o in architecture.operators):
            raise BadInput(f"A floating-point network is a vgg with operators fp32, fp16 or bf16 throughout; got {architecture.name}.")
        self.architecture = architecture
        generator = torch.Generator().manual_seed(seed)
        kinds = architecture.activations or ("relu",) * len(architecture.widths)
        layers, inputs = [], architecture.channels
        for (outputs, kernel, pooling, _), kind in zip(architecture.convolutions, kinds, strict=True):
            shape = outputs, inputs, kernel, kernel
            layers.append(FloatLayer(shape, generator, logits=False, clamp=kind == "clamp", pooling=pooling))
            inputs = outputs
        pools = len(architecture.pool_after)
        last = architecture.classes, inputs, architecture.height >> pools, architecture.width >> pools
        layers.append(FloatLayer(last, generator, logits=True, clamp=False, pooling=None))
        self.layers = nn.ModuleList(layers)

    @property
    def operator_layers(self) -> list[FloatLayer]:
        """The layers, as a `QuantisedNetwork` names them."""
        return [layer for layer in self.layers if isinstance(layer, FloatLayer)]

    def forward(self, x: Tensor, number_format: NumberFormat = "fp32") -> Tensor:
        """number_format: what is stored is rounded to it."""
        kept = FORMATS[number_format]
        rounded = None if kept is torch.float32 else lambda value: value.to(kept).float()
        for layer in self.operator_layers:
            x = layer(x, rounded)
        return x.flatten(1)


def scaled(images: np.ndarray, maximum: int) -> Tensor:
    """Images uint8 as numbers from 0 to 1, float32."""
    return torch.from_numpy(images).float() / maximum


@torch.no_grad()
def float_accuracy(network: FloatNetwork, split: Split, maximum: int, number_format: NumberFormat) -> Accuracy:
    """Accuracy on images of pixels up to `maximum`, in a number format."""
    network.eval()
    right = 0
    for start in range(0, len(split), BATCH):
        part = split.take(slice(start, start + BATCH))
        right += int((network(scaled(part.images, maximum), number_format).argmax(dim=1).numpy() == part.labels).sum())
    return wilson(right, len(split))
