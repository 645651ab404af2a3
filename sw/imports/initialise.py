"""A quantised network that computes nearly what a float network does, without training: weights, then codes' steps and normalisation.

`load_weights` needs the float weights alone: each output channel gets the step that its weights lose least by. `calibrate` runs images
through both networks layer by layer: every feature map gets the step that its values lose least by, and every channel the scale and
offset that give the accumulators of the operator's exact arithmetic the mean and deviation of the float values.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gatewright.sw.imports.lower import FloatLayer
from gatewright.sw.imports.steps import FRACTIONS, float_results, pooled_part, read, steps_of, write
from gatewright.sw.modules import EPSILON, OperatorConv2d, QuantisedNetwork

SCALE_MIN = 2.0**-20  # of accumulators that hardly vary: keeps a bias within its 31 bits


@torch.no_grad()
def load_weights(network: QuantisedNetwork, floats: Sequence[FloatLayer]) -> None:
    """Make the network's weights those of `floats`, one for each layer, with the steps that lose least."""
    for layer, numbers in zip(network.operator_layers, floats, strict=True):
        if not layer.layer.unit_weights:
            layer.weight.copy_(numbers.weight)
            layer.deviation = _deviation(layer, numbers.weight)


def _deviation(layer: OperatorConv2d, weight: Tensor) -> Tensor:
    """What `Arithmetic.quantise` divides by, [K, 1, 1, 1]: that after which codes, times one factor, are nearest to the weights.

    The logits have one factor for all channels, else each has its own.
    """
    rows = weight.reshape(1, -1) if layer.mode == "raw" else weight.flatten(1)
    rows = rows.double()
    greatest = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12)
    best, least = greatest, torch.full_like(greatest, torch.inf)
    for fraction in FRACTIONS:
        candidate = greatest * fraction / layer.arithmetic.weight_clip
        values = layer.arithmetic.weight_value(layer.arithmetic.quantise(rows, candidate)[0])
        factor = ((values * rows).sum(1, True) / (values**2).sum(1, True).clamp(min=1e-12)).clamp(min=0)
        error = ((factor * values - rows) ** 2).sum(1, True)
        best, least = torch.where(error < least, candidate, best), torch.minimum(error, least)
    return best.float().reshape(-1, 1, 1, 1).expand(len(weight), 1, 1, 1).clone()


@torch.no_grad()
def calibrate(network: QuantisedNetwork, floats: Sequence[FloatLayer], codes: Tensor) -> None:
    """Set every layer's normalisation by codes of images [N, C, H, W]; leaves evaluation mode on. The network has its weights already."""
    network.eval()
    work = network.workload
    images = codes.float() / network.operator_layers[work.maps[0].readers[0]].layer.operator.activation_range[1]
    exact = float_results(work, floats, images)
    steps = steps_of(network, exact)
    maps: dict[int, Tensor] = {0: codes.float()}
    for i, (layer, result) in enumerate(zip(network.operator_layers, exact, strict=True)):
        accumulated = layer.accumulate(read(work, i, maps))
        if layer.handed is None:
            _normalise(layer, accumulated.double(), result.before.double(), steps[work.target(i)], steps[work.sources(i)[0]])
        write(work, i, maps, layer.post_process(accumulated).to(images.dtype))


def _normalise(layer: OperatorConv2d, accumulated: Tensor, wanted: Tensor, step: float, read_step: float) -> None:
    """Scale and offset of a layer's accumulators [N, K, P, Q] after which they stand for the float values of the same shape.

    step, read_step: of the codes written and read. A sum's scale follows from the two; any other channel's gives it its deviation.
    """
    mean, variance = layer.statistics(accumulated)
    by_channel = torch.var_mean(accumulated, (0, 2, 3), correction=0), torch.var_mean(wanted, (0, 2, 3), correction=0)
    (spread, centre), (wanted_spread, wanted_centre) = by_channel
    layer.running_mean.copy_(mean)
    layer.running_variance.copy_(variance)
    if layer.mode == "sign":
        return
    code = 1.0 if layer.mode == "raw" else step * pooled_part(layer.layer)
    if layer.mode == "raw":
        scale = (wanted_spread.mean() / spread.mean().clamp(min=EPSILON)).sqrt().expand(layer.layer.K)
    elif layer.layer.unit_weights:
        scale = torch.full_like(spread, read_step / code)
    else:
        scale = (wanted_spread / spread.clamp(min=EPSILON)).sqrt() / code
    scale = scale.clamp(min=SCALE_MIN)
    offset = torch.zeros_like(scale) if layer.layer.unit_weights and layer.mode != "raw" else wanted_centre / code - scale * centre
    gain = scale[: len(layer.log_gain)] * (variance + EPSILON).sqrt() / layer.unit
    layer.log_gain.copy_(gain.log())
    layer.beta.copy_((offset + scale * mean) / layer.unit)
