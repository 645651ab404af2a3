"""Floating-point circuits against NumPy, and NumPy against exact fractions."""

import re

import numpy as np
import pytest

from gatewright.hw.operators.float import FORMATS
from tests.operators.floats import TINY, Bench, Triples, Unit, add, every_triple, multiply, multiply_add, naive, random_triples, special

NAMES = tuple(FORMATS)
PLAIN = [Unit(form) for form in FORMATS.values()]
PIPELINED = [Unit(FORMATS["fp16"], stages) for stages in (1, 2)]
ACCUMULATING = [Unit(form, stages, accumulate=True) for form in FORMATS.values() for stages in (0, 1)]
UNITS = [*PLAIN, Unit(TINY), *PIPELINED, *ACCUMULATING]
RANDOM = 100_000
THOROUGH, PART = 10_000_000, 500_000

by_format = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def triples() -> list[Triples]:
    """Per unit; accumulators take ordinary numbers, valid in seven cycles of eight and cleared in one of sixteen."""
    made = []
    for unit in UNITS:
        rng = np.random.default_rng(unit.form.width + unit.stages)
        if unit.form == TINY:
            made.append(every_triple(np.arange(1 << TINY.width, dtype=np.uint64)))
        elif unit.accumulate:
            a, b, _ = random_triples(unit.form, 6 * 2000, rng)
            valid, clear = rng.random(len(a)) < 7 / 8, rng.random(len(a)) < 1 / 16
            made.append((a, b, valid + 2 * clear.astype(np.uint64)))
        else:
            parts = random_triples(unit.form, RANDOM, rng), every_triple(special(unit.form))
            made.append(tuple(np.concatenate(sides) for sides in zip(*parts, strict=True)))
    return made


@pytest.fixture(scope="module")
def results(triples: list[Triples]) -> list[np.ndarray]:
    return Bench(UNITS).play(triples)


@by_format
def test_the_oracle_is_exact(name: str) -> None:
    """NumPy's arithmetic on a sample of every kind, against fractions rounded by definition."""
    form = FORMATS[name]
    chosen = [every_triple(special(form)), random_triples(form, 1200, np.random.default_rng(1))]
    a, b = (np.concatenate([chosen[0][side][:: 3 * len(special(form)) - 1], chosen[1][side]]) for side in (1, 2))
    for operation, numpy_says in (("*", multiply(form, a, b)), ("+", add(form, a, b))):
        expected = [naive(form, operation, int(x), int(y)) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(numpy_says, np.array(expected, dtype=np.uint64))


@by_format
def test_multiply_add(name: str, triples: list[Triples], results: list[np.ndarray]) -> None:
    """Random triples of every kind, and every combination of special numbers."""
    i = NAMES.index(name)
    np.testing.assert_array_equal(results[i], multiply_add(FORMATS[name], triples[i]))


def test_every_triple_of_a_tiny_format(triples: list[Triples], results: list[np.ndarray]) -> None:
    """All 262,144, with three bits of exponent and two of mantissa, by definition."""
    every = range(1 << TINY.width)
    products, sums = (np.array([[naive(TINY, op, x, y) for y in every] for x in every], dtype=np.uint64) for op in "*+")
    a, b, c = triples[len(PLAIN)]
    np.testing.assert_array_equal(results[len(PLAIN)], sums[products[a, b], c])


@pytest.mark.parametrize("i", range(len(PIPELINED)))
def test_latency_and_throughput(i: int, triples: list[Triples], results: list[np.ndarray]) -> None:
    """A result every cycle, `stages` cycles after its operands."""
    unit, at = PIPELINED[i], len(PLAIN) + 1 + i
    np.testing.assert_array_equal(results[at][unit.stages :], multiply_add(unit.form, triples[at])[: -unit.stages])


@pytest.mark.parametrize("i", range(len(ACCUMULATING)), ids=lambda i: f"{NAMES[i // 2]}-{i % 2}")
def test_accumulate(i: int, triples: list[Triples], results: list[np.ndarray]) -> None:
    unit, at = ACCUMULATING[i], len(UNITS) - len(ACCUMULATING) + i
    a, b, control = triples[at]
    products = multiply(unit.form, a, b)[: len(a) - unit.stages]
    total, zero = np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    expected = [total] * (1 + unit.stages)  # as after reset
    for value, (valid, clear) in zip(products, np.stack([control & 1, control >> 1], axis=1)[unit.stages :], strict=True):
        total = add(unit.form, zero if clear else total, value[None]) if valid else total
        expected.append(total)
    # A registered product is +0 in the first cycle, whatever `valid` says: the total stays +0.
    np.testing.assert_array_equal(results[at], np.concatenate(expected)[: len(a)])


MUTANTS = {
    "ties away from zero": (r"(assign up = \S+ \[\d+\]) & \S+ ?;", r"\1;"),
    "never up": (r"assign up = [^;]*;", "assign up = 1'h0;"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name: str) -> None:
    bench = Bench([Unit(FORMATS["fp16"])])
    verilog, found = re.subn(*MUTANTS[name], bench.verilog)
    assert found == 2  # the multiplier's rounder and the adder's
    triple = random_triples(FORMATS["fp16"], 6000, np.random.default_rng(0))
    expected = multiply_add(FORMATS["fp16"], triple)
    np.testing.assert_array_equal(bench.play([triple])[0], expected)
    assert (Bench(bench.units, verilog).play([triple])[0] != expected).any()


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_ten_million_triples_of_each_format() -> None:
    bench = Bench(PLAIN)
    for part in range(THOROUGH // PART):
        given = [random_triples(unit.form, PART, np.random.default_rng((part, unit.form.exponent_bits))) for unit in PLAIN]
        for unit, triple, result in zip(PLAIN, given, bench.play(given), strict=True):
            np.testing.assert_array_equal(result, multiply_add(unit.form, triple), err_msg=f"{unit.form}, part {part}")
