"""Many points (layer, mapping, accelerator): their numbers, cycles and energy, one after the other in compiled code."""

import numpy as np

from gatewright.dse.closed_form.bound import bound
from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.counts import count
from gatewright.dse.closed_form.cycles import cycles
from gatewright.dse.closed_form.numbers import CYCLES, NUMBERS, energy
from gatewright.dse.closed_form.records import MAPPED, take


@compiled
def evaluate(problems, which, mappings, costs, exact, energies, times):
    """Energy in pJ and cycles of every point [n]; without `exact` a lower bound of the cycles, and the energy with that."""
    out, scratch, m = np.empty(len(NUMBERS), np.int64), np.empty((4, 7), np.int64), np.empty(1, MAPPED)[0]
    for i in range(len(which)):
        p = problems[which[i]]
        take(m, mappings, i)
        count(p, m, out)
        out[CYCLES] = cycles(p, m, scratch) if exact else bound(p, m, out)
        times[i] = out[CYCLES]
        energies[i] = energy(p, out, costs[which[i]])


@compiled
def tabulate(problems, which, mappings, numbers):
    """The exact `NUMBERS` of every point, [n, NUMBERS]."""
    scratch, m = np.empty((4, 7), np.int64), np.empty(1, MAPPED)[0]
    for i in range(len(which)):
        p = problems[which[i]]
        take(m, mappings, i)
        count(p, m, numbers[i])
        numbers[i, CYCLES] = cycles(p, m, scratch)
