"""The `stochastic` operator's counts against streams played one bit at a time, with sources written from their definition."""

from functools import cache

import numpy as np
import pytest

from gatewright.hw.config import Operator, stochastic
from gatewright.hw.errors import BadInput
from gatewright.sw.operators import arithmetic, pack_weights, product, unused_product, unused_weight_bits
from tests.operators.arithmetic_checks import check_products, check_sums, check_torch, check_value

SMALL = [stochastic(16, "sign_magnitude", "sobol", 4), stochastic(8, "bipolar", "sobol", 3)]
SMALL += [stochastic(24, "sign_magnitude", "lfsr", 4), stochastic(64, "bipolar", "lfsr", 5)]
SMALL += [stochastic(4, coding, source, 4) for coding in ("sign_magnitude", "bipolar") for source in ("sobol", "lfsr")]
LARGE = [stochastic(64), stochastic(256, "bipolar"), stochastic(64, "bipolar", "lfsr"), stochastic(512, "sign_magnitude", "lfsr", 6)]
named = pytest.mark.parametrize("operator", SMALL + LARGE, ids=lambda operator: operator.name)

# Exponents of maximal-length feedback polynomials (Xilinx XAPP 052), highest first.
POLYNOMIALS = {2: (2, 1), 3: (3, 2), 4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4)}


@cache
def numbers(source: str, bits: int, weight_side: bool, length: int) -> tuple[int, ...]:
    if source == "sobol" and not weight_side:
        return tuple(int(format(t % 2**bits, f"0{bits}b")[::-1], 2) for t in range(length))
    if source == "sobol":
        direction = 2 ** (bits - 1)
        values = [0]
        for _ in range(bits):  # the points of index 2**i .. 2**(i + 1) - 1 are those before them, each XOR the direction number
            values += [value ^ direction for value in values]
            direction ^= direction >> 1
        return tuple(values[t % 2**bits] for t in range(length))
    exponents = POLYNOMIALS[bits]
    taps = [bits, *(bits - e for e in exponents[1:])] if weight_side else exponents
    register, values = [0] * (bits - 1) + [1], []  # most significant bit first
    for _ in range(length):
        values.append(int("".join(map(str, register)), 2) - 1)
        feedback = sum(register[bits - tap] for tap in taps) % 2
        register = [*register[1:], feedback]
    return tuple(values)


def streams(operator: Operator, a: int, w: int) -> int:
    bits_a, bits_w, length = operator.activation_bits, operator.weight_bits, operator.stream_length or 0
    source = operator.source or ""
    if operator.coding == "bipolar":
        play_a, play_w = numbers(source, bits_a, False, length), numbers(source, bits_w, True, length)
        a, w = a + 2 ** (bits_a - 1), w + 2 ** (bits_w - 1)
        return sum((a > x) == (w > y) for x, y in zip(play_a, play_w, strict=True))
    play_a, play_w = numbers(source, bits_a, False, length), numbers(source, bits_w - 1, True, length)
    count = sum(a > x and abs(w) > y for x, y in zip(play_a, play_w, strict=True))
    return -count if w < 0 else count


@pytest.mark.parametrize("operator", SMALL, ids=lambda operator: operator.name)
def test_every_product(operator: Operator) -> None:
    half = 1 << (operator.weight_bits - 1)
    check_products(operator, range(-half if operator.coding == "bipolar" else 1 - half, half), streams)


@pytest.mark.parametrize("operator", LARGE, ids=lambda operator: operator.name)
def test_random_products(operator: Operator) -> None:
    rng = np.random.default_rng(7)
    low, high = operator.activation_range
    a = rng.integers(low, high + 1, 500)
    w = rng.integers(*arithmetic(operator).weight_range, 500, endpoint=True)
    expected = [streams(operator, int(x), int(y)) for x, y in zip(a, w, strict=True)]
    np.testing.assert_array_equal(product(operator, a, w), expected)


@named
def test_sums_with_code_zero_outside(operator: Operator) -> None:
    check_sums(operator, streams, outside=0)


@named
def test_torch(operator: Operator) -> None:
    check_torch(operator)


@pytest.mark.parametrize(
    ("operator", "per_product"),
    [(stochastic(256), 2.0), (stochastic(64), 2.0), (stochastic(256, "bipolar"), 2.0), (stochastic(256, "bipolar", "lfsr"), 12.0)],
    ids=lambda value: getattr(value, "name", None),
)
def test_value_is_near_the_dot_product(operator: Operator, per_product: float) -> None:
    check_value(operator, per_product)


def test_zero_is_silent_in_sign_magnitude_and_half_in_bipolar() -> None:
    weights = np.arange(-127, 128)
    assert not product(stochastic(64), np.zeros(1, dtype=int), weights).any()
    agreed = product(stochastic(256, "bipolar"), np.zeros(1, dtype=int), weights)
    assert np.abs(agreed - 128).max() <= 4


def test_unused_lanes() -> None:
    bipolar = stochastic(64, "bipolar", "lfsr")
    assert (unused_weight_bits(stochastic(64)), unused_product(stochastic(64))) == (0, 0)
    assert unused_weight_bits(bipolar) == 0
    assert unused_product(bipolar) == streams(bipolar, 0, 0)


def test_packing_of_sign_magnitude() -> None:
    np.testing.assert_array_equal(pack_weights(stochastic(64), np.array([-127, -1, 0, 1, 127])), [255, 129, 0, 1, 127])
    with pytest.raises(BadInput, match="weight codes go from -127 to 127; got -128"):
        pack_weights(stochastic(64), np.array([-128]))


def test_packing_of_bipolar() -> None:
    np.testing.assert_array_equal(pack_weights(stochastic(64, "bipolar"), np.array([-128, -1, 0, 127])), [128, 255, 0, 127])
