"""The `int` lanes against their arithmetic: all words at small widths, all pairs of codes in every lane at 8 bits, random words at 64."""

import pytest

from gatewright.hw.config import integer
from tests.operators.circuits import Bench, mutant, small, wide

CIRCUITS = [
    *(small(integer(n, m, signed=s), integer(n, m).width) for n in (2, 3, 4) for m in (2, 3, 4) for s in (False, True)),  # one lane
    *(small(operator, 8) for operator in (integer(3), integer(4), integer(4, signed=True), integer(2, 4), integer(4, 3, signed=True))),
    small(integer(2, signed=True), 4),
    *(wide(operator, 32) for operator in (integer(8), integer(8, 3))),
    *(wide(operator, 64) for operator in (integer(8, signed=True), integer(5, 7), integer(3, 8, signed=True), integer(2))),
]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(CIRCUITS)


@pytest.mark.parametrize("i", range(len(CIRCUITS)), ids=lambda i: CIRCUITS[i].name)
def test_sums(bench: Bench, i: int) -> None:
    bench.check(i)


def test_a_mutant_is_caught(bench: Bench) -> None:
    """One multiplication becomes an addition."""
    assert (mutant(bench, " * ", " + ").sums != bench.sums).any()
