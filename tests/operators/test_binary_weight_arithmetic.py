"""The `binary_weight` operator's integers against adding or subtracting."""

import numpy as np
import pytest

from gatewright.hw.config import Operator, binary_weight
from gatewright.hw.errors import BadInput
from gatewright.sw.operators import pack_weights, product, unused_product, unused_weight_bits
from tests.operators.arithmetic_checks import check_products, check_sums, check_torch, check_value

OPERATORS = [binary_weight(2), binary_weight(3, signed=True), binary_weight(8), binary_weight(8, signed=True)]
named = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


def add_or_subtract(operator: Operator, a: int, w: int) -> int:
    return a if w else -a


@named
def test_products(operator: Operator) -> None:
    check_products(operator, range(2), add_or_subtract)


@named
def test_sums_with_zero_outside(operator: Operator) -> None:
    check_sums(operator, add_or_subtract, outside=0)


@named
def test_torch(operator: Operator) -> None:
    check_torch(operator)


@named
def test_value(operator: Operator) -> None:
    check_value(operator, 0)


def test_unused_lanes_and_packing() -> None:
    operator = binary_weight(4)
    assert (unused_weight_bits(operator), unused_product(operator)) == (0, 0)
    np.testing.assert_array_equal(pack_weights(operator, np.array([0, 1])), [0, 1])


def test_a_weight_is_a_bit() -> None:
    with pytest.raises(BadInput, match="bw4 weight codes go from 0 to 1; got -1"):
        product(binary_weight(4), np.array([1]), np.array([-1]))
