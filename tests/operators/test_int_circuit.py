"""The `int` lanes against their arithmetic: all words at small widths, all pairs of codes in every lane at 8 bits, random words at 64."""

import numpy as np
import pytest

from gatewright.hw.config import Operator, integer
from tests.operators.circuits import Bench, Circuit, every_pair_in_every_lane, every_word, joined, mutant, random_words


def small(operator: Operator, bits: int) -> Circuit:
    return Circuit(operator, bits, every_word(bits, bits))


def wide(operator: Operator, bits: int) -> Circuit:
    rng = np.random.default_rng(bits)
    return Circuit(operator, bits, joined(every_pair_in_every_lane(operator, bits, rng), random_words(rng, 20_000)))


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
