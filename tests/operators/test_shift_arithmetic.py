"""The `shift` operator's integers against doubling, once for each step of the exponent."""

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, integer, shift
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.differentiable import quantise_weight
from gatewright.sw.operators import accumulate, arithmetic, pack_weights, product, unused_product, unused_weight_bits
from tests.operators.arithmetic_checks import check_products, check_sums, check_torch, check_value

OPERATORS = [shift(2, 2), shift(3, 5, signed=True), shift(4, exponents=6), shift(), shift(signed=True), shift(6, 3, exponents=17)]
parametrise = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


def doubling(operator: Operator, a: int, w: int) -> int:
    """Codes from 0 double the activation so many times; below, -1 negates it, and each step further doubles that."""
    total, times = (a, w) if w >= 0 else (-a, -1 - w)
    for _ in range(times):
        total += total
    return total


@parametrise
def test_products(operator: Operator) -> None:
    exponents = operator.exponents or 0
    check_products(operator, range(-exponents, exponents), doubling)


@parametrise
def test_sums_with_zero_outside(operator: Operator) -> None:
    check_sums(operator, doubling, outside=0)


@parametrise
def test_torch(operator: Operator) -> None:
    check_torch(operator)


@parametrise
def test_value(operator: Operator) -> None:
    check_value(operator, 0)


@parametrise
def test_the_name_names_it(operator: Operator) -> None:
    assert operator_named(operator.name) == operator


def test_names() -> None:
    assert [operator.name for operator in OPERATORS] == ["shift2x2", "shift3x5s", "shift4x8e6", "shift5x8", "shift5x8s", "shift6x3e17"]
    assert operator_named("shift5x8e16") == shift()


def test_exponents_default_to_all_that_the_weight_can_name() -> None:
    assert Operator(kind="shift", weight_bits=5, activation_bits=8) == shift(5, 8, exponents=16)
    assert Operator(kind="shift", weight_bits=3, activation_bits=8).exponents == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight_bits": 7}, "activations of 2 to 8 bits; got 7 and 8"),
        ({"weight_bits": 1}, "shift takes weights of 2 to 6 bits, a sign and an exponent, and activations of 2 to 8 bits; got 1 and 8"),
        ({"activation_bits": 9}, "got 5 and 9"),
        ({"exponents": 17}, "exponents must be from 2 to 16 with 5-bit weights; got 17"),
        ({"exponents": 1}, "exponents must be from 2 to 16 with 5-bit weights; got 1"),
        ({"zero_sign": 1}, "zero_sign cannot be given with kind 'shift'"),
    ],
)
def test_other_operators_are_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Operator(**{"kind": "shift", "weight_bits": 5, "activation_bits": 8} | fields)


def test_a_shift_has_no_meaning_for_other_kinds() -> None:
    with pytest.raises(BadInput, match="exponents cannot be given with kind 'int'"):
        integer(8).replace(exponents=4)


def test_packing() -> None:
    """The sign on top, 1 for negative weights, and the exponent below."""
    np.testing.assert_array_equal(pack_weights(shift(4), np.array([0, 7, -1, -8])), [0b0000, 0b0111, 0b1000, 0b1111])
    assert (unused_weight_bits(shift()), unused_product(shift())) == (0, 0)


def test_exponents_out_of_use_are_refused() -> None:
    operator = shift(4, exponents=6)
    for code in (6, -7):
        with pytest.raises(BadInput, match=f"shift4x8e6 weight codes go from -6 to 5; got {code}"):
            product(operator, np.array([1]), np.array([code]))
        with pytest.raises(BadInput, match="go from -6 to 5"):
            pack_weights(operator, np.array([code]))


def test_sums_beyond_float32() -> None:
    x, weights = np.full((1, 64, 1, 1), 255), np.full((1, 64, 1, 1), 15)
    weights[0, 0] = 0
    assert accumulate(shift(), x, weights).item() == 63 * 255 * 2**15 + 255


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_exact(dtype: torch.dtype) -> None:
    """Powers of two without rounding, in tensors long enough for vector instructions."""
    made = arithmetic(shift(6, 8))
    codes = torch.arange(-32, 32).repeat(64).to(dtype)
    expected = [-(2.0 ** (-1 - c)) if c < 0 else 2.0**c for c in range(-32, 32)] * 64
    assert made.weight_value(codes).tolist() == expected


def test_training_takes_the_nearest_power_of_two() -> None:
    """Nearest by ratio; `weight_clip` standard deviations are the greatest power, and weights beyond it are that."""
    made = arithmetic(shift(3, 8))
    latent = torch.randn(200, generator=torch.Generator().manual_seed(0))
    codes, values = quantise_weight(made, latent)
    unit = made.weight_clip * latent.std().item() / 8
    for number, code, value in zip(latent.tolist(), codes.tolist(), values.tolist(), strict=True):
        ratios = [max(abs(number) / (unit * power), unit * power / abs(number)) for power in (1, 2, 4, 8)]
        nearest = ratios.index(min(ratios))
        assert (code, value) == ((nearest, 2**nearest) if number > 0 else (-1 - nearest, -(2**nearest)))
    assert sorted(set(codes.tolist())) == list(range(-4, 4))


def test_gradients_stop_outside_the_range() -> None:
    made = arithmetic(shift(3, 8))
    latent = torch.cat([torch.full((999,), 0.1), torch.tensor([30.0])]).requires_grad_()
    values = quantise_weight(made, latent)[1]
    values.sum().backward()
    assert latent.grad is not None
    assert latent.grad[-1] == 0
    assert (latent.grad[:-1] > 0).all()
