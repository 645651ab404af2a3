"""A mapping as a loop nest, its rules, and its exact cost by the plain formulas: the definition that the mapper's fast code must equal.

A level's tile of a tensor is fetched again whenever a loop outside it moves the tile; loops that do not move it and lie inside the first
one that does are free. Neighbouring tiles share nothing (no sliding windows). A sum's first visit to a level reads nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from pydantic import Field, model_validator

from gatewright.dse.spatial.hierarchy import MULTIPLIERS, Axis, Hierarchy, Level
from gatewright.dse.spatial.problem import DIMS, IRRELEVANT, TENSORS, Dim, Problem, Tensor
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun

Loops = tuple[tuple[Dim, int], ...]


class Step(Noun):
    """What one level does: the tensors it keeps, its loops in time, outermost first, and what is spread over each array inside it."""

    keeps: tuple[Tensor, ...]
    loops: Loops = ()
    spread: tuple[Loops, ...] = ()


class LoopNest(Noun):
    """A step for each level, outermost first."""

    steps: tuple[Step, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> "LoopNest":
        for step in self.steps:
            for loops in (step.loops, *step.spread):
                dims = [dim for dim, _ in loops]
                if len(set(dims)) != len(dims) or any(trips < 2 for _, trips in loops):
                    raise ValueError(f"the loops of a level must differ and make at least two trips; got {loops}")
        return self

    def tile(self, level: int, arrays_from: int | None = None) -> tuple[int, ...]:
        """Trips of each loop inside a level, its own loops in time included; with `arrays_from`, of the arrays from that level inwards and
        all that is inside `level`."""
        result = dict.fromkeys(DIMS, 1)
        for i, step in enumerate(self.steps):
            times = step.loops if i >= level else ()
            spread = step.spread if i >= (level if arrays_from is None else arrays_from) else ()
            for dim, trips in (*times, *(loop for loops in spread for loop in loops)):
                result[dim] *= trips
        return tuple(result.values())

    def words(self, hierarchy: Hierarchy) -> str:
        """One line: each level with its loops in time (outermost first) and in brackets what its arrays spread."""
        parts = []
        for level, step in zip(hierarchy.levels, self.steps, strict=True):
            spread = [f"[{axis.name}{_text(loops) or ' -'}]" for axis, loops in zip(level.inside, step.spread, strict=True)]
            parts.append(level.name + _text(step.loops) + "".join(f" {text}" for text in spread))
        return " | ".join(parts)


def _text(loops: Loops) -> str:
    return "".join(f" {dim}{trips}" for dim, trips in loops)


@dataclass(frozen=True)
class Traffic:
    """Words read from and written to a level for one tensor, over all instances; `busiest` counts for one instance."""

    level: int
    tensor: Tensor
    reads: int
    writes: int
    busiest_reads: float
    busiest_writes: float


@dataclass(frozen=True)
class Cost:
    """Cost of a problem under a mapping: energy in pJ by level, outermost first, and of the multipliers; cycles; and the traffic they come
    from. `products`: multiplications made."""

    by_level_pj: Mapping[str, float]
    cycles: float
    products: int
    traffic: tuple[Traffic, ...]

    @property
    def energy_pj(self) -> float:
        return sum(self.by_level_pj.values())

    @property
    def edp(self) -> float:
        """Energy times cycles, in J * cycle."""
        return self.energy_pj * self.cycles * 1e-12


def broken_rule(problem: Problem, hierarchy: Hierarchy, nest: LoopNest) -> str | None:
    """Which rule a mapping breaks; None if it is legal."""
    if len(nest.steps) != len(hierarchy.levels):
        return f"{hierarchy.name} has {len(hierarchy.levels)} levels, the mapping {len(nest.steps)}"
    for dim, trips, size in zip(DIMS, nest.tile(0), problem.sizes, strict=True):
        if trips != size:
            return f"the factors of {dim} multiply to {trips}, but the layer has {size}"
    checks = (_step_rule(level, step) for level, step in zip(hierarchy.levels, nest.steps, strict=True))
    return next(filter(None, checks), None) or next(filter(None, _capacities(problem, hierarchy, nest)), None)


def _step_rule(level: Level, step: Step) -> str | None:
    kept = set(step.keeps)
    if not set(level.keeps) <= kept <= set(level.keeps) | set(level.may_keep):
        return f"{level.name} must keep {', '.join(level.keeps) or 'nothing'} and may keep {', '.join(level.may_keep) or 'nothing more'}"
    if wrong := [dim for dim, _ in step.loops if dim not in level.loops]:
        return f"{level.name} may walk {', '.join(level.loops) or 'no loop'} in time, not {wrong[0]}"
    if len(step.spread) != len(level.inside):
        return f"{level.name} has {len(level.inside)} arrays inside, the mapping spreads over {len(step.spread)}"
    return next(filter(None, (_axis_rule(axis, loops) for axis, loops in zip(level.inside, step.spread, strict=True))), None)


def _axis_rule(axis: Axis, loops: Loops) -> str | None:
    if wrong := [dim for dim, _ in loops if dim not in axis.loops]:
        return f"{axis.name} may spread {', '.join(axis.loops)}, not {wrong[0]}"
    used = prod(trips for _, trips in loops)
    return f"{used} copies exceed the {axis.size} of {axis.name}" if used > axis.size else None


def _capacities(problem: Problem, hierarchy: Hierarchy, nest: LoopNest) -> Iterator[str | None]:
    for i, (level, step) in enumerate(zip(hierarchy.levels, nest.steps, strict=True)):
        held = sum(problem.words(tensor, nest.tile(i)) for tensor in step.keeps)
        yield f"a tile of {held} words exceeds the {level.words} of {level.name}" if level.words and held > level.words else None


def evaluate(problem: Problem, hierarchy: Hierarchy, nest: LoopNest) -> Cost:
    """Exact cost of a mapping. Raises BadInput, naming the rule, for one that is not legal."""
    if rule := broken_rule(problem, hierarchy, nest):
        raise BadInput(f"Layer {problem.name} cannot be mapped so on {hierarchy.name}: {rule}.")
    traffic = [item for tensor in TENSORS for item in _traffic(problem, nest, tensor, tensor in hierarchy.latches)]
    energy, cycles = dict.fromkeys((level.name for level in hierarchy.levels), 0.0), problem.products / prod(_copies(nest))
    busiest: dict[int, list[float]] = {}
    for item in traffic:
        level = hierarchy.levels[item.level]
        energy[level.name] += item.reads * level.word_read_pj + item.writes * level.word_write_pj
        sums = busiest.setdefault(item.level, [0.0, 0.0])
        sums[0] += item.busiest_reads
        sums[1] += item.busiest_writes
    for i, (reads, writes) in busiest.items():
        level = hierarchy.levels[i]
        cycles = max(cycles, reads / (level.read_words or reads or 1.0), writes / (level.write_words or writes or 1.0))
    energy[MULTIPLIERS] = problem.products * hierarchy.mac_pj
    return Cost(energy, cycles, problem.products, tuple(traffic))


def _copies(nest: LoopNest) -> list[int]:
    """Copies of all inside, made by each level's arrays."""
    return [prod(trips for loops in step.spread for _, trips in loops) for step in nest.steps]


def _traffic(problem: Problem, nest: LoopNest, tensor: Tensor, latched: bool) -> Iterator[Traffic]:
    """Between each two levels that keep a tensor, and between the innermost of them and the multipliers."""
    copies, end = _copies(nest), len(nest.steps)
    keepers = [i for i, step in enumerate(nest.steps) if tensor in step.keeps]
    reads, writes = dict.fromkeys(keepers, 0), dict.fromkeys(keepers, 0)
    busiest_reads, busiest_writes = dict.fromkeys(keepers, 0.0), dict.fromkeys(keepers, 0.0)
    for outer, inner in zip(keepers, [*keepers[1:], end], strict=True):
        visits = fills(nest, tensor, inner, reused=inner != end or latched)
        above, below = prod(copies[:outer]), prod(copies[:inner])
        union = problem.words(tensor, nest.tile(inner, arrays_from=outer))
        tile = problem.words(tensor, nest.tile(inner))
        if tensor != "outputs":
            reads[outer] += visits * union * above
            busiest_reads[outer] += visits * union
            if inner != end:
                writes[inner] += visits * tile * below
                busiest_writes[inner] += visits * tile
            continue
        again = visits - distinct(nest, inner)  # visits that find a sum begun
        writes[outer] += visits * union * above
        busiest_writes[outer] += visits * union
        reads[outer] += again * union * above
        busiest_reads[outer] += again * union
        if inner != end:
            reads[inner] += visits * tile * below
            busiest_reads[inner] += visits * tile
            writes[inner] += again * union * above
            busiest_writes[inner] += again * tile
    for i in keepers:
        yield Traffic(i, tensor, reads[i], writes[i], busiest_reads[i], busiest_writes[i])


def fills(nest: LoopNest, tensor: Tensor, level: int, reused: bool = True) -> int:
    """How often a level's tile of a tensor is fetched: trips of all loops in time outside it, but for those that reuse it."""
    visits = 1
    for step in reversed(nest.steps[:level]):
        for dim, trips in reversed(step.loops):
            if not (reused and dim in IRRELEVANT[tensor]):
                visits, reused = visits * trips, False
    return visits


def distinct(nest: LoopNest, level: int) -> int:
    """Different tiles of the outputs that one instance of a level sees."""
    return prod(trips for step in nest.steps[:level] for dim, trips in step.loops if dim not in IRRELEVANT["outputs"])
