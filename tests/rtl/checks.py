"""Runs programs on RTL and compares them with the golden model, layer by layer, and with the analytic cycles."""

import numpy as np

from gatewright.sim.network import Run, simulate
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from tests.generators import Case


def wrong_layers(case: Case, run: Run) -> list[int]:
    """Layers whose results differ from the golden model's in any number."""
    expected = golden.forward(case.program.network, case.codes)
    assert len(expected) == len(run.outputs)
    return [i for i, codes in enumerate(expected) if not np.array_equal(codes, run.outputs[i])]


def complaint(case: Case, **options: object) -> str | None:
    """What is wrong with a program on RTL: a layer's results, its cycles, or the last layer's results where maps share memory; None if all
    agree. Two batches run one after the other."""
    run = simulate(case.program.apart(), case.codes, all_layers=True, quick=True, **options)
    predicted = timing(case.program.schedule).cycles
    if wrong := wrong_layers(case, run):
        return f"seed {case.seed}: layers {wrong} differ from the golden model"
    if run.cycles.tolist() != [predicted] * 2:
        return f"seed {case.seed}: {run.cycles.tolist()} cycles simulated, {predicted} predicted"
    shared = simulate(case.program, case.codes, quick=True, **options)
    if not np.array_equal(shared.outputs[max(run.outputs)], run.outputs[max(run.outputs)]):
        return f"seed {case.seed}: with maps that share memory the last layer's results differ"
    return None
