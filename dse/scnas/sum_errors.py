"""How far an operator's sums are off, with operands of a trained network that are the same for all operators.

They are what the second layer of a network of 8-bit integers multiplies, trained on digits, before rounding: each operator rounds them as
training would.
"""

from functools import cache

import numpy as np
import torch

from gatewright.hw.config import Operator, integer
from gatewright.sim.operators.operands import network, unrounded
from gatewright.sw.differentiable import quantise_weight
from gatewright.sw.operators import arithmetic

NOISE = 1e-9  # of a fit in floating point


def rounded(operator: Operator) -> tuple[np.ndarray, np.ndarray]:
    """The layer's operands in an operator's codes: activations [N, C, H, W] (one bit: whether they are there), weights [K, C, 3, 3]."""
    values, latent = _layer()
    made, eight = arithmetic(operator), arithmetic(integer(8))
    (low, high), most = operator.activation_range, eight.operator.activation_range[1]
    scale = (high / made.activation_clip) / (most / eight.activation_clip)
    with torch.no_grad():
        codes, _ = quantise_weight(made, torch.from_numpy(latent))
    activations = values > 0 if operator.activation_bits == 1 else np.rint(values * scale).clip(low, high)
    return activations.astype(np.int64), codes.numpy().astype(np.int64)


@cache
def _layer() -> tuple[np.ndarray, np.ndarray]:
    return unrounded(network(integer(8)))


def errors(operator: Operator) -> dict[str, float]:
    """As the fields of `gatewright.dse.scnas.chart.Entry`."""
    made, (codes, weights), (values, latent) = arithmetic(operator), rounded(operator), _layer()
    found = {}
    for name, place, padding in (("error", slice(None), 1), ("error_64", slice(1, 2), 0)):
        kernel, exact = weights[:, :, place, place], latent[:, :, place, place]
        sums = made.accumulate(codes, kernel, padding=padding)
        ideal = _convolved(made.activation_value(codes), made.weight_value(kernel), padding)
        found[name] = residual(sums, _convolved(values, exact, padding) if operator.kind == "xnor" else ideal)
        if padding:
            found["plain"] = float(np.sqrt(np.mean((made.value(sums, kernel[0].size) - ideal) ** 2)) / ideal.std())
            found["rounding"] = residual(ideal, _convolved(values, latent, padding))
    return found


def residual(sums: np.ndarray, ideal: np.ndarray) -> float:
    """What is left of ideal sums [N, K, P, Q] when each channel's are fitted by its sums, as a part of their standard deviation."""
    x, y = (part.astype(np.float64).transpose(1, 0, 2, 3).reshape(part.shape[1], -1) for part in (sums, ideal))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    spread = (x * x).sum(axis=1)
    slope = np.divide((x * y).sum(axis=1), spread, out=np.zeros(len(x)), where=spread > 0)
    left = float(np.sqrt(((y - slope[:, None] * x) ** 2).sum() / (y * y).sum()))
    return left if left > NOISE else 0.0


def _convolved(values: np.ndarray, weights: np.ndarray, padding: int) -> np.ndarray:
    x, w = (torch.from_numpy(np.asarray(part, dtype=np.float64)) for part in (values, weights))
    return np.asarray(torch.nn.functional.conv2d(x, w, padding=padding))
