"""Stochastic encoders, sources and lanes against their arithmetic: every pair of codes in every lane, and the sources number by number."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from gatewright.hw.config import Operator, stochastic
from gatewright.hw.stochastic.numbers import TAPS, Side, sequence
from gatewright.hw.stochastic.sources import NumberSource
from tests.operators.circuits import Bench, Circuit, every_word, mutant, random_words, wide

CODINGS = [(coding, source) for coding in ("sign_magnitude", "bipolar") for source in ("sobol", "lfsr")]
MIXED = [
    Operator(kind="stochastic", weight_bits=4, activation_bits=8, stream_length=64, coding="sign_magnitude", source="lfsr"),
    Operator(kind="stochastic", weight_bits=8, activation_bits=5, stream_length=8, coding="sign_magnitude", source="sobol"),
]


CIRCUITS = [
    *(Circuit(stochastic(n, *c, bits=b), 8, every_word(8, 8)) for c in CODINGS for b, n in ((3, 4), (3, 8), (4, 4), (4, 16), (4, 40))),
    *(Circuit(stochastic(4, coding, "counter", b), 8, every_word(8, 8)) for coding in ("sign_magnitude", "bipolar") for b in (3, 4)),
    *(wide(operator, 32, 1000) for operator in (*(stochastic(64, *coding) for coding in CODINGS), *MIXED)),
    *(Circuit(stochastic(64, coding), 64, random_words(np.random.default_rng(64), 2000)) for coding in ("sign_magnitude", "bipolar")),
]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(CIRCUITS)


@pytest.mark.parametrize("i", range(len(CIRCUITS)), ids=lambda i: CIRCUITS[i].name)
def test_sums(bench: Bench, i: int) -> None:
    bench.check(i)


def test_a_mutant_is_caught() -> None:
    """One comparison of a stream generator loses its equality."""
    bench = Bench([case for case in CIRCUITS if case.operator == stochastic(16, source="lfsr", bits=4)])
    bench.check(0)
    assert (mutant(bench, " >= ", " > ").sums != bench.sums).any()


PERIOD = 1e-6


def played(source: NumberSource, restarts: int) -> list[list[int]]:
    """The numbers a source's circuit gives from each restart to the next."""
    rounds: list[list[int]] = []

    async def bench(context: object) -> None:
        context.set(source.advance, 1)
        for _ in range(restarts):
            rounds.append([])
            for step in range(source.steps):
                context.set(source.step, step)
                rounds[-1] += [context.get(number) for number in source.numbers]
                await context.delay(PERIOD)

    simulator = Simulator(source)
    simulator.add_clock(PERIOD, if_exists=True)  # Sobol numbers need none
    simulator.add_testbench(bench)
    simulator.run()
    return rounds


@pytest.mark.parametrize("kind", ["sobol", "lfsr"])
@pytest.mark.parametrize("side", ["activation", "weight"])
@pytest.mark.parametrize("bits", range(2, 9))
def test_the_sources_circuit_plays_its_sequence(kind: str, side: Side, bits: int) -> None:
    """Two restarts, more than a period each. A linear feedback register's circuit shows its state, one more than the number."""
    width, offset = 4, kind == "lfsr"
    length = (1 << bits) + 8
    numbers = [number + offset for number in sequence(kind, bits, side, length)]
    assert played(NumberSource(kind, bits, side, width, length // width), 2) == [numbers, numbers]


@pytest.mark.parametrize("side", ["activation", "weight"])
@pytest.mark.parametrize("bits", sorted(TAPS))
def test_sequences_have_every_number(side: Side, bits: int) -> None:
    """Sobol numbers: each once in 2**bits. Registers: each but the greatest once in 2**bits - 1, the period."""
    assert sorted(sequence("sobol", bits, side, 1 << bits)) == list(range(1 << bits))
    period = (1 << bits) - 1
    numbers = sequence("lfsr", bits, side, 2 * period)
    assert sorted(numbers[:period]) == list(range(period))
    assert numbers[:period] == numbers[period:]


def test_sobol_numbers_by_hand() -> None:
    """The first points of the two-dimensional sequence (Bratley and Fox 1988), in eighths."""
    assert sequence("sobol", 3, "activation", 8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert sequence("sobol", 3, "weight", 8) == [0, 4, 6, 2, 5, 1, 3, 7]
