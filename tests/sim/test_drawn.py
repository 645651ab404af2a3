"""Drawn probes: balanced, legal, the same everywhere."""

import os
import subprocess
import sys
from collections import Counter

from gatewright.hw.config import binary_weight, integer, shift, stochastic, xnor
from gatewright.sim.drawn import DEEP, GRIDS, STAGES, WIDE, drawn
from gatewright.sim.plan import DRAWN, FULL, OPERATORS, PROBES
from gatewright.sim.probe import mapped

FEW = (integer(8), xnor(), binary_weight(4), shift(), stochastic(64))


def test_operators_come_equally_often() -> None:
    probes = drawn(FEW, 20, seed=1)
    seen = Counter(operator for probe in probes for operator in probe.config.operators)
    assert set(seen) == set(FEW)
    assert max(seen.values()) - min(seen.values()) <= 2  # one that the hand holds already is skipped
    for probe in probes:
        assert set(probe.architecture.operators) == set(probe.config.operators)


def test_every_grid_comes_with_every_number_of_stages() -> None:
    probes = drawn(FEW, len(GRIDS) * STAGES, seed=1)
    found = {((probe.config.rows, probe.config.cols), probe.config.pipeline_stages) for probe in probes}
    assert found == {(grid, stages) for grid in GRIDS for stages in range(STAGES)}
    assert all(probe.images == 4 for probe in probes if probe.config.rows == DEEP)
    assert all(probe.config.accumulator_bits == WIDE for probe in probes if {shift(), stochastic(64)} & set(probe.config.operators))


def test_another_seed_is_another_plan() -> None:
    assert drawn(FEW, 5, seed=1) != drawn(FEW, 5, seed=2)


def test_the_full_plan_is_the_same_in_another_process() -> None:
    """Shipped measurements are of these probes: nothing may hang on the order of a set or the seed of a hash."""
    script = "from gatewright.sim.plan import FULL; print(FULL.to_json())"
    run = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == FULL.to_json()
    assert FULL.probes == (*PROBES, *DRAWN)


def test_each_operator_is_on_several_accelerators_of_the_full_plan() -> None:
    seen = Counter(operator for probe in FULL.probes for operator in probe.config.operators)
    assert set(seen) == set(OPERATORS)
    assert min(seen.values()) >= 4


def test_every_drawn_layer_has_a_mapping() -> None:
    for probe in DRAWN[:: len(GRIDS) - 1]:  # one of each grid
        assert len(mapped(probe)) == len(probe.architecture.operators)
