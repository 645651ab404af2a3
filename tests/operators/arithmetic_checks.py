"""What every operator's arithmetic must satisfy, against a product written bit by bit in the operator's own test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product as pairs

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.hw.config import Operator
from gatewright.sw.differentiable import convolve, quantise_weight
from gatewright.sw.operators import accumulate, arithmetic, product

Reference = Callable[[Operator, int, int], int]

# N, C, H, W, K, R, S, stride, padding
GEOMETRIES = [
    (2, 3, 5, 4, 2, 3, 3, 1, 1),
    (1, 2, 7, 7, 3, 3, 3, 2, 1),
    (1, 1, 4, 6, 2, 2, 3, 2, 0),
    (2, 5, 1, 1, 4, 1, 1, 1, 0),
    (1, 2, 5, 5, 2, 5, 5, 1, 2),
]


def activation_codes(operator: Operator) -> range:
    low, high = operator.activation_range
    return range(low, high + 1)


def training_weights(operator: Operator) -> range:
    low, high = arithmetic(operator).weight_range
    return range(low, high + 1)


def check_products(operator: Operator, weights: range, reference: Reference) -> None:
    """Every product of every activation and weight code."""
    a, w = np.array(activation_codes(operator))[:, None], np.array(weights)[None, :]
    expected = [[reference(operator, int(x), int(y)) for y in weights] for x in activation_codes(operator)]
    np.testing.assert_array_equal(product(operator, a, w), expected)


def random_codes(operator: Operator, geometry: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    n, c, h, w, k, r, s, _, _ = geometry
    rng = np.random.default_rng(seed)
    return rng.choice(activation_codes(operator), (n, c, h, w)), rng.choice(training_weights(operator), (k, c, r, s))


def naive(
    operator: Operator, x: np.ndarray, weights: np.ndarray, stride: int, padding: int, reference: Reference, outside: int
) -> np.ndarray:
    """A convolution by its definition, one product at a time; `outside` is the activation code beyond the image."""
    (n, c, h, w), (k, _, r, s) = x.shape, weights.shape
    p, q = (h + 2 * padding - r) // stride + 1, (w + 2 * padding - s) // stride + 1
    result = np.zeros((n, k, p, q), dtype=np.int64)
    for image, kernel, y, z in pairs(range(n), range(k), range(p), range(q)):
        for channel, dy, dz in pairs(range(c), range(r), range(s)):
            row, column = y * stride + dy - padding, z * stride + dz - padding
            inside = 0 <= row < h and 0 <= column < w
            code = int(x[image, channel, row, column]) if inside else outside
            result[image, kernel, y, z] += reference(operator, code, int(weights[kernel, channel, dy, dz]))
    return result


def check_sums(operator: Operator, reference: Reference, outside: int) -> None:
    """`accumulate` equals the naive convolution, whatever stands outside the image."""
    for seed, geometry in enumerate(GEOMETRIES):
        x, weights = random_codes(operator, geometry, seed)
        stride, padding = geometry[-2:]
        expected = naive(operator, x, weights, stride, padding, reference, outside)
        np.testing.assert_array_equal(accumulate(operator, x, weights, stride, padding), expected)


@dataclass(frozen=True)
class Pass:
    """A convolution in PyTorch: its sums, what their gradients lead to, and its stride and padding."""

    sums: Tensor
    inputs: Tensor
    latent: Tensor
    codes: Tensor
    values: Tensor
    stride: int
    padding: int


def checked_passes(operator: Operator) -> Iterator[Pass]:
    """PyTorch's forward is the same integers, exact or not; a pass of each geometry, with approximate sums."""
    made = arithmetic(operator)
    for seed, geometry in enumerate(GEOMETRIES):
        x, weights = random_codes(operator, geometry, seed)
        stride, padding = geometry[-2:]
        latent = torch.randn(weights.shape, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        codes, values = quantise_weight(made, latent)
        inputs = torch.from_numpy(x).float().requires_grad_()
        for exact in (True, False):
            got = convolve(made, inputs, codes, values, stride, padding, exact=exact)
            expected = accumulate(operator, x, codes.long().numpy(), stride, padding)
            np.testing.assert_array_equal(got.detach().numpy(), expected)
        yield Pass(got, inputs, latent, codes, values, stride, padding)


def check_torch(operator: Operator) -> None:
    """PyTorch's forward is the same integers, in training too; its gradient is that of the ideal convolution of values."""
    made = arithmetic(operator)
    for found in checked_passes(operator):
        got, inputs, codes, values, stride, padding = found.sums, found.inputs, found.codes, found.values, found.stride, found.padding
        assert ((codes >= min(training_weights(operator))) & (codes <= max(training_weights(operator)))).all()
        np.testing.assert_array_equal(values.detach(), made.weight_value(codes))

        gradient = torch.randn(got.shape, generator=torch.Generator().manual_seed(1))
        by_code, by_value = torch.autograd.grad(got, (inputs, values), gradient)
        slope = float(made.activation_value(np.float64(1)) - made.activation_value(np.float64(0)))
        leaf_x = made.activation_value(inputs.detach()).requires_grad_()
        leaf_w = values.detach().requires_grad_()
        padded = F.pad(leaf_x, (padding,) * 4, value=float(made.activation_value(np.float64(0))))
        ideal = made.gain * F.conv2d(padded, leaf_w, stride=stride)
        ideal_x, ideal_w = torch.autograd.grad(ideal, (leaf_x, leaf_w), gradient)
        torch.testing.assert_close(by_code, slope * ideal_x)
        torch.testing.assert_close(by_value, ideal_w)


def check_value(operator: Operator, per_product: float) -> None:
    """`value` turns sums back into ordinary dot products, to within `per_product` accumulator units a product."""
    made = arithmetic(operator)
    x, weights = random_codes(operator, (4, 16, 1, 1, 8, 1, 1, 1, 0), 0)
    ideal = np.einsum("nc,kc->nk", made.activation_value(x)[..., 0, 0], made.weight_value(weights)[..., 0, 0])
    got = made.value(accumulate(operator, x, weights), 16)[..., 0, 0]
    assert np.abs(got - ideal).max() * made.gain <= per_product * 16
