"""Every block of the stochastic library against its vectorised model, cycle by cycle; small wrongs are noticed."""

import gc

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.hw.stochastic.carry_adder import CarryAdder
from gatewright.hw.stochastic.conditional import ConditionalMultiplier
from gatewright.hw.stochastic.generator import StreamGenerator
from gatewright.hw.stochastic.max_pool import SegmentMax
from gatewright.hw.stochastic.multiplier import Multiplier
from gatewright.hw.stochastic.mux_adder import MuxAdder
from gatewright.hw.stochastic.numbers import sobol
from gatewright.hw.stochastic.or_adder import OrAdder
from gatewright.hw.stochastic.parallel_counter import ParallelCounter
from gatewright.hw.stochastic.relu import StochasticRelu
from gatewright.hw.stochastic.sharing import Rotation, Sharing
from gatewright.hw.stochastic.tanh import StochasticTanh
from gatewright.hw.stochastic.termination import Termination
from gatewright.sw.stochastic import activate, add, multiply, pool, streams, terminate
from tests.stochastic.player import packed, play, unpacked

LENGTH = 70


def random_streams(number: int, seed: int, length: int = LENGTH) -> np.ndarray:
    """Streams of several densities, 0 and 1 among them, bool [N, L]."""
    rng = np.random.default_rng(seed)
    density = np.concatenate([[0.0, 1.0], rng.random(number)])[-number:]
    return rng.random((number, length)) < density[:, None]


PLANS = [
    Sharing("lfsr", 8, 5),
    Sharing("lfsr", 6, 8, sharing=2, rotations=(Rotation(), Rotation(3)), phase=5, first=3),
    Sharing("sobol", 5, 4),
    Sharing("sobol", 8, 7, sharing=2, rotations=(Rotation(), Rotation(mask=0b10010110), Rotation(1, 7)), phase=9),
    Sharing("counter", 6, 6, sharing=3, rotations=(Rotation(), Rotation(mask=63)), length=32),
    Sharing("counter", 4, 1, length=64),
]


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_generators(plan: Sharing) -> None:
    rng = np.random.default_rng(plan.bits)
    values = rng.integers(0, 1 << plan.bits, plan.comparators)
    expected = streams.generate(values, plan, LENGTH)
    played = play(StreamGenerator(plan), ("streams",), LENGTH, values=values.tolist())["streams"]
    np.testing.assert_array_equal(unpacked(played, plan.comparators), expected)


@pytest.mark.parametrize("wrong", [{"sharing": 4}, {"phase": 4}, {"rotations": (Rotation(), Rotation(2))}, {"first": 2}])
def test_a_generator_with_other_sharing_is_noticed(wrong: dict[str, object]) -> None:
    plan, values = PLANS[1], np.arange(10, 58, 6)
    fields = {name: getattr(plan, name) for name in plan.__dataclass_fields__}
    played = play(StreamGenerator(Sharing(**(fields | wrong))), ("streams",), 30, values=values.tolist())["streams"]
    assert (unpacked(played, 8) != streams.generate(values, plan, 30)).any()


@pytest.mark.parametrize("coding", ["unipolar", "bipolar", "sign_magnitude"])
def test_multipliers(coding: str) -> None:
    a, b, signs_a, signs_b = (random_streams(4, seed) for seed in range(4))
    block = Multiplier(coding, 4)
    signed = {"a_signs": packed(signs_a), "b_signs": packed(signs_b)} if coding == "sign_magnitude" else {}
    played = play(block, ("product", *(["signs"] if signed else [])), LENGTH, a=packed(a), b=packed(b), **signed)
    model = multiply.bipolar if coding == "bipolar" else multiply.unipolar
    np.testing.assert_array_equal(unpacked(played["product"], 4), model(a, b))
    if signed:
        np.testing.assert_array_equal(unpacked(played["signs"], 4), signs_a ^ signs_b)


@pytest.mark.parametrize(("bits", "index_bits", "bipolar", "dimension"), [(6, 6, False, 1), (5, 7, True, 2), (7, 5, False, 3)])
@pytest.mark.parametrize("seed", [0, 5])
def test_conditional_multipliers(bits: int, index_bits: int, bipolar: bool, dimension: int, seed: int) -> None:
    a = random_streams(3, seed)[seed % 3]
    for value in (0, 11, (1 << bits) - 1):
        expected = multiply.conditional(a, np.array(value), bits, index_bits, bipolar=bipolar, dimension=dimension)
        block = ConditionalMultiplier(bits, index_bits, bipolar=bipolar, dimension=dimension)
        np.testing.assert_array_equal(play(block, ("product",), LENGTH, a=a, value=value)["product"], expected)


def test_conditional_products_depend_on_the_number_of_pulses_alone() -> None:
    """Every value of 5 bits: n pulses in any order count the first n bits of the value's own stream."""
    values, rng = np.arange(32), np.random.default_rng(1)
    own = values[:, None] > np.array(sobol(5, 1, 64))
    for pulses in range(0, 65, 7):
        a = rng.permutation(np.arange(64) < pulses)
        counted = multiply.conditional(a, values, 5, 6).sum(axis=-1)
        np.testing.assert_array_equal(counted, own[:, :pulses].sum(axis=-1))


@pytest.mark.parametrize("inputs", [2, 8])
def test_mux_adders(inputs: int) -> None:
    bits = random_streams(inputs, 2)
    select = np.random.default_rng(3).integers(0, inputs, LENGTH)
    played = play(MuxAdder(inputs), ("sum",), LENGTH, bits=packed(bits), select=select)["sum"]
    np.testing.assert_array_equal(played, add.mux(bits, select))


def test_or_adders() -> None:
    bits = random_streams(5, 4) & (random_streams(5, 14) | random_streams(5, 24))
    np.testing.assert_array_equal(play(OrAdder(5), ("sum",), LENGTH, bits=packed(bits))["sum"], add.saturating(bits))


@pytest.mark.parametrize(("inputs", "approximate"), [(1, False), (7, False), (25, False), (4, True), (16, True)])
def test_parallel_counters(inputs: int, approximate: bool) -> None:
    bits = random_streams(inputs, inputs)
    expected = add.count(bits, approximate=approximate)
    played = play(ParallelCounter(inputs, 12, approximate=approximate), ("count", "total"), LENGTH, bits=packed(bits))
    np.testing.assert_array_equal(played["count"], expected)
    np.testing.assert_array_equal(played["total"], np.cumsum(expected))


def test_approximate_counters_by_the_pairs() -> None:
    """Four streams: the AND of the first two and the OR of the last two, twice."""
    every = np.array([[x >> i & 1 for x in range(16)] for i in range(4)], dtype=bool)
    expected = [2 * ((x & 3 == 3) + (x >> 2 != 0)) for x in range(16)]
    assert add.count(every, approximate=True).tolist() == expected


@pytest.mark.parametrize(("inputs", "offset"), [(2, 0), (5, 2), (8, 4)])
def test_carry_adders(inputs: int, offset: int) -> None:
    bits = random_streams(inputs, inputs)
    played = play(CarryAdder(inputs, offset), ("sum",), LENGTH, bits=packed(bits))["sum"]
    np.testing.assert_array_equal(played, add.carry(bits, offset))
    assert played.sum() == (offset + bits.sum()) // inputs
    assert (add.carry(bits, (offset + 1) % inputs) != played).any()


@pytest.mark.parametrize(("states", "inputs"), [(2, 1), (8, 1), (20, 5), (50, 25), (4, 9)])
def test_tanh(states: int, inputs: int) -> None:
    swinging = 0.5 + 0.4 * np.sin(np.arange(LENGTH) / 6)
    counts = np.random.default_rng(states).binomial(inputs, swinging)
    played = play(StochasticTanh(states, inputs), ("out",), LENGTH, count=counts)["out"]
    np.testing.assert_array_equal(played, activate.tanh(counts, states, inputs))
    assert (activate.tanh(counts, 2 * states, inputs) != played).any()


@pytest.mark.parametrize("states", [2, 5, 16])
@pytest.mark.parametrize("density", [0.3, 0.5, 0.6])
def test_relu(states: int, density: float) -> None:
    stream = np.random.default_rng(states).random(LENGTH) < density
    played = play(StochasticRelu(states), ("out",), LENGTH, bit=stream)["out"]
    np.testing.assert_array_equal(played, activate.relu(stream, states))


def test_relu_is_reflection_at_zero() -> None:
    """With states enough the sum is the input's less its least sum on the way, and one more where a turn is unpaired."""
    stream = np.random.default_rng(8).random((40, 200)) < np.linspace(0.2, 0.8, 40)[:, None]
    walk = np.cumsum(2 * stream.astype(int) - 1, axis=-1)
    rectified = np.cumsum(2 * activate.relu(stream, 256).astype(int) - 1, axis=-1)
    reflected = walk - np.minimum(np.minimum.accumulate(walk, axis=-1), 0)
    assert set(np.unique(rectified - reflected)) == {0, 1}


@pytest.mark.parametrize(("inputs", "segment"), [(2, 14), (4, 7), (5, 10)])
def test_max_pooling(inputs: int, segment: int) -> None:
    bits = random_streams(inputs + 2, segment, 70)[2:]
    played = play(SegmentMax(inputs, segment), ("out",), 70, bits=packed(bits))["out"]
    np.testing.assert_array_equal(played, pool.segment_max(bits, segment))
    assert (pool.segment_max(bits[::-1], segment) != played).any()


@pytest.mark.parametrize(("inputs", "length"), [(1, 1), (1, 64), (3, 50), (9, 64)])
def test_termination(inputs: int, length: int) -> None:
    """The decision is the whole stream's, stands while the stream runs on, and comes as soon as nothing can change it."""
    rng = np.random.default_rng(length)
    for density in (0.1, 0.48, 0.5, 0.9):
        counts = rng.binomial(inputs, density, length)
        cycles, decision = terminate.settle(counts, inputs, length)
        played = play(Termination(inputs, 64), ("done", "decision"), length, count=counts, length=length)
        assert played["done"].tolist() == [t + 1 >= cycles for t in range(length)]
        assert decision == (2 * counts.sum() >= inputs * length)
        assert (played["decision"][cycles - 1 :] == decision).all()
        if cycles > 1:  # one cycle earlier the rest could still have gone the other way
            before, left = counts[: cycles - 1].sum(), length - cycles + 1
            assert 2 * before < inputs * length <= 2 * (before + inputs * left)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MuxAdder(6), "a power of two of inputs, at least 2; got 6"),
        (lambda: StochasticTanh(7), "an even number from 2; got 7"),
        (lambda: StochasticRelu(1), "at least two states; got 1"),
        (lambda: SegmentMax(1, 8), "at least 2 streams and 2 cycles a segment; got 1 and 8"),
        (lambda: ParallelCounter(6, 8, approximate=True), "a multiple of four inputs; got 6"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # Amaranth's, of components that were never elaborated
def test_impossible_blocks_are_refused(build: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        build()
    gc.collect()
