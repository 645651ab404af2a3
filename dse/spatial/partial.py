"""All mappings of the inner levels of a hierarchy, as arrays: each with its cost as a linear function of what the outer loops will do.

Costs count what happens while everything enumerated so far runs once. What outer loops multiply them with is known but for one number a
tensor: how often its outermost tile so far is fetched. So a cost is five coefficients: [closed, weights, inputs, outputs, begun], worth

    closed x all outer trips + sum over tensors of coefficient x fetches of its tile - begun x different tiles of the outputs

where `begun` is what the first visit to a sum saves. Row 0 is energy in pJ; other rows are words through one instance of a port of limited
width (`Port`). Of mappings with the same outer problem, those no better in any coefficient are dropped: none of them can be part of a
better whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import product
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.dse.spatial.hierarchy import Axis, Hierarchy
from gatewright.dse.spatial.problem import DIMS, IRRELEVANT, TENSORS, Dim, Problem, Tensor

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

PART = 64  # rows that grow by a level at a time, so that what they grow to fits into memory before it is pruned
CLOSED, BEGUN = 0, 4  # coefficients; those of the tensors lie between
OUTPUTS = TENSORS.index("outputs")
NO_LOOPS, GROUPS_ONLY = -1, 3  # orders beside 0, 1, 2: the loops that leave this tensor's tile in place are innermost
SETS = np.array([[dim in IRRELEVANT[tensor] for dim in DIMS] for tensor in TENSORS])


@dataclass(frozen=True)
class Port:
    """Reads or writes of a level, `words` a cycle and instance at most."""

    level: int
    writes: bool
    words: float


def ports(hierarchy: Hierarchy) -> tuple[Port, ...]:
    found = []
    for i, level in enumerate(hierarchy.levels):
        found += [Port(i, writes, words) for writes, words in ((False, level.read_words), (True, level.write_words)) if words]
    return tuple(found)


Keeps = tuple[frozenset[Tensor], ...]


@dataclass(frozen=True, eq=False)
class Partials:
    """Row i is one mapping of the inner levels.

    `tile`: trips so far. `cost`: [ports + 1, 5] coefficients. `held`: trips in the outermost tile of each tensor so far, arrays outside it
    included. `visits`: fetches of that tile in one run. `reused`: no loop so far has moved it. `begun`: different output tiles visited.
    `copies`: multipliers. `slots`: trips given to each loop at each slot; `orders`: of the loops in time at each level. Of all rows alike:
    `spread`, the outermost level whose arrays are used up, and `fetched`, the outermost one whose traffic inwards is counted.
    """

    tile: Longs
    cost: Floats
    held: Longs
    visits: Longs
    reused: NDArray[np.bool_]
    begun: Longs
    copies: Longs
    slots: Longs
    orders: NDArray[np.int8]
    spread: int
    fetched: int

    def __len__(self) -> int:
        return len(self.tile)

    def take(self, rows: NDArray[np.intp]) -> "Partials":
        return self._with({name: value[rows] for name, value in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {field.name: value for field in fields(self) if isinstance(value := getattr(self, field.name), np.ndarray)}

    @classmethod
    def joined(cls, parts: "Sequence[Partials]") -> "Partials":
        """The rows of all parts, at least one."""
        columns = [part.arrays() for part in parts]
        return parts[0]._with({name: np.concatenate([column[name] for column in columns]) for name in columns[0]})

    def _with(self, arrays: dict[str, Any]) -> "Partials":
        return replace(self, **arrays)


Slot = tuple[int, int]
"""A level and one of its arrays, or IN_TIME."""
IN_TIME = -1


def slots(hierarchy: Hierarchy) -> tuple[Slot, ...]:
    """Where a loop's trips can go, from the innermost level outwards; arrays lie inside their level's loops in time."""
    return tuple(
        slot
        for i in reversed(range(len(hierarchy.levels)))
        for slot in (*((i, a) for a in range(len(hierarchy.levels[i].inside))), (i, IN_TIME))
    )


class Inner:
    """Enumerates the levels from the innermost to all that lies inside level 1's loops in time."""

    def __init__(self, problem: Problem, hierarchy: Hierarchy, keeps: Keeps) -> None:
        self.problem, self.hierarchy, self.keeps = problem, hierarchy, keeps
        self.ports, self.slots = ports(hierarchy), slots(hierarchy)
        self.inner_keeper = [len(hierarchy.levels)] * len(
            TENSORS
        )  # the level of each tensor's outermost tile so far; first the multipliers

    def start(self) -> Partials:
        """One multiplication."""
        ones = np.ones((1, len(TENSORS), len(DIMS)), dtype=np.int64)
        cost = np.zeros((1, len(self.ports) + 1, 5))
        cost[0, 0, CLOSED] = self.hierarchy.mac_pj
        return Partials(
            tile=ones[:, 0],
            cost=cost,
            held=ones,
            visits=ones[:, :, 0],
            reused=np.array([[tensor in self.hierarchy.latches for tensor in TENSORS]]),
            begun=np.ones(1, dtype=np.int64),
            copies=np.ones(1, dtype=np.int64),
            slots=np.ones((1, len(self.slots), len(DIMS)), dtype=np.int64),
            orders=np.full((1, len(self.hierarchy.levels)), NO_LOOPS, dtype=np.int8),
            spread=len(self.hierarchy.levels),
            fetched=len(self.hierarchy.levels),
        )

    def enumerate(self, prune: Callable[[Partials], Partials]) -> Partials:
        """Level by level; `prune` drops rows after each."""
        found = self.start()
        for level in reversed(range(1, len(self.hierarchy.levels))):
            for number, axis in enumerate(self.hierarchy.levels[level].inside):
                found = self.spread(found, level, number, axis)
            found = prune(replace(found, spread=level))
            found = self.fetch(found, level, self.keeps[level])
            if level > 1:
                parts = [found.take(np.arange(at, min(at + PART, len(found)))) for at in range(0, len(found), PART)] or [found]
                found = prune(Partials.joined([prune(self.keep(self.walk(part, level), level)) for part in parts]))
                self.inner_keeper = [
                    level if tensor in self.keeps[level] else old for tensor, old in zip(TENSORS, self.inner_keeper, strict=True)
                ]
        return prune(self.fetch(found, 0, self.keeps[0] - self.keeps[1]))

    def spread(self, found: Partials, level: int, number: int, axis: Axis) -> Partials:
        """Every way to use an array."""
        rows, trips = self._choices(found, axis.loops, limit=axis.size)
        found, times = found.take(rows), trips.prod(axis=1)
        cost, held = found.cost.copy(), found.held * trips[:, None, :]
        cost[:, 0] *= times[:, None]
        chosen = found.slots.copy()
        chosen[:, self.slots.index((level, number))] = trips
        return replace(found, tile=found.tile * trips, cost=cost, held=held, copies=found.copies * times, slots=chosen)

    def walk(self, found: Partials, level: int) -> Partials:
        """Every way to split loops in time at a level, and every order that matters."""
        rows, trips = self._choices(found, self.hierarchy.levels[level].loops, tile_of=level)
        chosen = found.slots[rows]
        chosen[:, self.slots.index((level, IN_TIME))] = trips
        found = replace(found.take(rows), slots=chosen)
        inside = np.stack([np.where(of, trips, 1).prod(axis=1) for of in SETS], axis=1)  # trips of each set
        total = trips.prod(axis=1)
        legal = np.column_stack([inside > 1, (total > 1) & (inside == 1).all(axis=1), total == 1])
        rows, order = np.nonzero(legal)
        order = np.where(order == 4, NO_LOOPS, order)
        return self._looped(found.take(rows), level, order, trips[rows], inside[rows], total[rows])

    def _looped(self, found: Partials, level: int, order: Longs, trips: Longs, inside: Longs, total: Longs) -> Partials:
        cost, visits, reused = found.cost.copy(), found.visits.copy(), found.reused.copy()
        cost[:, :, CLOSED] *= total[:, None]
        moved = total // inside[:, OUTPUTS]
        cost[:, :, BEGUN] *= moved[:, None]
        for t in range(len(TENSORS)):
            times = np.where(reused[:, t] & (order == t), total // inside[:, t], total)
            closes = reused[:, t] & (times > 1)
            cost[:, :, CLOSED] += np.where(closes[:, None], cost[:, :, 1 + t] * times[:, None], 0.0)
            cost[:, :, 1 + t] *= ~closes[:, None]
            visits[:, t] *= times
            reused[:, t] &= times == 1
        orders = found.orders.copy()
        orders[:, level] = order
        tile = found.tile * trips
        return replace(found, tile=tile, cost=cost, visits=visits, reused=reused, begun=found.begun * moved, orders=orders)

    def fetch(self, found: Partials, level: int, tensors: frozenset[Tensor]) -> Partials:
        """Traffic between a level and the tiles inside it, but for what arrives there."""
        cost = found.cost.copy()
        rows = np.arange(len(found))
        outer = self.hierarchy.levels[level]
        for t, tensor in enumerate(TENSORS):
            if tensor not in tensors:
                continue
            words = self._words(tensor, found.held[:, t])
            column = np.where(found.reused[:, t], 1 + t, CLOSED)
            visited, begun = (words * found.visits[:, t]).astype(float), (words * found.begun).astype(float)
            inner = self.inner_keeper[t]
            refill = self.hierarchy.levels[inner].word_write_pj if inner < len(self.hierarchy.levels) else 0.0
            if tensor == "outputs":
                again = outer.word_read_pj + refill
                cost[rows, 0, column] += visited * (outer.word_write_pj + again)
                cost[:, 0, BEGUN] += begun * again
                self._port(cost, level, True, rows, column, visited)
                self._port(cost, level, False, rows, column, visited, begun)
            else:
                cost[rows, 0, column] += visited * outer.word_read_pj
                self._port(cost, level, False, rows, column, visited)
        return replace(found, cost=cost, fetched=min(level or 1, found.fetched))

    def keep(self, found: Partials, level: int) -> Partials:
        """A level's own tiles become the outermost ones."""
        cost, held, visits, reused = found.cost.copy(), found.held.copy(), found.visits.copy(), found.reused.copy()
        begun, rows, own = found.begun.copy(), np.arange(len(found)), self.hierarchy.levels[level]
        for t, tensor in enumerate(TENSORS):
            if tensor not in self.keeps[level]:
                continue
            words = self._words(tensor, found.tile).astype(float)
            column = np.full(len(found), 1 + t)
            if tensor == "outputs":
                cost[:, 0, 1 + t] += words * own.word_read_pj
                self._port(cost, level, False, rows, column, words)
                self._port(cost, level, True, rows, column, words, words)
                begun[:] = 1
            else:
                cost[:, 0, 1 + t] += words * own.word_write_pj
                self._port(cost, level, True, rows, column, words)
            held[:, t], visits[:, t], reused[:, t] = found.tile, 1, True
        return replace(found, cost=cost, held=held, visits=visits, reused=reused, begun=begun)

    def _port(self, cost: Floats, level: int, writes: bool, rows: Longs, column: Longs, words: Floats, begun: Floats | None = None) -> None:
        for number, port in enumerate(self.ports):
            if (port.level, port.writes) == (level, writes):
                cost[rows, 1 + number, column] += words
                if begun is not None:
                    cost[:, 1 + number, BEGUN] += begun

    def _words(self, tensor: Tensor, tiles: Longs) -> Longs:
        return words(tensor, tiles, self.problem.stride)

    def _choices(
        self, found: Partials, loops: tuple[Dim, ...], limit: int | None = None, tile_of: int | None = None
    ) -> tuple[Longs, Longs]:
        """Rows and trips: for every row each way to take factors of what is left of `loops`, at most `limit` in all, and if they are loops
        in time such that the tiles of level `tile_of` fit."""
        unique, inverse = np.unique(found.tile, axis=0, return_inverse=True)
        inverse = inverse.ravel()
        rows, trips = [np.zeros(0, np.int64)], [np.zeros((0, len(DIMS)), np.int64)]
        order = np.argsort(inverse, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(unique)))[:-1])[: len(unique)]  # no rows: no group
        for tile, members in zip(unique, groups, strict=True):
            left = tuple(size // done if dim in loops else 1 for dim, size, done in zip(DIMS, self.problem.sizes, tile, strict=True))
            options = factors(left, limit)
            if tile_of is not None:
                options = options[self._fits(tile * options, tile_of)]
            rows.append(np.repeat(members, len(options)))
            trips.append(np.tile(options, (len(members), 1)))
        return np.concatenate(rows), np.concatenate(trips)

    def _fits(self, tiles: Longs, level: int) -> NDArray[np.bool_]:
        limit = self.hierarchy.levels[level].words
        if limit is None:
            return np.ones(len(tiles), dtype=np.bool_)
        return sum((self._words(tensor, tiles) for tensor in self.keeps[level]), np.zeros(len(tiles), np.int64)) <= limit


def words(tensor: Tensor, tiles: Longs, stride: int) -> Longs:
    """As `Problem.words`, of many tiles [..., DIMS]."""
    g, n, k, c, p, q, r, s = np.moveaxis(tiles, -1, 0)
    if tensor == "weights":
        return np.asarray(g * k * c * r * s)
    if tensor == "outputs":
        return np.asarray(g * n * k * p * q)
    return np.asarray(g * n * c * np.minimum(p * r, (p - 1) * stride + r) * np.minimum(q * s, (q - 1) * stride + s))


@lru_cache(maxsize=65536)
def factors(sizes: tuple[int, ...], limit: int | None = None) -> Longs:
    """Every vector whose entries divide `sizes`, with a product of at most `limit`; in a fixed order."""
    found = np.ones((1, 0), dtype=np.int64)
    for size in sizes:
        options = divisors(size)
        found = np.column_stack([np.repeat(found, len(options), axis=0), np.tile(options, len(found))])
        if limit is not None:
            found = found[found.prod(axis=1) <= limit]
    return found


@lru_cache(maxsize=4096)
def divisors(size: int) -> Longs:
    """From 1 to `size`."""
    small = np.arange(1, isqrt(size) + 1)
    small = small[size % small == 0]
    return np.union1d(small, size // small)


def keeps_of(hierarchy: Hierarchy) -> tuple[Keeps, ...]:
    """Every choice of what each level keeps."""
    choices = []
    for level in hierarchy.levels:
        options = [frozenset(level.keeps)]
        for tensor in level.may_keep:
            options += [option | {tensor} for option in options]
        choices.append(options)
    return tuple(product(*choices))
