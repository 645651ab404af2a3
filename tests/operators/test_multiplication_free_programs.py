"""The `multiplication_free` operator in whole networks: trained, in integers, on RTL, and refused where its sums are too wide."""

import numpy as np
import pytest

from gatewright.hw.config import Operator, multiplication_free
from gatewright.hw.errors import BadInput
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer
from gatewright.sw.mapping import Mapping
from gatewright.sw.program import lower
from tests.operators.whole_programs import MIXED, check_rtl, check_training

TRAINED = [
    (multiplication_free("l1"), (32,), 0.9),
    (multiplication_free("mfnet", signed=True), (32,), 0.9),
    (multiplication_free("mfnet", zero_sign=0), (8, 16), 0.92),
]


@pytest.mark.parametrize(("operator", "widths", "least"), TRAINED)
def test_digits(operator: Operator, widths: tuple[int, ...], least: float) -> None:
    check_training(operator, widths, least, epochs=8)


def test_random_programs_on_rtl() -> None:
    check_rtl(MIXED.operators[2:4], programs=30)


def test_sums_that_overflow_are_refused() -> None:
    """Ten activations of 255 and weights of 127 reach 3820, more than 12 bits hold with a sign."""
    one, operator = np.ones(1, dtype=np.int64), MIXED.operators[2]
    layer = IntegerLayer(
        layer=Layer(name="wide", operator=operator, C=10, K=1),
        weights=np.full((1, 10, 1, 1), 127, dtype=np.int16),
        bias=0 * one,
        multiplier=one,
        shift=one,
        mode="raw",
    )
    network = IntegerNetwork(name="sums", layers=(layer,))
    lower(network, MIXED.replace(accumulator_bits=13), (Mapping(),))
    with pytest.raises(BadInput, match=r"sums between 0 and 3820 do not fit accumulators of 12 bits. Give the accelerator at least 13"):
        lower(network, MIXED.replace(accumulator_bits=12), (Mapping(),))
