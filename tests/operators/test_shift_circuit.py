"""The `shift` lanes against their arithmetic: all words at small widths, all pairs of codes in every lane, random words."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.hw.config import shift
from tests.operators.circuits import Bench, Circuit, mutant, small, wide


def legal(circuit: Circuit) -> Circuit:
    """Words with every lane's exponent, those out of use too, taken modulo the number in use."""
    operator, (activations, weights) = circuit.operator, circuit.words
    below, exponents = np.uint64((1 << (operator.weight_bits - 1)) - 1), np.uint64(operator.exponents or 0)
    for lane in range(circuit.bits // operator.width):
        place = np.uint64(lane * operator.weight_width)
        exponent = (weights >> place) & below
        weights = (weights & ~(below << place)) | (exponent % exponents) << place
    return replace(circuit, words=(activations, weights))


TRIED = [
    *(small(shift(n, m, signed=s), shift(n, m).width) for n, m in ((2, 2), (3, 4), (4, 3)) for s in (False, True)),  # one lane
    *(small(operator, 8) for operator in (shift(), shift(signed=True), shift(3, 4), shift(4, 3, exponents=5, signed=True))),
    *(small(operator, 8) for operator in (shift(5, exponents=13), shift(6, 4, exponents=24), shift(4, 8, exponents=2))),
    *(wide(operator, 32) for operator in (shift(), shift(6, 7, exponents=17, signed=True))),
    *(wide(operator, 64) for operator in (shift(signed=True), shift(4, exponents=6), shift(4, 4), shift(2, 2))),
]
CIRCUITS = [legal(circuit) for circuit in TRIED]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(CIRCUITS)


@pytest.mark.parametrize("i", range(len(CIRCUITS)), ids=lambda i: CIRCUITS[i].name)
def test_sums(bench: Bench, i: int) -> None:
    bench.check(i)


def test_a_mutant_is_caught(bench: Bench) -> None:
    """A level of a shifter that never shifts."""
    assert (mutant(bench, " ? ", " & 0 ? ").sums != bench.sums).any()
