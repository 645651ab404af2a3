"""The `binary_weight` lanes against their arithmetic: all words at small widths, all pairs of codes in every lane, random words."""

import pytest

from gatewright.hw.config import Operator, binary_weight
from tests.operators.circuits import Bench, Circuit, every_word, mutant, wide


def small(operator: Operator) -> Circuit:
    return Circuit(operator, 8, every_word(8, 8 // operator.width))


CIRCUITS = [
    *(small(binary_weight(bits, signed=signed)) for bits in (2, 3, 4, 8) for signed in (False, True)),
    wide(binary_weight(8), 32),
    *(wide(operator, 64) for operator in (binary_weight(5, signed=True), binary_weight(2), binary_weight(8, signed=True))),
]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(CIRCUITS)


@pytest.mark.parametrize("i", range(len(CIRCUITS)), ids=lambda i: CIRCUITS[i].name)
def test_sums(bench: Bench, i: int) -> None:
    bench.check(i)


def test_a_mutant_is_caught(bench: Bench) -> None:
    """One sum of a population count loses a bit."""
    assert (mutant(bench, " ^ ", " | ").sums != bench.sums).any()
