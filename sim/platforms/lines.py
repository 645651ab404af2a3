"""A chart as lines: one cost over one axis, a line for each combination of names or each value of another axis, other numbers held."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewright.hw.errors import BadInput
from gatewright.sim.platforms.chart import Chart, Value


@dataclass(frozen=True)
class Line:
    """Values of one combination of names, in order of x."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Lines:
    """A plot's numbers; `held` are the axes that stand still, with their values."""

    cost: str
    unit: str
    x: str
    held: dict[str, float]
    lines: tuple[Line, ...]


def lines_info(chart: Chart, cost: str, x: str | None = None, held: Mapping[str, float] | None = None) -> Lines:
    """One cost over the axis `x` (the first of numbers), the other numbers held at `held` or at the middle of what all lines have.

    A combination of names whose points do not cover a held value has no line. A chart without names has a line for each value of its
    last axis of numbers. Raises BadInput for a cost or an axis that is not there, and for a held value that none covers.
    """
    costs = {known.name: known for known in chart.costs}
    if cost not in costs:
        raise BadInput(f"{chart.key} has no cost {cost!r}; it has {', '.join(costs)}.")
    x = x or chart.numbers[0]
    if x not in chart.numbers:
        raise BadInput(f"{x!r} is no axis of numbers of {chart.key}; these are {', '.join(chart.numbers)}.")
    others = [name for name in chart.numbers if name != x]
    if unknown := sorted(set(held or {}) - set(others)):
        raise BadInput(f"{', '.join(unknown)} cannot be held; of {chart.key} over {x} these can: {', '.join(others) or 'none'}.")
    by = others[-1] if others and not chart.names and others[-1] not in (held or {}) else None
    grids = {names: chart.grid(names) for names in chart.groups}
    fixed = {name: float((held or {}).get(name, _middle([grid[name] for grid in grids.values()]))) for name in others if name != by}
    lines = []
    for names, grid in grids.items():
        if any(not grid[name][0] <= value <= grid[name][-1] for name, value in fixed.items()):
            continue
        named: dict[str, Value] = dict(zip(chart.names, names, strict=True))
        for each in grid[by] if by else [None]:
            where = named | fixed | ({} if by is None or each is None else {by: each})
            y = tuple(chart.at(**where, **{x: value})[cost] for value in grid[x])
            lines.append(Line(" ".join(names) if each is None else f"{by} {each:g}", tuple(grid[x]), y))
    if not lines:
        raise BadInput(f"No line of {chart.key} covers {', '.join(f'{name} {value:g}' for name, value in fixed.items())}.")
    return Lines(costs[cost].title, costs[cost].unit, next(axis.title for axis in chart.axes if axis.name == x), fixed, tuple(lines))


def _middle(grids: list[list[float]]) -> float:
    """The middle of the values that all grids have, or of the first grid's."""
    common = sorted(set(grids[0]).intersection(*grids)) or grids[0]
    return common[len(common) // 2]
