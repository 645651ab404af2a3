"""Tests of one's own block with Gatewright's library: run `pytest` in this folder."""

import numpy as np
import pytest
from fir import TAPS, Filter, SymmetricFilter

from gatewright.hw.errors import Mismatch
from gatewright.sim import assert_equivalent, energy, luts, mutate, simulate, synthesise

SAMPLES = np.random.default_rng(1).integers(-128, 128, 200)


@pytest.mark.parametrize("engine", ["verilator", "gates"])
def test_it_filters(engine):
    y = simulate(SymmetricFilter(), {"x": SAMPLES, "valid": 1}, engine=engine)["y"]
    # what is shown in a cycle was taken in before it
    np.testing.assert_array_equal(y[1:], np.convolve(SAMPLES, TAPS)[: len(SAMPLES) - 1])


def test_it_waits_for_valid_samples():
    valid = np.random.default_rng(2).integers(0, 2, len(SAMPLES))
    shown = simulate(SymmetricFilter(), {"x": SAMPLES, "valid": valid})
    taken = SAMPLES[valid == 1]
    expected = np.convolve(taken, TAPS)[: len(taken)]
    np.testing.assert_array_equal(shown["y"][shown["done"] == 1], expected[: shown["done"].sum()])


SMALL = {"taps": (1, 3, 3, 1), "width": 4}  # a solver needs seconds; at six taps and eight bits it does not finish


def test_it_equals_the_plain_filter_for_all_inputs():
    assert_equivalent(SymmetricFilter(**SMALL), Filter(**SMALL))


def test_a_mistake_is_found():
    with pytest.raises(Mismatch, match="y"):
        assert_equivalent(SymmetricFilter((1, 3, 3, 2), 4), Filter((1, 3, 3, 2), 4))


def test_symmetry_pays():
    ours, plain = synthesise(SymmetricFilter()), synthesise(Filter())
    assert ours.flip_flops == plain.flip_flops
    assert ours.area_um2 < 0.9 * plain.area_um2
    assert luts(SymmetricFilter()).lut4 < luts(Filter()).lut4


def test_waiting_costs_little_but_the_clock():
    busy, idle = (energy(SymmetricFilter(), {"x": SAMPLES, "valid": valid}) for valid in (1, 0))
    assert idle.per_cycle_pj < busy.per_cycle_pj
    assert idle.parts["clock"] > 0.8 * idle.logic_pj


def test_the_bench_finds_faults():
    assert mutate(SymmetricFilter(), "bench_fir", count=10, seed=1).value == 1
