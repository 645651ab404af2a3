"""What may be left out of a list of partial mappings without losing the best whole: those dominated, those whose bound is too high."""

from itertools import pairwise
from math import prod

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.partial import BEGUN, CLOSED, OUTPUTS, SETS, Floats, Keeps, Longs, Partials, ports, words
from gatewright.dse.spatial.problem import TENSORS, Problem, Tensor

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


class Bounds:
    """Energy and cycles that no whole mapping with some inner part can be below.

    Each tensor's tile is fetched at least once for every different one, and every word passes each level that keeps it once.
    """

    def __init__(self, problem: Problem, hierarchy: Hierarchy, keeps: Keeps) -> None:
        self.problem, self.hierarchy, self.keeps = problem, hierarchy, keeps
        self.ports = ports(hierarchy)

    def of(self, found: Partials) -> tuple[Floats, Floats]:
        more_copies = prod(level.fanout for level in self.hierarchy.levels[: found.spread])
        left = np.array(self.problem.sizes) // found.tile
        trips = left.prod(axis=1).astype(float)
        fewest = np.stack([np.where(of, 1, left).prod(axis=1) for of in SETS], axis=1).astype(float)
        begun = np.minimum(trips, fewest[:, OUTPUTS] * more_copies)
        floor = found.cost[:, :, CLOSED] * trips[:, None] - found.cost[:, :, BEGUN] * begun[:, None]
        for t, tensor in enumerate(TENSORS):
            floor += found.cost[:, :, 1 + t] * fewest[:, t, None]
            moving = ~found.reused[:, t] & (more_copies == 1)  # every further trip fetches the tile again
            self._outwards(floor, found, t, tensor, np.where(moving, trips, fewest[:, t]) * found.visits[:, t], more_copies)
        cycles = self.problem.products / (found.copies * more_copies).astype(float)
        for number, port in enumerate(self.ports):
            if more_copies == 1:
                cycles = np.maximum(cycles, floor[:, 1 + number] / port.words)
        return np.maximum(floor[:, 0], 0.0), cycles

    def _outwards(self, floor: Floats, found: Partials, t: int, tensor: Tensor, visits: Floats, more_copies: int) -> None:
        """Adds what is still to come: the way from the next level that keeps a tensor to its outermost tile so far, then once through
        every level further out."""
        outer = [i for i in range(found.fetched) if tensor in self.keeps[i]]
        if found.fetched > 1 and outer:
            # neighbouring copies may share inputs, so while there are arrays to come only the whole tensor is sure to be read
            shared = tensor == "inputs" and more_copies > 1
            held = words(tensor, found.held[:, t], self.problem.stride)
            self._moved(floor, tensor, outer[-1], None, np.full(len(found), self.problem.words(tensor)) if shared else visits * held)
        if found.fetched == 1 and tensor not in self.keeps[1]:
            return
        inner = outer if found.fetched > 1 else [0, 1]
        for outside, inside in pairwise(inner):
            self._moved(floor, tensor, outside, inside, np.full(len(found), float(self.problem.words(tensor))))

    def _moved(self, floor: Floats, tensor: Tensor, outside: int, inside: int | None, number: Floats) -> None:
        """`number` words of a tensor once from one level to another, or of outputs the other way."""
        levels, result = self.hierarchy.levels, tensor == "outputs"
        price = levels[outside].word_write_pj if result else levels[outside].word_read_pj
        if inside is not None:
            price += levels[inside].word_read_pj if result else levels[inside].word_write_pj
        floor[:, 0] += price * number
        for j, port in enumerate(self.ports):
            if port.level < 2 and (port.level, port.writes) in ((outside, result), (inside, not result)):
                floor[:, 1 + j] += number


def within(bound: Floats, incumbent: float) -> NDArray[np.intp]:
    """Rows whose bound does not exceed the best known value."""
    return np.flatnonzero(bound <= incumbent * SLACK)
