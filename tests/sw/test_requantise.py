"""Folding of normalisation into integers: exact for signs, to the last bit of the multiplier for scales."""

import math

import pytest
import torch

from gatewright.hw.config import integer
from gatewright.sw.integer import Mode
from gatewright.sw.layers import Layer
from gatewright.sw.requantise import BIAS_MAX, finish, finish_quickly, fold, pool


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize("scale", [127.5, 100.0, 1.0, 0.999, 0.4990, 0.49999, 1 / 3, 1e-3, 2.0**-24, 3.1e-6])
def test_the_multiplier_is_within_half_a_unit(scale: float) -> None:
    folded = fold("requantise", one(scale), one(0), one(0))
    m, s = int(folded.multiplier), int(folded.shift)
    assert 128 <= m <= 255
    assert 1 <= s <= 31
    assert abs(m / 2**s - scale) <= scale / 256 + 1e-12


@pytest.mark.parametrize(("scale", "m", "s"), [(1000.0, 255, 1), (2.0**-28, 8, 31), (1e-12, 1, 31)])
def test_scales_out_of_reach_take_the_nearest(scale: float, m: int, s: int) -> None:
    folded = fold("requantise", one(scale), one(0), one(0))
    assert (int(folded.multiplier), int(folded.shift)) == (m, s)


def test_the_sign_folds_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.rand(200, generator=generator, dtype=torch.float64) * 3 + 1e-3
    mean = torch.randn(200, generator=generator, dtype=torch.float64) * 20
    beta = torch.randn(200, generator=generator, dtype=torch.float64) * 5
    beta[:50] = (scale * mean.round() - scale * 3)[:50]  # some thresholds on an integer or next to it
    bias = fold("sign", scale, mean, beta).bias
    accumulated = torch.arange(-100, 101)[:, None]
    real = accumulated - (mean - beta / scale) >= 0
    assert torch.equal(accumulated + bias >= 0, real)


def test_the_bias_stays_within_32_bits() -> None:
    assert int(fold("requantise", one(1e-6), one(0), one(1e9)).bias) == BIAS_MAX


@pytest.mark.parametrize(
    ("m", "s", "bias", "low", "high"), [(200, 9, -3, 0, 15), (255, 1, 0, -128, 127), (128, 31, 7, 0, 255), (129, 4, 1, -8, 7)]
)
def test_finish_is_the_contract(m: int, s: int, bias: int, low: int, high: int) -> None:
    accumulated = torch.tensor([-(2**24) - 1, -513, -8, -1, 0, 1, 2, 5, 77, 2**24 + 1], dtype=torch.float64).reshape(-1, 1, 1, 1)
    folded = fold("requantise", one(m / 2**s), one(-bias), one(0))
    assert (int(folded.multiplier), int(folded.shift), int(folded.bias)) == (m, s, bias)
    got = finish("requantise", accumulated, accumulated, folded, low, high).flatten().tolist()
    expected = [min(max(((int(a) + bias) * m + (1 << (s - 1))) >> s, low), high) for a in accumulated.flatten().tolist()]
    assert got == expected


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_average_pooling_rounds_as_the_contract(window: int) -> None:
    layer = Layer(name="p", operator=integer(8), C=1, K=1, H=7, W=7, pooling="average", pool_window=window, pool_stride=2)
    codes = torch.randint(-128, 128, (3, 1, 7, 7), generator=torch.Generator().manual_seed(0)).float()
    p = math.ceil(math.log2(window * window))
    got = pool(layer, codes)
    for image in range(3):
        for y in range(layer.out_h):
            for x in range(layer.out_w):
                total = int(codes[image, 0, 2 * y : 2 * y + window, 2 * x : 2 * x + window].sum())
                assert got[image, 0, y, x] == ((total + 2 ** (p - 1)) >> p if p else total)


def test_gradients_are_those_of_the_clamp() -> None:
    accumulated = torch.tensor([-10.0, 3.0, 500.0]).reshape(-1, 1, 1, 1)
    real = accumulated.clone().requires_grad_()
    folded = fold("requantise", one(1.0), one(0), one(0))
    finish("requantise", accumulated, real, folded, 0, 255).sum().backward()
    assert real.grad is not None
    assert real.grad.flatten().tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("mode", "low", "high"), [("requantise", 0, 255), ("requantise", -8, 7), ("sign", 0, 1)])
def test_training_finishes_alike(mode: Mode, low: int, high: int) -> None:
    """In float32 codes and gradients are those of the exact steps, but for at most one code in a thousand that lies next to a tie."""
    generator = torch.Generator().manual_seed(3)
    accumulated = torch.randint(-60000, 60000, (8, 16, 10, 10), generator=generator).float()
    scale, mean, beta = (torch.rand(16, generator=generator) * most for most in (0.01, 3e4, 20.0))
    folded = fold(mode, scale, mean, beta)
    start = (accumulated - mean.reshape(1, -1, 1, 1)) * scale.reshape(1, -1, 1, 1) + beta.reshape(1, -1, 1, 1)
    results, gradients = [], []
    for function in (finish, finish_quickly):
        real = start.clone().requires_grad_()
        results.append(function(mode, accumulated, real, folded, low, high).float())
        results[-1].square().sum().backward()
        gradients.append(real.grad)
    assert len(results[0].unique()) == high - low + 1
    differs = results[0] != results[1]
    assert (results[0] - results[1]).abs().max() <= 1
    assert differs.float().mean() < 1e-3
    torch.testing.assert_close(gradients[0][~differs], gradients[1][~differs])
