"""Floors of energy and cycles that no whole mapping with some inner part can be below."""

from itertools import pairwise
from math import prod

import numpy as np

from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.partial import BEGUN, CLOSED, OUTPUTS, SETS, Floats, Keeps, Longs, Partials, divisors, factors, ports, words
from gatewright.dse.spatial.problem import TENSORS, Problem, Tensor


class Arrivals:
    """The least that level 0 and level 1 move between them, whatever tile level 1 takes among the multiples of an inner tile that fit.

    Energy in pJ and words through each port, each of them the least on its own.
    """

    def __init__(self, problem: Problem, hierarchy: Hierarchy, keeps: Keeps) -> None:
        sizes, (outer, inner) = np.array(problem.sizes), hierarchy.levels[:2]
        self.divisors = [divisors(size) for size in problem.sizes]
        tiles = factors(problem.sizes)
        trips = sizes // tiles
        total = trips.prod(axis=1).astype(float)
        fewest = np.stack([np.where(of, 1, trips).prod(axis=1) for of in SETS], axis=1).astype(float)
        held = np.stack([words(tensor, tiles, problem.stride) * (tensor in keeps[1]) for tensor in TENSORS], axis=1).astype(float)
        options = []
        for order in range(len(TENSORS)):  # whose tile the innermost loops at level 0 leave in place
            moved = np.where(np.arange(len(TENSORS)) == order, fewest, total[:, None]) * held
            outwards = moved[:, OUTPUTS]
            inwards = moved.sum(axis=1) - fewest[:, OUTPUTS] * held[:, OUTPUTS]  # the first visit to a sum reads nothing
            energy = inwards * (outer.word_read_pj + inner.word_write_pj) + outwards * (outer.word_write_pj + inner.word_read_pj)
            through = [(inwards if port.writes == port.level else outwards) * (port.level < 2) for port in ports(hierarchy)]
            options.append(np.column_stack([energy, *through]))
        least = np.minimum.reduce(options)
        if inner.words is not None:
            least[held.sum(axis=1) > inner.words] = np.inf
        least = least.reshape(*(len(of) for of in self.divisors), -1)
        for axis, of in enumerate(self.divisors):
            whole = np.moveaxis(least, axis, 0)
            for i in range(len(of)):
                whole[i] = whole[[j for j in range(i, len(of)) if of[j] % of[i] == 0]].min(axis=0)
        self.least = least

    def of(self, tiles: Longs) -> Floats:
        """[tiles, ports + 1] for inner tiles [tiles, DIMS]."""
        return np.asarray(self.least[tuple(np.searchsorted(of, tiles[:, d]) for d, of in enumerate(self.divisors))])


class Bounds:
    """Energy and cycles that no whole mapping with some inner part can be below.

    The innermost loop in time still to come leaves the tile of at most one tensor in place: the others are fetched in every trip. So there
    are three floors, one for each tensor that may be the one, and no whole mapping is below all three. The tile that stays is fetched once
    at least for every different one. Every word passes each level that keeps it once, or between the two outermost levels as `arrivals`
    says; without them a floor only grows with a problem's sizes.
    """

    def __init__(self, problem: Problem, hierarchy: Hierarchy, keeps: Keeps, arrivals: Arrivals | None = None) -> None:
        self.problem, self.hierarchy, self.keeps, self.arrivals = problem, hierarchy, keeps, arrivals
        self.ports = ports(hierarchy)

    def of(self, found: Partials) -> tuple[Floats, Floats]:
        """[rows, 3] each: which tensor's tile may stay in place."""
        more_copies = prod(level.fanout for level in self.hierarchy.levels[: found.spread])
        left = np.array(self.problem.sizes) // found.tile
        trips = left.prod(axis=1).astype(float)
        fewest = np.stack([np.where(of, 1, left).prod(axis=1) for of in SETS], axis=1).astype(float)
        begun = np.minimum(trips, fewest[:, OUTPUTS] * more_copies)
        base = found.cost[:, :, CLOSED] * trips[:, None] - found.cost[:, :, BEGUN] * begun[:, None]
        if self.arrivals:
            base += self.arrivals.of(found.tile)
        floors = np.repeat(base[:, None], len(TENSORS), axis=1)
        for t, tensor in enumerate(TENSORS):
            fetches = np.repeat(trips[:, None], len(TENSORS), axis=1)
            fetches[:, t] = np.where(found.reused[:, t], fewest[:, t], trips)
            floors += fetches[:, :, None] * found.cost[:, None, :, 1 + t]
            reads = np.maximum(fewest[:, t, None], fetches / more_copies)  # arrays to come may serve several trips with one word
            self._outwards(floors, found, t, tensor, reads * found.visits[:, t, None], more_copies)
        cycles = np.repeat((self.problem.products / (found.copies * more_copies).astype(float))[:, None], len(TENSORS), axis=1)
        if more_copies == 1:
            for number, port in enumerate(self.ports):
                cycles = np.maximum(cycles, floors[:, :, 1 + number] / port.words)
        return np.maximum(floors[:, :, 0], 0.0), cycles

    def _outwards(self, floors: Floats, found: Partials, t: int, tensor: Tensor, visits: Floats, more_copies: int) -> None:
        """Adds what is still to come: the way from the next level that keeps a tensor to its outermost tile so far, then once through
        every level further out."""
        outer = [i for i in range(found.fetched) if tensor in self.keeps[i]]
        whole = np.full(visits.shape, float(self.problem.words(tensor)))
        if found.fetched > 1 and outer:
            # neighbouring copies may share inputs, so while there are arrays to come only the whole tensor is sure to be read
            shared = tensor == "inputs" and more_copies > 1
            held = words(tensor, found.held[:, t], self.problem.stride)
            self._moved(floors, tensor, outer[-1], None, whole if shared else visits * held[:, None])
        if found.fetched == 1 and tensor not in self.keeps[1]:
            return
        inner = outer if found.fetched > 1 else [0, 1]
        for outside, inside in pairwise(inner):
            if inside > 1 or not self.arrivals:
                self._moved(floors, tensor, outside, inside, whole)

    def _moved(self, floors: Floats, tensor: Tensor, outside: int, inside: int | None, number: Floats) -> None:
        """`number` [rows, 3] words of a tensor once from one level to another, or of outputs the other way."""
        levels, result = self.hierarchy.levels, tensor == "outputs"
        price = levels[outside].word_write_pj if result else levels[outside].word_read_pj
        if inside is not None:
            price += levels[inside].word_read_pj if result else levels[inside].word_write_pj
        floors[:, :, 0] += price * number
        for j, port in enumerate(self.ports):
            if port.level < 2 and (port.level, port.writes) in ((outside, result), (inside, not result)):
                floors[:, :, 1 + j] += number
