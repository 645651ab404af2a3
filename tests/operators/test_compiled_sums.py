"""The compiled sums: of streams against elements that play them cycle by cycle, of tables and of packed bits against their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, stochastic, xnor
from gatewright.sw import binary, tabulated
from gatewright.sw.binary import BinaryKernels, packed
from gatewright.sw.differentiable import convolve
from gatewright.sw.kernels import threads
from gatewright.sw.operators import arithmetic
from gatewright.sw.operators import stochastic as stochastic_module
from gatewright.sw.operators.stochastic import Stochastic
from gatewright.sw.tabulated import Tabulated
from tests.stochastic.stepping import step

OPERATORS = [
    stochastic(64),
    stochastic(32, "bipolar"),
    stochastic(24, "bipolar", "lfsr", 4, sharing=4),
    stochastic(64, "sign_magnitude", "counter", sharing=2),
    stochastic(40, "sign_magnitude", "lfsr", 5),
    *(stochastic(32, coding, sharing=1, adder="approximate") for coding in ("sign_magnitude", "bipolar")),
    *(stochastic(32, coding, adder="mux") for coding in ("sign_magnitude", "bipolar")),
    stochastic(32, "sign_magnitude", "lfsr", sharing=1, adder="or"),
    stochastic(128, "sign_magnitude", "counter", 4, adder="or"),
]
each = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads, however little there is to do."""
    monkeypatch.setattr(threads, "limit", lambda: 3)
    for module in (tabulated, binary, stochastic_module):
        monkeypatch.setattr(module, "LARGE", 1)


def layer(operator: Operator, groups: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Activation codes [2, C, 5, 4] and weight codes [5 * groups, C / groups, 2, 3]: channels beyond a word, five kernels a group."""
    rng, channels = np.random.default_rng(seed), 32 // operator.width + 2
    low, high = operator.activation_range
    x = rng.integers(low, high + 1, (2, channels, 5, 4))
    return x, rng.integers(*arithmetic(operator).weight_range, (5 * groups, channels // groups, 2, 3), endpoint=True)


def stepped(operator: Operator, x: np.ndarray, weights: np.ndarray, first: int, groups: int) -> np.ndarray:
    """The layer with padding 1, every cycle of every element."""
    made = arithmetic(operator)
    padded = np.pad(made.activation_bits(x), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    parts = []
    for g, mine in enumerate(np.split(made.weight_bits(weights), groups)):
        size = mine.shape[1]
        patches = windows[:, :, :, g * size : (g + 1) * size].reshape(-1, size * 6)
        positions = np.arange(size * 6)
        parts.append(step(operator, patches, mine.reshape(len(mine), -1), first + g * size + positions // 6, positions % 6))
    return np.concatenate(parts, axis=1).reshape(*windows.shape[:3], -1).transpose(0, 3, 1, 2)


@each
@pytest.mark.parametrize("groups", [1, 2])
def test_a_layer_equals_elements_played_cycle_by_cycle(operator: Operator, groups: int) -> None:
    x, weights = layer(operator, groups, groups)
    expected = stepped(operator, x, weights, 3, groups)
    assert expected.std() > 0
    np.testing.assert_array_equal(arithmetic(operator).accumulate(x, weights, 1, 1, 3, groups), expected)


@each
def test_evaluation_and_threads_see_the_same_sums(operator: Operator, busy: None) -> None:
    x, weights = layer(operator, 2, 5)
    expected = stepped(operator, x, weights, 0, 2)
    made, codes = arithmetic(operator), torch.from_numpy(weights).float()
    np.testing.assert_array_equal(made.accumulate(x, weights, 1, 1, 0, 2), expected)
    with torch.no_grad():
        counted = convolve(made, torch.from_numpy(x).float(), codes, made.weight_value(codes), 1, 1, exact=True, groups=2)
    np.testing.assert_array_equal(counted, expected)


@pytest.mark.parametrize("operator", OPERATORS[-2:], ids=lambda operator: operator.name)
def test_joined_lanes_of_many_kernels(operator: Operator) -> None:
    """More than are counted together; an odd number of sums."""
    rng, made, greatest = np.random.default_rng(10), arithmetic(operator), arithmetic(operator).weight_range[1]
    x, weights = rng.integers(0, operator.activation_range[1] + 1, (5, 9)), rng.integers(-greatest, greatest + 1, (150, 9))
    expected = step(operator, x, made.weight_bits(weights), np.arange(9), np.zeros(9, dtype=np.int64))
    np.testing.assert_array_equal(made.accumulate(x[..., None, None], weights[..., None, None])[..., 0, 0], expected)


@pytest.mark.parametrize("change", ["level", "height", "start"])
def test_a_wrong_step_is_noticed(change: str) -> None:
    operator = stochastic(16, bits=4)
    x, weights = layer(operator, 1, 6)
    made, expected = Stochastic(operator), stepped(operator, x, weights, 0, 1)
    np.testing.assert_array_equal(made.accumulate(x, weights, 1, 1), expected)
    assert made.tabulated.steps is not None
    made.tabulated.steps = replace(made.tabulated.steps, **{change: getattr(made.tabulated.steps, change) + 1})
    assert (made.accumulate(x, weights, 1, 1) != expected).any()


def test_a_wrong_stream_is_noticed() -> None:
    operator = stochastic(16, source="counter", bits=4, adder="or")
    x, weights = layer(operator, 1, 7)
    made, expected = Stochastic(operator), stepped(operator, x, weights, 0, 1)
    np.testing.assert_array_equal(made.accumulate(x, weights, 1, 1), expected)
    made._packed[0][0, 8:] ^= np.uint64(4)
    assert (made.accumulate(x, weights, 1, 1) != expected).any()


def in_table(tables: np.ndarray, a: np.ndarray, w: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Sums [M, K] of products looked up, a position at a time."""
    return sum((tables[lane, a[:, i]][:, w[:, i]] for i, lane in enumerate(lanes)), np.zeros((len(a), len(w)), dtype=np.int64))


def summed(tables: Tabulated, a: np.ndarray, w: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    places, offsets = np.arange(len(a)) * a.shape[1], np.arange(a.shape[1])
    return tables.sums(tables.rows[a], places, offsets[None], lanes[None], w[None])[:, 0]


@pytest.mark.parametrize(("m", "n", "k"), [(1, 9, 1), (31, 5, 7), (33, 300, 131), (1100, 6, 4), (40, 3, 300), (64, 130, 3), (32, 1, 513)])
@pytest.mark.parametrize("operator", [stochastic(256), stochastic(512, "bipolar"), stochastic(128, adder="mux")], ids=lambda o: o.name)
def test_sums_of_every_shape(operator: Operator, m: int, n: int, k: int) -> None:
    """One position and many, one kernel and more than are built together, more products than sixteen bits hold."""
    rng, tables = np.random.default_rng(m), arithmetic(operator).tables
    a, w, lanes = rng.integers(0, 256, (m, n)), rng.integers(0, 256, (k, n)), rng.integers(0, len(tables), n)
    np.testing.assert_array_equal(summed(arithmetic(operator).tabulated, a, w, lanes), in_table(tables, a, w, lanes))


def test_sums_as_great_as_they_can_be() -> None:
    """Every product at its greatest, where 16 bits hold 63 of them."""
    tables = arithmetic(stochastic(512, "bipolar")).tables
    a, w = np.full((40, 1000), 0x7F), np.full((8, 1000), 0x7F)
    assert tables[0, 0x7F, 0x7F] > 500
    np.testing.assert_array_equal(
        summed(Tabulated(tables), a, w, np.zeros(1000, dtype=np.int64)), np.full((40, 8), 1000 * tables[0, 0x7F, 0x7F])
    )


def test_rows_are_built_where_that_is_less_work() -> None:
    """Tables of all kinds, few sums and many: both ways give what the table says."""
    rng, ways = np.random.default_rng(8), set()
    streams = arithmetic(stochastic(4096, source="lfsr")).tables
    for tables in (
        rng.integers(-9, 9, (3, 16, 32)),
        rng.integers(-(1 << 30), 1 << 30, (1, 4, 8)),
        np.outer(range(8), range(256))[None],
        streams,
    ):
        made = Tabulated(tables)
        for m in (2, 40, 600):
            a, w = rng.integers(0, tables.shape[1], (m, 9)), rng.integers(0, tables.shape[2], (6, 9))
            lanes = rng.integers(0, len(tables), 9)
            np.testing.assert_array_equal(summed(made, a, w, lanes), in_table(tables, a, w, lanes))
            ways.add((made.steps is None, made.worth(m, 6) is not None))
    assert ways == {(True, False), (False, False), (False, True)}


def test_equal_rows_are_one() -> None:
    tables = arithmetic(stochastic(16)).tables
    assert len(np.unique(Tabulated(tables).rows)) == len(np.unique(tables[0], axis=0)) == 17


# N, C, H, W, K, R, S, stride, padding, groups
BITS = [
    (1, 1, 1, 1, 1, 1, 1, 1, 0, 1),
    (3, 63, 4, 5, 7, 2, 3, 1, 1, 1),
    (2, 64, 5, 3, 4, 3, 3, 2, 1, 1),
    (1, 65, 7, 7, 9, 1, 1, 1, 0, 1),
    (1, 260, 6, 5, 6, 3, 2, 1, 2, 2),
    (2, 6, 5, 5, 12, 3, 3, 1, 1, 6),
]


@pytest.mark.parametrize("shape", BITS, ids=str)
def test_binary_convolutions_are_those_of_signs(shape: tuple[int, ...], busy: None) -> None:
    n, c, h, w, k, r, s, stride, padding, groups = shape
    rng, made = np.random.default_rng(k), arithmetic(xnor())
    x, weights = rng.integers(0, 2, (n, c, h, w)), rng.integers(0, 2, (k, c // groups, r, s))
    signs = np.pad(2 * x - 1, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=-1)
    expected = torch.nn.functional.conv2d(torch.from_numpy(signs), torch.from_numpy(2 * weights - 1), stride=stride, groups=groups)
    counted = made.accumulate(x, weights, stride, padding, groups=groups)
    np.testing.assert_array_equal(made.value(counted, weights[0].size), expected)
    codes = torch.from_numpy(weights).float()
    for training in (False, True):
        with torch.set_grad_enabled(training):
            sums = convolve(made, torch.from_numpy(x).float(), codes, 2 * codes - 1, stride, padding, exact=True, groups=groups)
        np.testing.assert_array_equal(sums, counted)


def test_a_flipped_bit_is_one_more_that_differs() -> None:
    rng = np.random.default_rng(9)
    x, weights = rng.integers(0, 2, (1, 70, 3, 3)), rng.integers(0, 2, (5, 70, 3, 3))
    kernels, maps = BinaryKernels(weights), packed(x)
    before = kernels.differing(maps)
    kernels.words[0, 4, 2] ^= np.uint64(1)
    changed = np.abs(kernels.differing(maps) - before)
    assert changed.reshape(-1).tolist() == [0, 0, 1, 0, 0]
