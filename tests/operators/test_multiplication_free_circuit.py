"""The `multiplication_free` lanes against their arithmetic: all words at small widths, all pairs of codes in every lane, random words."""

import pytest

from gatewright.hw.config import Operator, multiplication_free
from tests.operators.circuits import Bench, mutant, small, wide


def kinds(weight_bits: int, activation_bits: int) -> list[Operator]:
    """Both variants with both signs of zero, activations signed or not."""
    return [
        multiplication_free(variant, weight_bits, activation_bits, signed=signed, zero_sign=zero)
        for variant in ("l1", "mfnet")
        for zero in (0, 1)
        for signed in (False, True)
    ]


CIRCUITS = [
    *(small(operator, operator.width) for n, m in ((2, 2), (3, 4)) for operator in kinds(n, m)),  # one lane
    *(small(operator, 8) for operator in kinds(8, 8)),
    *(small(operator, 8) for operator in kinds(4, 3)[::3]),  # two lanes
    *(wide(operator, bits) for operator, bits in zip(kinds(3, 8)[1::3], (32, 64, 32), strict=False)),
    *(wide(operator, 64) for operator in kinds(8, 8)[::3]),
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
