"""What a loop nest does, found by walking it: every trip of every loop taken, every tile's elements listed. For small problems."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product
from math import prod

from gatewright.dse.spatial.hierarchy import Axis, Hierarchy, Level
from gatewright.dse.spatial.nest import LoopNest, Step
from gatewright.dse.spatial.problem import DIMS, TENSORS, Problem

NEED = {"weights": "GKCRS", "inputs": "GNCPQRS", "outputs": "GNKPQ"}

Loop = tuple[str, int, int, bool, int]  # dim, trips, stride in the dim, in time, level


def loops_of(nest: LoopNest) -> list[Loop]:
    """All loops, outermost first: of a level first those in time, then its arrays; with the distance one trip goes in its dimension."""
    flat = []
    for i, step in enumerate(nest.steps):
        flat += [(dim, n, True, i) for dim, n in step.loops]
        flat += [(dim, n, False, i) for loops in step.spread for dim, n in loops]
    found, inside = [], dict.fromkeys(DIMS, 1)
    for dim, n, in_time, level in reversed(flat):
        found.append((dim, n, inside[dim], in_time, level))
        inside[dim] *= n
    return list(reversed(found))


def offset(loops: list[Loop], trips: tuple[int, ...]) -> dict[str, int]:
    at = dict.fromkeys(DIMS, 0)
    for (dim, _, stride, _, _), trip in zip(loops, trips, strict=True):
        at[dim] += stride * trip
    return at


def elements(tensor: str, base: dict[str, int], tile: dict[str, int], stride: int) -> set[tuple[int, ...]]:
    """Coordinates of the words that a tile touches."""
    ranges = {dim: range(base[dim], base[dim] + tile[dim]) for dim in DIMS}
    if tensor != "inputs":
        return set(product(*(ranges[dim] for dim in NEED[tensor])))
    return {
        (g, n, c, p * stride + r, q * stride + s)
        for g, n, c, p, q, r, s in product(*(ranges[dim] for dim in ("G", "N", "C", "P", "Q", "R", "S")))
    }


def traffic(problem: Problem, nest: LoopNest, latches: tuple[str, ...]) -> Counter[tuple[int, str, str]]:
    """Words by (level, tensor, "reads" or "writes"), all instances."""
    found: Counter[tuple[int, str, str]] = Counter()
    loops, end = loops_of(nest), len(nest.steps)
    for tensor in TENSORS:
        keepers = [i for i, step in enumerate(nest.steps) if tensor in step.keeps]
        for outer, inner in zip(keepers, [*keepers[1:], end], strict=True):
            walk(found, problem, loops, tensor, outer, inner, inner == end, tensor in latches)
    return found


def walk(
    found: Counter[tuple[int, str, str]],
    problem: Problem,
    loops: list[Loop],
    tensor: str,
    outer: int,
    inner: int,
    last: bool,
    latched: bool,
) -> None:
    """Time step by time step, for each instance of `outer` the tiles that the instances of `inner` under it want."""
    above = [loop for loop in loops if not loop[3] and loop[4] < outer]
    between = [loop for loop in loops if not loop[3] and outer <= loop[4] < inner]
    times = [loop for loop in loops if loop[3] and loop[4] < inner]
    inside = [loop for loop in loops if loop[4] >= inner]
    tile = {dim: prod(n for d, n, *_ in inside if d == dim) for dim in DIMS}
    for place in product(*(range(n) for _, n, *_ in above)):
        held: dict[tuple[int, ...], tuple[int, ...]] = {}
        begun: set[tuple[int, ...]] = set()
        for time in product(*(range(n) for _, n, *_ in times)):
            wanted: set[tuple[int, ...]] = set()
            moved = 0
            for copy in product(*(range(n) for _, n, *_ in between)):
                base = offset([*above, *between, *times], (*place, *copy, *time))
                corner = tuple(base[dim] for dim in NEED[tensor])
                if held.get(copy) == corner and not (last and not latched):
                    continue
                held[copy] = corner
                words = elements(tensor, base, tile, problem.stride)
                wanted |= words
                moved += len(words)
            if tensor != "outputs":
                found[outer, tensor, "reads"] += len(wanted)
                if not last:
                    found[inner, tensor, "writes"] += moved
                continue
            again = len(wanted & begun)
            begun |= wanted
            found[outer, tensor, "writes"] += len(wanted)
            found[outer, tensor, "reads"] += again
            if not last:
                found[inner, tensor, "reads"] += moved
                found[inner, tensor, "writes"] += again


def products(nest: LoopNest) -> Counter[tuple[int, ...]]:
    """How often each multiplication, named by its place in the eight loops, is made."""
    loops = loops_of(nest)
    return Counter(tuple(offset(loops, trips).values()) for trips in product(*(range(n) for _, n, *_ in loops)))


def splits(size: int, places: int) -> Iterator[tuple[int, ...]]:
    if places == 1:
        yield (size,)
        return
    for first in range(1, size + 1):
        if size % first == 0:
            yield from ((first, *rest) for rest in splits(size // first, places - 1))


def nests(problem: Problem, hierarchy: Hierarchy, orders: bool = True) -> Iterator[LoopNest]:
    """Every legal mapping, in every order of its loops (or in one)."""
    places = [(i, a) for i, level in enumerate(hierarchy.levels) for a in (-1, *range(len(level.inside)))]
    for factors in product(*(splits(size, len(places)) for size in problem.sizes)):
        at = {place: [(dim, f[j]) for dim, f in zip(DIMS, factors, strict=True) if f[j] > 1] for j, place in enumerate(places)}
        spread = [tuple(tuple(at[i, a]) for a in range(len(level.inside))) for i, level in enumerate(hierarchy.levels)]
        if not allowed(hierarchy, at):
            continue
        for kept in keepings(hierarchy):
            steps = [Step(keeps=kept[i], loops=tuple(at[i, -1]), spread=spread[i]) for i in range(len(kept))]
            if not fits(problem, hierarchy, LoopNest(steps=tuple(steps))):
                continue
            for chosen in product(*(permutations(step.loops) for step in steps)) if orders else [[step.loops for step in steps]]:
                yield LoopNest(steps=tuple(step.replace(loops=loops) for step, loops in zip(steps, chosen, strict=True)))


def allowed(hierarchy: Hierarchy, at: dict[tuple[int, int], list[tuple[str, int]]]) -> bool:
    """Whether every loop is where it may be, and every array large enough."""
    for (i, a), loops in at.items():
        level = hierarchy.levels[i]
        place = level.loops if a < 0 else level.inside[a].loops
        if any(dim not in place for dim, _ in loops) or (a >= 0 and prod(n for _, n in loops) > level.inside[a].size):
            return False
    return True


def keepings(hierarchy: Hierarchy) -> Iterator[list[tuple[str, ...]]]:
    """Every choice of what each level keeps."""
    for chosen in product((False, True), repeat=sum(len(level.may_keep) for level in hierarchy.levels)):
        flags = iter(chosen)
        found = [set(level.keeps) | {tensor for tensor in level.may_keep if next(flags)} for level in hierarchy.levels]
        yield [tuple(tensor for tensor in TENSORS if tensor in kept) for kept in found]


def fits(problem: Problem, hierarchy: Hierarchy, nest: LoopNest) -> bool:
    """Whether the elements of each level's tiles are no more than its words."""
    for i, (level, step) in enumerate(zip(hierarchy.levels, nest.steps, strict=True)):
        inside = [loop for loop in loops_of(nest) if loop[4] >= i]
        tile = {dim: prod(n for d, n, *_ in inside if d == dim) for dim in DIMS}
        held = sum(len(elements(tensor, dict.fromkeys(DIMS, 0), tile, problem.stride)) for tensor in step.keeps)
        if level.words is not None and held > level.words:
            return False
    return True


def number_of(problem: Problem, hierarchy: Hierarchy) -> int:
    """About how many mappings there are, orders apart."""
    places = sum(1 + len(level.inside) for level in hierarchy.levels)
    return prod(sum(1 for _ in splits(size, places)) for size in problem.sizes) * 2 ** sum(
        len(level.may_keep) for level in hierarchy.levels
    )


def random_problem(draw: random.Random, name: str) -> Problem:
    sizes = {dim: draw.choice((1, 1, 1, 2, 2, 3, 4)) for dim in DIMS}
    return Problem(name=name, stride=draw.choice((1, 1, 2, 3)), **sizes)


def random_hierarchy(draw: random.Random) -> Hierarchy:
    """Two to four levels of random sizes, prices, ports, arrays and constraints."""
    number = draw.choice((2, 3, 3, 4))
    levels = [
        Level(
            name="outer",
            keeps=TENSORS,
            read_pj=draw.randint(20, 90),
            write_pj=draw.randint(20, 90),
            access_words=draw.choice((1, 4)),
            read_words=draw.choice((None, 0.5, 1)),
            write_words=draw.choice((None, 0.25, 1)),
        )
    ]
    for i in range(1, number):
        pool = list(TENSORS)
        draw.shuffle(pool)
        keeps = tuple(sorted(pool[: draw.randint(0 if i > 1 else 1, 3)]))
        others = [tensor for tensor in TENSORS if tensor not in keeps]
        axes = [Axis(name=f"array{i}{a}", size=draw.randint(2, 6), loops=some(draw)) for a in range(draw.choice((0, 1, 1, 2)))]
        levels.append(
            Level(
                name=f"level{i}",
                keeps=keeps,
                may_keep=tuple(others[: draw.choice((0, 0, 1))]),
                words=draw.choice((None, 4, 8, 16, 40)),
                read_pj=draw.randint(1, 12),
                write_pj=draw.randint(1, 12),
                read_words=draw.choice((None, 1, 2, 4)),
                write_words=draw.choice((None, 1, 2)),
                loops=some(draw),
                inside=tuple(axes),
            )
        )
    latches = tuple(tensor for tensor in TENSORS if draw.random() < 0.4)
    return Hierarchy(name="random", source="drawn", mac_pj=draw.random(), levels=tuple(levels), latches=latches)


def some(draw: random.Random) -> tuple[str, ...]:
    return DIMS if draw.random() < 0.5 else tuple(dim for dim in DIMS if draw.random() < 0.6)
