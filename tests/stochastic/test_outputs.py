"""Activation and pooling in streams and in binary: circuits against models, and what the table counts."""

import numpy as np
import pytest

from gatewright.sim import stochastic_outputs as outputs
from gatewright.sw.stochastic import activate, add
from tests.stochastic.player import play


@pytest.mark.parametrize("counted", [True, False])
def test_activations_are_the_models(counted: bool) -> None:
    rng, cycles = np.random.default_rng(counted), 200
    bits = rng.random((1, outputs.INPUTS, cycles)) < 0.5
    select = rng.integers(0, outputs.INPUTS, (1, cycles))
    selected = {} if counted else {"select": select[0]}
    shown = play(outputs.Activation(counted=counted), ("out",), cycles, bits=outputs.words(bits), **selected)["out"]
    made = add.count(bits) if counted else add.mux(bits, select)
    expected = activate.tanh(made, 2 * outputs.INPUTS, outputs.INPUTS if counted else 1)[0]
    assert 0 < expected.sum() < cycles
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("greatest", [True, False])
def test_pooling_in_binary(greatest: bool) -> None:
    values = np.random.default_rng(1).integers(0, 16, outputs.POOLED)
    shown = play(outputs.BinaryPool(4, greatest=greatest), ("result",), outputs.POOLED, value=values)["result"]
    np.testing.assert_array_equal(shown, np.maximum.accumulate(values) if greatest else np.cumsum(values))


def test_errors_are_in_standard_deviations_of_what_is_meant() -> None:
    ideal = np.array([-2.0, 0.0, 2.0, 4.0])
    assert outputs.error(ideal, ideal) == 0
    assert outputs.error(ideal + ideal.std(), ideal) == pytest.approx(1)
    assert outputs.error(np.full(4, ideal.mean()), ideal) == pytest.approx(1)


def test_words_hold_a_bit_of_each_stream() -> None:
    bits = np.random.default_rng(2).random((3, 5, 7)) < 0.5
    expected = [sum(int(bits[i, n, t]) << n for n in range(5)) for i in range(3) for t in range(7)]
    np.testing.assert_array_equal(outputs.words(bits), expected)


@pytest.mark.thorough
def test_longer_streams_err_less_and_cost_more() -> None:
    short, long = ({row.block: row for row in (*outputs.activations(n, 60), *outputs.poolings(n, 60))} for n in (16, 64))
    assert all(long[name].energy_fj > row.energy_fj and long[name].error < row.error for name, row in short.items())
