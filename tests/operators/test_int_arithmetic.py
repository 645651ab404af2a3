"""The `int` operator's integers against long multiplication, bit by bit."""

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, integer
from gatewright.hw.errors import BadInput
from gatewright.sw.differentiable import convolve, quantise_weight
from gatewright.sw.operators import accumulate, arithmetic, pack_activations, pack_weights, product, unused_product, unused_weight_bits
from tests.operators.arithmetic_checks import check_products, check_sums, check_torch, check_value

OPERATORS = [integer(2), integer(3, 5), integer(4, signed=True), integer(8, 2), integer(2, 8, signed=True), integer(8)]
named = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


def long_multiplication(operator: Operator, a: int, w: int) -> int:
    """Add the activation shifted by each weight bit; the top bit of two's complement counts negatively."""
    bits = format(w % (1 << operator.weight_bits), f"0{operator.weight_bits}b")
    total = -(a << (operator.weight_bits - 1)) if bits[0] == "1" else 0
    for place, bit in enumerate(reversed(bits[1:])):
        if bit == "1":
            total += a << place
    return total


@named
def test_products(operator: Operator) -> None:
    half = 1 << (operator.weight_bits - 1)
    check_products(operator, range(-half, half), long_multiplication)


@named
def test_sums_with_zero_outside(operator: Operator) -> None:
    check_sums(operator, long_multiplication, outside=0)


@named
def test_torch(operator: Operator) -> None:
    check_torch(operator)


@named
def test_value(operator: Operator) -> None:
    check_value(operator, 0)


def test_sums_beyond_float32() -> None:
    x = np.full((1, 4096, 1, 1), 255)
    weights = np.full((1, 4096, 1, 1), 127)
    weights[0, 0] = 126
    assert accumulate(integer(8), x, weights).item() == 4096 * 255 * 127 - 255


def test_torch_is_exact_beyond_float32_when_asked() -> None:
    made = arithmetic(integer(8))
    x = torch.full((1, 4097, 1, 1), 255.0)
    x[0, 0] = 254
    codes, values = quantise_weight(made, torch.ones(1, 4097, 1, 1))
    assert int(codes.min()) == 127
    assert convolve(made, x, codes, values, 1, 0, exact=True).item() == 4097 * 255 * 127 - 127


def test_the_most_negative_weight_is_legal() -> None:
    assert accumulate(integer(4), np.full((1, 2, 1, 1), 15), np.full((1, 2, 1, 1), -8)).item() == -240


def test_packing() -> None:
    operator = integer(3, signed=True)  # 3 bits in a lane of 4
    np.testing.assert_array_equal(pack_activations(operator, np.array([-4, -1, 0, 3])), [0b1100, 0b1111, 0, 3])
    np.testing.assert_array_equal(pack_weights(operator, np.array([-4, -1, 0, 3])) & 0b111, [0b100, 0b111, 0, 3])
    assert (unused_weight_bits(operator), unused_product(operator)) == (0, 0)


def test_codes_out_of_range_are_refused() -> None:
    with pytest.raises(BadInput, match="int4 activation codes go from 0 to 15; got 16"):
        product(integer(4), np.array([16]), np.array([0]))
    with pytest.raises(BadInput, match="int4 weight codes go from -8 to 7; got -9"):
        product(integer(4), np.array([1]), np.array([-9]))
    with pytest.raises(BadInput, match="must be integers; got float64"):
        product(integer(4), np.array([1.0]), np.array([0]))


def test_training_weights_are_symmetric() -> None:
    assert arithmetic(integer(4)).weight_range == (-7, 7)
