"""The `float` operator: its rules and names, and its arithmetic against NumPy's and against exact fractions."""

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, Operator, floating, integer
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.operators.float import FORMATS, form
from gatewright.sw.operators import arithmetic
from gatewright.sw.operators.float import Float, floats
from tests.operators.floats import TINY, add, every_triple, multiply, naive, number, random_triples, special

by_format = pytest.mark.parametrize("operator", [floating(name) for name in ("fp32", "fp16", "bf16")], ids=lambda operator: operator.name)


@by_format
def test_names(operator: Operator) -> None:
    assert operator_named(operator.name) == operator
    assert operator_named(operator.name).number_format == operator.name
    assert operator.width == form(operator).width == operator.weight_bits


def test_rules() -> None:
    with pytest.raises(BadInput, match="fp16 has weight_bits = activation_bits = 16, signed"):
        floating("fp16").replace(weight_bits=8)
    with pytest.raises(BadInput, match="kind 'float' needs number_format"):
        Operator(kind="float", weight_bits=16, activation_bits=16, activation_signed=True)
    with pytest.raises(BadInput, match="fp32 is measured as a block of its own and cannot run on a grid"):
        AcceleratorConfig(rows=2, cols=2, operators=(integer(8), floating("fp32")))
    with pytest.raises(BadInput, match="no arithmetic for kind 'float'"):
        arithmetic(floating("fp32"))
    with pytest.raises(BadInput, match="int8 is not a floating-point operator"):
        floats(integer(8))


@by_format
def test_the_same_formats_as_the_circuits(operator: Operator) -> None:
    mine, circuit = floats(operator), form(operator)
    assert (mine.bias, mine.infinity, mine.nan) == (circuit.bias, circuit.infinity, circuit.nan)


@by_format
def test_against_numpy(operator: Operator) -> None:
    made, circuit = floats(operator), form(operator)
    parts = random_triples(circuit, 60_000, np.random.default_rng(3)), every_triple(special(circuit))
    a, b, c = (np.concatenate(sides) for sides in zip(*parts, strict=True))
    products = multiply(circuit, a, b)
    np.testing.assert_array_equal(made.multiply(a, b), products)
    np.testing.assert_array_equal(made.multiply_add(a, b, c), add(circuit, products, c))


def test_every_pair_of_a_tiny_format() -> None:
    made = Float(TINY.exponent_bits, TINY.mantissa_bits)
    every = np.arange(1 << TINY.width, dtype=np.uint64)
    for operation, result in (("*", made.multiply), ("+", made.add)):
        expected = [[naive(TINY, operation, int(x), int(y)) for y in every] for x in every]
        np.testing.assert_array_equal(result(every[:, None], every[None, :]), expected)


@by_format
def test_values_and_sums(operator: Operator) -> None:
    """Decoded bits are NumPy's values; sums are NumPy's, one product after the other."""
    made, circuit = floats(operator), form(operator)
    bits = np.arange(0, 1 << circuit.width, 1 << (circuit.width - 16), dtype=np.uint64)
    with np.errstate(invalid="ignore"):  # signalling NaN
        np.testing.assert_array_equal(made.decode(bits), number(circuit, bits).astype(np.float64))
    rng = np.random.default_rng(4)
    a, b = (made.encode(rng.normal(0, 1, (50, 8))) for _ in range(2))
    total = np.zeros(8, dtype=np.uint64)
    for products in multiply(circuit, a, b):
        total = add(circuit, total, products)
    np.testing.assert_array_equal(made.accumulate(a, b), total)


def test_the_formats_are_all_there() -> None:
    assert set(FORMATS) == {"fp32", "fp16", "bf16"}
