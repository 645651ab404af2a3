"""The `stochastic` operator's counters, sharing groups and adders: circuit, arithmetic and training against pulses played one by one."""

import numpy as np
import pytest
import torch

from gatewright.hw.config import AcceleratorConfig, Operator, stochastic
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.stochastic import numbers
from gatewright.sw import tabulated
from gatewright.sw.differentiable import convolve, quantise_weight, saturating
from gatewright.sw.operators import arithmetic
from gatewright.sw.stochastic import multiply
from tests.operators.circuits import Bench, Circuit, random_words
from tests.stochastic.levels import level

CASES = [
    *(stochastic(16, coding, "counter", 4) for coding in ("sign_magnitude", "bipolar")),
    stochastic(64, source="counter", sharing=2),
    stochastic(64, "sign_magnitude", "sobol", sharing=1),
    stochastic(24, "bipolar", "sobol", 4, sharing=4),
    stochastic(32, "bipolar", "lfsr", 3, sharing=1),
    stochastic(32, "sign_magnitude", "sobol", adder="mux"),
    stochastic(40, "sign_magnitude", "lfsr", 4, sharing=2, adder="mux"),
    stochastic(32, "bipolar", "counter", sharing=1, adder="mux"),
    *(stochastic(32, coding, "sobol", 4, adder="approximate") for coding in ("sign_magnitude", "bipolar")),
    stochastic(32, "sign_magnitude", "lfsr", sharing=1, adder="or"),
    stochastic(128, "sign_magnitude", "counter", 4, sharing=2, adder="or"),
    *(stochastic(4, coding, source, 4) for coding in ("sign_magnitude", "bipolar") for source in ("sobol", "counter")),
    *(
        stochastic(4, source=source, bits=4, sharing=1, adder=adder)
        for source, adder in (("sobol", "mux"), ("counter", "or"), ("lfsr", "approximate"))
    ),
]
WIDE = [CASES[3], CASES[8], CASES[11]]  # on elements of 64 bits too
each = pytest.mark.parametrize("operator", CASES, ids=lambda operator: operator.name)


def pulses(operator: Operator, a: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The products' pulses, bool [lanes, L], and the signs, int [lanes], of lane contents (unsigned bits)."""
    bits_a, bits_w, length = operator.activation_bits, operator.weight_bits, operator.stream_length
    played, signs = [], []
    for lane, (x, y) in enumerate(zip(a, w, strict=True)):
        group = lane % (32 // operator.width) // operator.sharing
        if operator.coding == "bipolar":
            x, y, of_w, sign = (x + 2 ** (bits_a - 1)) % 2**bits_a, (y + 2 ** (bits_w - 1)) % 2**bits_w, bits_w, 1
        else:
            y, of_w, sign = y % 2 ** (bits_w - 1), bits_w - 1, -1 if y >> (bits_w - 1) else 1
        first = [x > level(operator.source, bits_a, "activation", length, group, t) for t in range(length)]
        second = [y > level(operator.source, of_w, "weight", length, group, t) for t in range(length)]
        joined = [p == q if operator.coding == "bipolar" else p and q for p, q in zip(first, second, strict=True)]
        played.append(joined)
        signs.append(sign)
    return np.array(played, dtype=bool), np.array(signs)


def added(operator: Operator, played: np.ndarray, signs: np.ndarray) -> int:
    """What an element accumulates for one word: its adder, in words."""
    lanes, length = played.shape
    size, total = 32 // operator.width, 0
    if operator.adder == "exact":
        return int((played.sum(axis=1) * signs).sum())
    if operator.adder == "approximate":
        pairs = {4: [(0, 2), (1, 3)], 8: [(0, 4), (2, 6), (1, 5), (3, 7)]}[operator.width]
        for lane, first in np.ndindex(lanes, length // operator.width):
            for number, (i, j) in enumerate(pairs):
                p, q = (played[lane, first * operator.width + t] for t in (i, j))
                total += 2 * signs[lane] * int(p and q if number % 2 == 0 else p or q)
        return int(total)
    for first in range(0, lanes, size):
        group, sign = played[first : first + size], signs[first : first + size]
        for t in range(length):
            if operator.adder == "mux":
                chosen = numbers.sobol(8, 3, length)[t] * size >> 8
                total += size * sign[chosen] * int(group[chosen, t])
            else:
                total += int(group[sign > 0, t].any()) - int(group[sign < 0, t].any())
    return int(total)


def lanes_of(words: np.ndarray, width: int, size: int, bits: int) -> np.ndarray:
    """Lane contents int [words, lanes]."""
    return np.array([[int(word) >> (lane * width) & (2**size - 1) for lane in range(bits // width)] for word in words])


def reference(operator: Operator, bits: int, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    a = lanes_of(activations, operator.width, operator.activation_bits, bits)
    w = lanes_of(weights, operator.weight_width, operator.weight_bits, bits)
    return np.array([added(operator, *pulses(operator, x, y)) for x, y in zip(a, w, strict=True)])


WORDS = [
    (operator, bits, random_words(np.random.default_rng(i), 24))
    for bits, cases in ((32, CASES), (64, WIDE))
    for i, operator in enumerate(cases)
]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench([Circuit(operator, bits, words) for operator, bits, words in WORDS])


@pytest.mark.parametrize("i", range(len(WORDS)), ids=lambda i: f"{WORDS[i][0].name}/{WORDS[i][1]}")
def test_the_circuit_adds_what_the_pulses_say(bench: Bench, i: int) -> None:
    operator, bits, words = WORDS[i]
    np.testing.assert_array_equal(bench.sums[: len(words[0]), i], reference(operator, bits, *words))


@pytest.mark.parametrize("i", [2, 3, 11])
def test_a_wrong_rotation_is_noticed(bench: Bench, i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of another group, by one: the pulses no longer say what the circuit adds."""
    operator, bits, words = WORDS[i]
    right = level
    monkeypatch.setitem(globals(), "level", lambda source, size, side, length, group, t: right(source, size, side, length, group + 1, t))
    assert (bench.sums[: len(words[0]), i] != reference(operator, bits, *words)).any()


@pytest.mark.parametrize("i", range(len(WORDS)), ids=lambda i: f"{WORDS[i][0].name}/{WORDS[i][1]}")
def test_a_layer_is_what_the_circuit_adds(bench: Bench, i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled sums of all words with all words, those of each pair being the circuit's."""
    operator, bits, words = WORDS[i]
    monkeypatch.setattr(tabulated, "WORTH", 1000)
    a = lanes_of(words[0], operator.width, operator.activation_bits, bits)
    w = lanes_of(words[1], operator.weight_width, operator.weight_bits, bits)
    sums = arithmetic(operator).counts(a[..., None, None], w[..., None, None], 1, 0, 0, 1)
    np.testing.assert_array_equal(bench.sums[: len(a), i], sums[..., 0, 0].diagonal())


@pytest.mark.parametrize(("bits", "length"), [(4, 4), (4, 16), (5, 16), (5, 128)])
def test_a_counters_product_is_the_conditional_product(bits: int, length: int) -> None:
    """Every pair: the multiplier that draws a weight's number only when the activation pulses counts the same, for any order of as many
    pulses, and pulse by pulse for the thermometer."""
    operator, rng = stochastic(length, source="counter", bits=bits), np.random.default_rng(bits)
    table, weights = arithmetic(operator).table, np.arange(1 << (bits - 1))
    for a in range(1 << bits):
        stream = a > np.array(numbers.thermometer(bits, length))
        for order in (stream, rng.permutation(stream)):
            products = multiply.conditional(order, weights, bits - 1, length.bit_length() - 1, dimension=2)
            np.testing.assert_array_equal(products.sum(axis=-1), table[a, : len(weights)])
        own = weights[:, None] > np.array(numbers.sequence("counter", bits - 1, "weight", length))
        np.testing.assert_array_equal(multiply.conditional(stream, weights, bits - 1, 12, dimension=2), stream & own)
        if stream.sum() > 1:  # two pulses fewer are another product
            fewer = multiply.conditional(np.arange(length) < stream.sum() - 2, weights, bits - 1, 12, dimension=2)
            assert (fewer.sum(axis=-1) != table[a, : len(weights)]).any()


def random_layer(operator: Operator, channels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Activation codes [2, C, 3, 3] and weight codes [2, C, 2, 2]."""
    rng = np.random.default_rng(seed)
    low, high = operator.activation_range
    return rng.integers(low, high + 1, (2, channels, 3, 3)), rng.integers(*arithmetic(operator).weight_range, (2, channels, 2, 2))


@each
def test_sums_of_a_layer(operator: Operator) -> None:
    """Channels beyond a word, ragged lanes, padding: the arithmetic's convolution against words of pulses."""
    made, lanes = arithmetic(operator), 32 // operator.width
    x, weights = random_layer(operator, lanes + 1, 3)
    channels = 2 * lanes
    got = made.accumulate(x, weights, padding=1)
    assert got.shape == (2, 2, 4, 4)
    bits_x = np.pad(made.activation_bits(x), ((0, 0), (0, lanes - 1), (1, 1), (1, 1)))
    bits_w = np.pad(made.weight_bits(weights), ((0, 0), (0, lanes - 1), (0, 0), (0, 0)))
    unused = 4 * made.unused_products(lanes - 1)
    for n, k, p, q in [(0, 0, 0, 0), (1, 1, 2, 2), (0, 1, 3, 1)]:
        total = 0
        for r, s, first in np.ndindex(2, 2, channels // lanes):
            part = slice(first * lanes, (first + 1) * lanes)
            total += added(operator, *pulses(operator, bits_x[n, part, p + r, q + s], bits_w[k, part, r, s]))
        assert got[n, k, p, q] + unused == total


@each
def test_channels_of_a_group_keep_their_lanes(operator: Operator) -> None:
    """A part of the channels, told where it starts, adds what it would as part of a map whose other weights are zero."""
    made, lanes = arithmetic(operator), 32 // operator.width
    x, weights = random_layer(operator, 2 * lanes, 4)
    first = lanes // 2
    alone = made.accumulate(x[:, first : first + lanes], weights[:, first : first + lanes], first=first)
    silent = weights.copy()
    silent[:, :first], silent[:, first + lanes :] = 0, 0
    idle = np.zeros_like(weights)
    rest = made.accumulate(x, idle) - made.accumulate(x[:, first : first + lanes], idle[:, first : first + lanes], first=first)
    np.testing.assert_array_equal(alone + rest, made.accumulate(x, silent))


@each
def test_training_sees_the_same_sums(operator: Operator) -> None:
    made = arithmetic(operator)
    x, weights = random_layer(operator, 32 // operator.width + 3, 5)
    latent = torch.randn(weights.shape, generator=torch.Generator().manual_seed(5), requires_grad=True)
    codes, values = quantise_weight(made, latent)
    inputs = torch.from_numpy(x).float().requires_grad_()
    expected = made.accumulate(x, codes.long().numpy(), 1, 1, 2)
    for exact in (True, False):
        got = convolve(made, inputs, codes, values, 1, 1, exact=exact, first=2)
        np.testing.assert_array_equal(got.detach().numpy(), expected)
    got.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.abs().sum() > 0


def test_training_by_the_saturating_expectation() -> None:
    """Near what lanes joined by OR count, channels of a group in their lanes; a plain sum is far from it."""
    operator = stochastic(1024, "sign_magnitude", "lfsr", sharing=1, adder="or")
    made, rng = arithmetic(operator), np.random.default_rng(6)
    x, weights = rng.integers(0, 256, (3, 7, 5, 4)), rng.integers(-127, 128, (4, 7, 2, 3))
    values = torch.from_numpy(weights).double()
    padded = torch.nn.functional.pad(torch.from_numpy(x).double(), (1, 1, 1, 1))
    expected = saturating(made, padded, values, stride=2, first=3)
    counted = made.accumulate(x, weights, stride=2, padding=1, first=3)
    assert expected.shape == counted.shape
    linear = made.gain * torch.nn.functional.conv2d(padded, values, stride=2)
    error, plain = ((part.numpy() - counted).std() for part in (expected, linear))
    assert error < 0.4 * counted.std()  # sets are taken to have equal sums, and here they have five lanes and two
    assert error < 0.7 * plain


@each
def test_names_round_trip(operator: Operator) -> None:
    assert operator_named(operator.name) == operator
    assert Operator.from_json(operator.to_json()) == operator


def test_names() -> None:
    assert [operator.name for operator in (CASES[0], CASES[2], CASES[7])] == [
        "sc_sign_magnitude_counter16_4",
        "sc_sign_magnitude_counter64_8_share2",
        "sc_sign_magnitude_lfsr40_4_share2_mux",
    ]
    assert stochastic(64).name == "sc_sign_magnitude_sobol64_8"
    assert len({operator.name for operator in CASES}) == len(set(CASES)) == len(CASES)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "counter", "stream_length": 24}, "a counter's stream_length must be a power of two, .* got 24"),
        ({"sharing": 3}, "sharing must be a power of two below 4, the lanes of 32 bits, or 16 for all lanes; got 3"),
        ({"sharing": 4}, "sharing must be a power of two below 4, .* got 4"),
        ({"adder": "or", "coding": "bipolar", "activation_signed": True}, "an adder of kind or needs coding sign_magnitude"),
    ],
)
def test_what_cannot_be_built_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        stochastic(64).replace(**fields)


def test_a_counter_plays_its_own_length_only() -> None:
    """Shorter Sobol streams run on a longer one's circuit; a thermometer's steps depend on its length."""
    grid = AcceleratorConfig(rows=1, cols=1, operators=(stochastic(64), stochastic(64, source="counter")))
    assert grid.path(stochastic(32)) == 0
    with pytest.raises(BadInput, match="has no operator sc_sign_magnitude_counter32_8"):
        grid.path(stochastic(32, source="counter"))
