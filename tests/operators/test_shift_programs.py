"""The `shift` operator in whole networks: trained, in integers, on RTL, and refused where its sums are too wide."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, Operator, shift
from gatewright.hw.errors import BadInput
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer
from gatewright.sw.mapping import Mapping
from gatewright.sw.program import lower
from tests.operators.whole_programs import MIXED, check_rtl, check_training


@pytest.mark.parametrize(("operator", "widths", "least"), [(shift(), (8, 16), 0.93), (shift(4, 4), (32,), 0.92)])
def test_digits(operator: Operator, widths: tuple[int, ...], least: float) -> None:
    check_training(operator, widths, least, epochs=6)


def test_random_programs_on_rtl() -> None:
    check_rtl(MIXED.operators[:2], programs=30)


def layer(code: int) -> IntegerLayer:
    """One channel of 256 equal weights."""
    one = np.ones(1, dtype=np.int64)
    weights = np.full((1, 256, 1, 1), code, dtype=np.int16)
    shape = Layer(name="wide", operator=shift(), C=256, K=1)
    return IntegerLayer(layer=shape, weights=weights, bias=0 * one, multiplier=one, shift=one, mode="raw")


def test_sums_that_overflow_are_refused() -> None:
    """256 activations of 255 by 2**15 need 32 bits with a sign; by 2**14 they need 31."""
    config = MIXED.replace(accumulator_bits=31)
    lower(IntegerNetwork(name="fits", layers=(layer(14),)), config, (Mapping(),))
    message = r"Layer wide: sums between 0 and 2139095040 do not fit accumulators of 31 bits. Give the accelerator at least 32"
    with pytest.raises(BadInput, match=message):
        lower(IntegerNetwork(name="overflows", layers=(layer(15),)), config, (Mapping(),))
    lower(IntegerNetwork(name="fits", layers=(layer(15),)), MIXED, (Mapping(),))


def test_a_program_with_an_exponent_out_of_use_is_refused() -> None:
    few = shift(exponents=8)
    config = AcceleratorConfig(rows=1, cols=2, operators=(few,), accumulator_bits=32)
    made = layer(8)
    made = replace(made, layer=made.layer.replace(operator=few))
    with pytest.raises(BadInput, match="shift5x8e8 weight codes go from -8 to 7; got 8"):
        lower(IntegerNetwork(name="illegal", layers=(made,)), config, (Mapping(),))
