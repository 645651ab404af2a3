"""The `xnor` operator's counts against the product of signs, and what padding means where there is no zero."""

import numpy as np
import pytest

from gatewright.hw.config import Operator, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.operators import accumulate, product, unused_product, unused_weight_bits, value
from tests.operators.arithmetic_checks import check_products, check_sums, check_torch, check_value


def equal_signs(operator: Operator, a: int, w: int) -> int:
    return 1 if (1 if a else -1) * (1 if w else -1) == 1 else 0


def test_products() -> None:
    check_products(xnor(), range(2), equal_signs)


def test_sums_with_minus_one_outside() -> None:
    check_sums(xnor(), equal_signs, outside=0)


def test_padding_is_minus_one_and_not_zero() -> None:
    ones = np.ones((1, 1, 1, 1), dtype=np.int64)
    kernel = np.ones((1, 1, 3, 3), dtype=np.int64)  # nine weights of +1 see one +1 and eight paddings
    counted = accumulate(xnor(), ones, kernel, padding=1)
    assert value(xnor(), counted, 9).item() == 1 - 8


def test_torch() -> None:
    check_torch(xnor())


def test_value() -> None:
    check_value(xnor(), 0)


def test_an_unused_lane_counts_nothing() -> None:
    assert unused_weight_bits(xnor()) == 1
    assert unused_product(xnor()) == 0


def test_codes_are_bits() -> None:
    with pytest.raises(BadInput, match="xnor activation codes go from 0 to 1; got -1"):
        product(xnor(), np.array([-1]), np.array([1]))
