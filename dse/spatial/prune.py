"""What may be left out of a list of partial mappings without losing the best whole: those dominated, those whose bound is too high."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.partial import BEGUN, CLOSED, OUTPUTS, SETS, Floats, Keeps, Longs, Partials
from gatewright.dse.spatial.problem import TENSORS, Problem

SLACK = 1 + 1e-12  # of rounding: bounds this close to the best known count as not above it


def grouped(found: Partials) -> tuple[Partials, Longs]:
    """Rows with an equal outer problem side by side, and where each group begins (and the last one ends)."""
    key = np.column_stack([found.tile, found.held.reshape(len(found), -1), found.reused])
    _, inverse = np.unique(key, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    return found.take(order), np.concatenate([[0], np.cumsum(np.bincount(inverse))]).astype(np.int64)


def undominated(found: Partials) -> Partials:
    """Without rows that another row of their group is at least as good as, in every coefficient; of equal ones the first stays."""
    if not len(found):
        return found
    found, first = grouped(found)
    cost = found.cost.copy()
    cost[:, :, BEGUN] *= -1
    pending = np.column_stack([found.visits, -found.begun, -found.copies])
    return found.take(np.flatnonzero(_front(np.column_stack([cost.reshape(len(found), -1), pending]).astype(float), first)))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _front(values, first):  # type: ignore[no-untyped-def]
    kept = np.ones(values.shape[0], np.bool_)
    for group in range(first.shape[0] - 1):
        for i in range(first[group], first[group + 1]):
            for j in range(first[group], first[group + 1]):
                if i == j or not kept[j]:
                    continue
                better, equal = True, True
                for k in range(values.shape[1]):
                    if values[j, k] > values[i, k]:
                        better = False
                        break
                    equal = equal and values[j, k] == values[i, k]
                if better and (not equal or j < i):
                    kept[i] = False
                    break
    return kept


def bounds(found: Partials, problem: Problem, hierarchy: Hierarchy, keeps: Keeps, ports: Floats, more_copies: int = 1) -> tuple[Floats, Floats]:
    """Energy and cycles that no whole mapping with this inner part can be below; arrays still to come make up to `more_copies` copies.

    Each tensor's tile is fetched at least once for every different one, and every word crosses from the outermost level once.
    """
    left = np.array(problem.sizes) // found.tile
    trips = left.prod(axis=1).astype(float)
    fewest = np.stack([np.where(of, 1, left).prod(axis=1) for of in SETS], axis=1).astype(float)
    begun = np.minimum(trips, fewest[:, OUTPUTS] * more_copies)
    cost = found.cost
    floor = cost[:, :, CLOSED] * trips[:, None] - cost[:, :, BEGUN] * begun[:, None]
    for t in range(len(TENSORS)):
        floor += cost[:, :, 1 + t] * fewest[:, t, None]
    outer, inner = hierarchy.levels[:2]
    energy = np.maximum(floor[:, 0], 0.0)
    for tensor in keeps[1]:
        into, out = (outer.word_write_pj, inner.word_read_pj) if tensor == "outputs" else (outer.word_read_pj, inner.word_write_pj)
        energy += problem.words(tensor) * (into + out)
    cycles = problem.products / (found.copies * more_copies).astype(float)
    if more_copies == 1:
        for port in range(len(ports)):
            cycles = np.maximum(cycles, floor[:, 1 + port] / ports[port, 2])
    return energy, cycles


def within(bound: Floats, incumbent: float) -> NDArray[np.intp]:
    """Rows whose bound does not exceed the best known value."""
    return np.flatnonzero(bound <= incumbent * SLACK)
