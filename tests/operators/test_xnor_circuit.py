"""The XNOR lanes against their arithmetic and against the Hamming distance: all words up to 8 bits, random words of 32 and 64."""

import numpy as np
import pytest

from gatewright.hw.config import xnor
from tests.operators.circuits import Bench, Circuit, mutant, random_words, small

CIRCUITS = [
    *(small(xnor(), bits) for bits in (1, 2, 3, 8)),
    *(Circuit(xnor(), bits, random_words(np.random.default_rng(bits), 50_000)) for bits in (32, 64)),
]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(CIRCUITS)


@pytest.mark.parametrize("i", range(len(CIRCUITS)), ids=lambda i: CIRCUITS[i].name)
def test_sums(bench: Bench, i: int) -> None:
    bench.check(i)
    bits, (a, w) = CIRCUITS[i].bits, CIRCUITS[i].words
    distance = np.bitwise_count((a ^ w) & np.uint64((1 << bits) - 1))
    np.testing.assert_array_equal(bench.sums[: len(a), i], bits - distance.astype(np.int64))


def test_a_mutant_is_caught(bench: Bench) -> None:
    assert (mutant(bench, " ^ ", " | ").sums != bench.sums).any()
