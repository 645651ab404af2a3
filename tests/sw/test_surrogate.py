"""Surrogates of operators: effective values and noise against exact arithmetic on operands of another kind; gradients; linear operators."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import Operator, integer, stochastic
from gatewright.sw.layers import Layer
from gatewright.sw.operators import arithmetic
from gatewright.sw.surrogate import Surrogate, law

STREAMS = [stochastic(8), stochastic(32), stochastic(16, "bipolar"), stochastic(8, source="counter", bits=4)]
streams = pytest.mark.parametrize("operator", STREAMS, ids=lambda operator: operator.name)


def layer(operator: Operator, noise: torch.Generator | None = None) -> Surrogate:
    """A 3 x 3 convolution of 6 channels with weights that are not normal: two levels and what is between them."""
    found = Surrogate(Layer(name="l", operator=operator, C=6, K=5, H=9, W=9, R=3, S=3, padding=1), integer(8), noise)
    with torch.no_grad():
        found.weight.copy_(torch.from_numpy(np.random.default_rng(1).beta(0.5, 0.5, found.weight.shape) - 0.5))
    return found


def images(operator: Operator) -> torch.Tensor:
    """Smooth gradients, of which neighbours are alike: not the operands on which a law is measured."""
    low, high = operator.activation_range
    place = np.add.outer(np.arange(9), np.arange(9)) / 16
    each = [np.abs(np.sin(place * (1 + n % 7) + n / 5)) for n in range(40 * 6)]
    return torch.from_numpy(np.rint(np.array(each) * high).clip(low, high).reshape(40, 6, 9, 9)).float()


@streams
def test_the_noise_is_about_what_exact_arithmetic_shows(operator: Operator) -> None:
    made, x = layer(operator), images(operator)
    codes, _ = made.quantised_weight()
    exact = arithmetic(operator).accumulate(x.numpy().astype(int), codes.detach().numpy().astype(int), padding=1)
    error = exact - made.accumulate(x).detach().numpy()
    error -= error.mean(axis=(0, 2, 3), keepdims=True)  # normalisation takes a channel's mean away
    ratio = error.std() / (law(operator).noise * (6 * 9) ** 0.5)
    assert 0.4 < ratio < 2.5
    assert error.std() < 0.5 * exact.std()


@streams
def test_effective_values_are_nearer_than_the_codes(operator: Operator) -> None:
    made, x = layer(operator), images(operator)
    codes, values = made.quantised_weight()
    kind = arithmetic(operator)
    exact = kind.accumulate(x.numpy().astype(int), codes.detach().numpy().astype(int))
    plain = kind.gain * F.conv2d(x, values).detach().numpy() + kind.offset * 6 * 9
    made.layer = made.layer.replace(padding=0)
    mine = made.accumulate(x).detach().numpy()
    assert np.corrcoef(mine.ravel(), exact.ravel())[0, 1] > np.corrcoef(plain.ravel(), exact.ravel())[0, 1] - 0.002


def test_noise_is_drawn_as_measured_and_again_the_same() -> None:
    operator = stochastic(8)
    x = images(operator)
    quiet = layer(operator).accumulate(x)
    first, again = (layer(operator, torch.Generator().manual_seed(3)).accumulate(x) for _ in range(2))
    assert torch.equal(first, again)
    assert (first - quiet).std().item() == pytest.approx(law(operator).noise * 54**0.5, rel=0.03)


def test_gradients_are_those_of_the_ideal_sum() -> None:
    operator = stochastic(64)
    made, x = layer(operator), images(operator).requires_grad_()
    made.accumulate(x).sum().backward()
    values = made.quantised_weight()[1].detach()
    wanted = torch.nn.grad.conv2d_input(x.shape, values, torch.ones(40, 5, 9, 9), padding=1) * arithmetic(operator).gain
    assert torch.corrcoef(torch.stack([x.grad.ravel(), wanted.ravel()]))[0, 1] > 0.999
    assert made.weight.grad.abs().min() > 0


def test_linear_operators_are_computed_as_they_are() -> None:
    made = layer(integer(4), torch.Generator())
    x = images(integer(4))
    codes, _ = made.quantised_weight()
    np.testing.assert_array_equal(made.accumulate(x).detach().numpy(), F.conv2d(x, codes, padding=1).numpy())


def test_lanes_joined_by_or_saturate() -> None:
    operator = stochastic(64, adder="or")
    made, x = layer(operator), images(operator)
    codes, _ = made.quantised_weight()
    exact = arithmetic(operator).accumulate(x.numpy().astype(int), codes.detach().numpy().astype(int), padding=1)
    found = made.accumulate(x).detach().numpy()
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.9
