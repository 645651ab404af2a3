"""The laws against streams played by NumPy's generator, and the measured tables' own honesty."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gatewright.hw.stochastic.numbers import TAPS
from gatewright.hw.stochastic.sharing import Rotation, Sharing
from gatewright.sw.stochastic import activate, add, laws, measure, multiply
from gatewright.sw.stochastic.streams import levels

LENGTH = 256


def bernoulli(values: np.ndarray, length: int, seed: int) -> np.ndarray:
    """Independent bipolar streams, bool [..., L]."""
    return np.random.default_rng(seed).random((*values.shape, length)) < (values[..., None] + 1) / 2


@pytest.mark.parametrize("inputs", [4, 64])
def test_errors_of_the_counter_and_the_multiplexer(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    a, w = rng.uniform(-1, 1, (2, inputs))
    many = multiply.bipolar(bernoulli(np.tile(a, (1000, 1)), LENGTH, 1), bernoulli(np.tile(w, (1000, 1)), LENGTH, 2))
    total = (a * w).sum()
    counted = 2 * add.count(many).sum(axis=-1) / LENGTH - inputs
    assert counted.std() == pytest.approx(laws.counter_std(a * w, LENGTH), rel=0.08)
    selected = inputs * (2 * add.mux(many, rng.integers(0, inputs, (1000, LENGTH))).mean(axis=-1) - 1)
    assert selected.std() == pytest.approx(laws.mux_std(total, inputs, LENGTH), rel=0.08)
    assert counted.mean() == pytest.approx(total, abs=4 * counted.std() / 1000**0.5)
    assert laws.mux_std(total, inputs, LENGTH) / laws.counter_std(a * w, LENGTH) > 0.9 * inputs**0.5


def test_saturation() -> None:
    values = np.array([0.1, 0.5, 0.2, 0.05])
    joined = add.saturating(np.random.default_rng(0).random((4, 100_000)) < values[:, None])
    assert joined.mean() == pytest.approx(laws.saturating_sum(values), abs=0.01)
    assert laws.saturating_sum(values) == pytest.approx(1 - 0.9 * 0.5 * 0.8 * 0.95)


@pytest.mark.parametrize("states", [4, 8, 16])
def test_stanh(states: int) -> None:
    values = np.linspace(-0.4, 0.4, 9)
    out = 2 * activate.tanh(bernoulli(values, 40_000, states), states).mean(axis=-1) - 1
    np.testing.assert_allclose(out, laws.stanh(values, states), atol=0.06)
    assert np.abs(out - laws.stanh(values, 2 * states)).max() > 0.15


def test_btanh() -> None:
    """States twice the inputs give tanh of the sum."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-0.3, 0.3, (12, 25)) + np.linspace(-0.06, 0.06, 12)[:, None]
    out = 2 * activate.tanh(add.count(bernoulli(values, 20_000, 4)), 50, 25).mean(axis=-1) - 1
    np.testing.assert_allclose(out, np.tanh(values.sum(axis=1)), atol=0.12)
    np.testing.assert_allclose(laws.btanh(values.sum(axis=1), 50, 25), np.tanh(values.sum(axis=1)))


def test_relu() -> None:
    values = np.array([-0.8, -0.3, 0.0, 0.3, 0.8])
    out = 2 * activate.relu(bernoulli(np.tile(values, (200, 1)), 1024, 5), 64).mean(axis=-1) - 1
    np.testing.assert_allclose(out.mean(axis=0), laws.relu(values), atol=0.03)
    assert out[:, 2].mean() < (2 / (np.pi * 1024)) ** 0.5 + 0.01


def test_laws_are_differentiable() -> None:
    products = torch.tensor([0.2, -0.4], requires_grad=True)
    total = laws.counter_std(products, 64) + laws.mux_std(products.sum(), 2, 64) + laws.saturating_sum(products.abs())
    (total + laws.stanh(products[0], 8) + laws.btanh(products.sum(), 4, 2) + laws.relu(products).sum()).backward()
    assert products.grad is not None
    assert torch.isfinite(products.grad).all()


@pytest.mark.parametrize("plan", [Sharing("lfsr", 9, 6, 2, (Rotation(), Rotation(4)), 3, 5), Sharing("sobol", 6, 5, 2)])
def test_levels_are_the_plans(plan: Sharing) -> None:
    """Longer than the period; looked up or listed."""
    expected = [plan.levels(i // plan.sharing, 700) for i in range(plan.comparators)]
    np.testing.assert_array_equal(levels(plan, 700), expected)
    assert plan.bits in TAPS


def test_sharing_breaks_the_counters_law_and_not_the_multiplexers() -> None:
    own, shared = (list(measure.sums("random numbers", sharing, 100)) for sharing in (1, 64))
    assert [row.holds for row in own] == [True, True]
    assert [row.holds for row in shared] == [False, True]
    assert shared[0].ratio > 2.5


def test_low_discrepancy_gains() -> None:
    """Bipolar conditional products, one Sobol dimension for all 25."""
    for length in laws.LOW_DISCREPANCY:
        (row,) = measure.conditional(length, 25, 80, "bipolar")
        assert 0.7 < row.ratio < 1.4


def test_rows_say_whether_a_law_holds() -> None:
    rows = [measure.Row("x", "y", 1, 2.0, measured) for measured in (1.5, 1.6, 2.5, 2.6)]
    assert [row.holds for row in rows] == [False, True, True, False]
    assert rows[0].text() == "| x | y | 1 | 2.0000 | 1.5000 | 0.75 | fails |"


@pytest.mark.thorough
def test_the_documented_tables_are_what_is_measured() -> None:
    text = (Path(__file__).parents[2] / "docs" / "stochastic.md").read_text(encoding="utf-8")
    assert measure.tables(measure.Setting()) == text.partition(measure.BEGIN)[2].partition(measure.END)[0]
