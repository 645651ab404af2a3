"""What may be left out of a list of partial mappings without losing the best whole: those dominated, those whose bound is too high."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gatewright.dse.spatial.partial import BEGUN, Floats, Longs, Partials

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


@njit(cache=True)
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


def within(bound: Floats, incumbent: float) -> NDArray[np.intp]:
    """Rows whose bound does not exceed the best known value."""
    return np.flatnonzero(bound <= incumbent * SLACK)
