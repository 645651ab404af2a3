"""`Chart`: what something costs on a platform, as a table over shapes, with provenance; between its points costs are interpolated."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product
from typing import Literal

from pydantic import Field, model_validator

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun

Origin = Literal["measured", "from_measured", "cited", "from_cited"]
"""measured: run on the tools or the device of the provenance; cited: published; from_...: computed from such figures by exact counts."""

Value = str | int | float

UNITS = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "block_rams": "block RAMs",
    "dsps": "DSPs",
    "cycles": "cycles",
    "arrays": "arrays",
    "_mhz": "MHz",
    "_us": "us",
    "_pj": "pJ",
    "_um2": "um2",
    "_percent": "%",
}
"""A cost's name is one of these, or ends in it; how the unit is written."""

ORIGINS = {
    "measured": "measured",
    "from_measured": "from measured figures",
    "cited": "cited",
    "from_cited": "from cited figures",
}


class Column(Noun):
    """A column of a chart: its name, and what it is with its unit."""

    name: str
    title: str


class Axis(Column):
    """What the points differ in: names, or numbers; between those costs are interpolated unless the axis says otherwise."""

    interpolated: bool = True


LAYER_AXES = (
    Axis(name="C", title="input channels"),
    Axis(name="K", title="output channels"),
    Axis(name="size", title="rows and columns of the output (P = Q), padded"),
    Axis(name="kernel", title="rows and columns of the kernel (R = S)", interpolated=False),
)
"""Of a convolution."""


class Cost(Column):
    """A column of figures. Along the axes in `rises_with` it may not fall while all other axes stand still."""

    origin: Origin
    rises_with: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Cost":
        if not self.name.endswith(tuple(UNITS)):
            raise ValueError(f"a cost's name ends in its unit, one of {', '.join(UNITS)}; got {self.name!r}")
        return self

    @property
    def unit(self) -> str:
        """As it is written."""
        return next(unit for end, unit in UNITS.items() if self.name.endswith(end))


class Provenance(Noun):
    """How the figures came about: on what, with which tools, when; how to make them again; and for cited figures, from where."""

    device: str = Field(min_length=1)
    method: str = Field(min_length=1)
    command: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    tools: dict[str, str] = {}
    sources: tuple[str, ...] = ()


class Chart(Noun):
    """Rows of axis values and costs. For every combination of names that occurs, the numbers form a full grid, each point once.

    interpolation: how far off costs between the points were found to be; empty where that was not measured.
    """

    platform: str = Field(pattern=r"^[a-z0-9]+$")
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    axes: tuple[Axis, ...] = Field(min_length=1)
    costs: tuple[Cost, ...] = Field(min_length=1)
    rows: tuple[tuple[Value, ...], ...] = Field(min_length=1)
    provenance: Provenance
    interpolation: str = ""

    @model_validator(mode="after")
    def _check(self) -> "Chart":
        columns = [column.name for column in self.columns]
        if len(set(columns)) != len(columns):
            raise ValueError(f"columns must differ in name; got {', '.join(columns)}")
        for row in self.rows:
            self._check_row(row)
        for axis in range(len(self.axes)):
            if len({isinstance(row[axis], str) for row in self.rows}) > 1:
                raise ValueError(f"axis {columns[axis]} must be all numbers or all names")
        for names, points in self._groups.items():
            self._check_grid(names, points)
        self._check_origins()
        return self

    def _check_row(self, row: tuple[Value, ...]) -> None:
        axes = len(self.axes)
        if len(row) != axes + len(self.costs):
            raise ValueError(f"a row has {axes} axes and {len(self.costs)} costs; got {list(row)}")
        for axis, value in zip(self.axes, row, strict=False):
            if not isinstance(value, str) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"axis {axis.name} must be a name or a positive number; got {value}")
        for cost, value in zip(self.costs, row[axes:], strict=True):
            if isinstance(value, str) or not (math.isfinite(value) and value >= 0):
                raise ValueError(f"cost {cost.name} must be a finite number, 0 or more; got {value!r}")

    def _check_grid(self, names: tuple[str, ...], points: Mapping[tuple[float, ...], tuple[float, ...]]) -> None:
        """Completeness and the direction of every cost that has one."""
        grid = list(self.grid(names).values())
        where = f" of {', '.join(names)}" if names else ""
        missing = [point for point in product(*grid) if point not in points]
        if missing:
            raise ValueError(f"the points{where} must form a full grid; there is none at {self._say(missing[0])}")
        if len(points) != sum(self._names(row) == names for row in self.rows):
            raise ValueError(f"a point{where} occurs twice")
        for j, cost in enumerate(self.costs):
            for axis in cost.rises_with:
                if axis not in self.numbers:
                    raise ValueError(f"{cost.name} rises with {axis}, which is no axis of numbers")
                k = self.numbers.index(axis)
                following = dict(pairwise(grid[k]))
                for point, costs in points.items():
                    after = (*point[:k], following.get(point[k], point[k]), *point[k + 1 :])
                    if points[after][j] < costs[j]:
                        raise ValueError(f"{cost.name}{where} must not fall as {axis} rises; it does from {self._say(point)}")

    def _check_origins(self) -> None:
        origins = {cost.origin for cost in self.costs}
        if origins & {"measured", "from_measured"} and not self.provenance.tools:
            raise ValueError("measured figures need the versions of their tools")
        if origins & {"cited", "from_cited"} and not self.provenance.sources:
            raise ValueError("cited figures need their sources")

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, in the order of a row."""
        return (*self.axes, *self.costs)

    @property
    def key(self) -> str:
        """`platform/name`."""
        return f"{self.platform}/{self.name}"

    @property
    def numbers(self) -> list[str]:
        """The axes of numbers."""
        return [axis.name for i, axis in enumerate(self.axes) if not isinstance(self.rows[0][i], str)]

    @property
    def names(self) -> list[str]:
        """The axes of names."""
        return [axis.name for axis in self.axes if axis.name not in self.numbers]

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The combinations of names that occur, in order of `names`."""
        return list(self._groups)

    def grid(self, names: tuple[str, ...]) -> dict[str, list[float]]:
        """The values of every axis of numbers for one combination of names. Raises BadInput for one that is not there."""
        points = self._points(names)
        return {axis: sorted(set(column)) for axis, column in zip(self.numbers, zip(*points, strict=True), strict=True)}

    def _names(self, row: Sequence[Value]) -> tuple[str, ...]:
        return tuple(value for value in row[: len(self.axes)] if isinstance(value, str))

    def _say(self, point: Sequence[float]) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in zip(self.numbers, point, strict=True))

    @cached_property
    def _groups(self) -> dict[tuple[str, ...], dict[tuple[float, ...], tuple[float, ...]]]:
        """By names, then by numbers: the costs."""
        groups: dict[tuple[str, ...], dict[tuple[float, ...], tuple[float, ...]]] = defaultdict(dict)
        for row in self.rows:
            point = tuple(float(value) for value in row[: len(self.axes)] if not isinstance(value, str))
            groups[self._names(row)][point] = tuple(float(value) for value in row[len(self.axes) :])
        return groups

    def values(self, axis: str) -> list[Value]:
        """What an axis takes, in order. Raises BadInput for an axis that is not there."""
        names = [known.name for known in self.axes]
        if axis not in names:
            raise BadInput(f"{self.key} has no axis {axis!r}; it has {', '.join(names)}.")
        column = [row[names.index(axis)] for row in self.rows]
        return list(dict.fromkeys(column)) if isinstance(column[0], str) else sorted(set(column))

    def at(self, **where: Value) -> dict[str, float]:
        """Every cost at a shape, one value for each axis.

        Between points a cost follows a power law along every axis where the points around are positive, else straight lines over the
        logarithm. Raises BadInput for a missing or unknown axis, a name that is not there, a number outside the chart's range, and one
        between the values of an axis that is not interpolated.
        """
        self._check_axes(where)
        if missing := [axis.name for axis in self.axes if axis.name not in where]:
            raise BadInput(f"{self.key} needs a value for {', '.join(missing)} too.")
        names = tuple(str(where[name]) for name in self.names)
        points = self._points(names)
        corners: list[tuple[float, tuple[float, ...]]] = [(1.0, ())]
        for name, steps in self.grid(names).items():
            around = self._around(name, self._number(name, where[name]), steps)
            corners = [(weight * part, (*at, value)) for weight, at in corners for part, value in around]
        return {cost.name: _mean([(w, points[at][j]) for w, at in corners]) for j, cost in enumerate(self.costs)}

    def select(self, **where: Value) -> tuple[tuple[Value, ...], ...]:
        """The rows that have these values, in order. Raises BadInput for an unknown axis, and where there is none."""
        self._check_axes(where)
        columns = [axis.name for axis in self.axes]
        wanted = {columns.index(name): str(value) if name in self.names else self._number(name, value) for name, value in where.items()}
        if found := tuple(row for row in self.rows if all(row[i] == value for i, value in wanted.items())):
            return found
        known = "; ".join(f"{name} {', '.join(_text(value) for value in self.values(name))}" for name in where)
        raise BadInput(f"{self.key} has no row with {', '.join(f'{n} {_text(v)}' for n, v in where.items())}; it has rows with {known}.")

    def holds(self, **where: Value) -> bool:
        """Whether a shape is one of the points."""
        return any(row[: len(self.axes)] == tuple(where[axis.name] for axis in self.axes) for row in self.rows)

    def _check_axes(self, where: Mapping[str, Value]) -> None:
        for axis in where:
            self.values(axis)

    def _number(self, axis: str, value: Value) -> float:
        if isinstance(value, str):
            raise BadInput(f"{axis} of {self.key} is a number; {value!r} is no number.")
        return value

    def _points(self, names: tuple[str, ...]) -> Mapping[tuple[float, ...], tuple[float, ...]]:
        if names not in self._groups:
            known = "; ".join(", ".join(group) for group in self._groups)
            raise BadInput(f"{self.key} has no points for {', '.join(names)}; it has them for {known}.")
        return self._groups[names]

    def _around(self, name: str, value: float, steps: Sequence[float]) -> list[tuple[float, float]]:
        """The chart's values on both sides of one, with weights."""
        if not steps[0] <= value <= steps[-1]:
            raise BadInput(f"{self.key} covers {name} from {steps[0]:g} to {steps[-1]:g}; got {value:g}. It is not extended beyond.")
        above = next(step for step in steps if step >= value)
        if above == value:
            return [(1.0, above)]
        if not next(axis for axis in self.axes if axis.name == name).interpolated:
            known = ", ".join(f"{step:g}" for step in steps)
            raise BadInput(f"{self.key} is not interpolated over {name}, which is one of {known}; got {value:g}.")
        below = steps[steps.index(above) - 1]
        part = math.log(value / below) / math.log(above / below)
        return [(1 - part, below), (part, above)]


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _mean(terms: Sequence[tuple[float, float]]) -> float:
    """The weighted mean: geometric where all are positive."""
    if len(terms) == 1:
        return terms[0][1]
    if min(value for _, value in terms) > 0:
        return math.exp(math.fsum(weight * math.log(value) for weight, value in terms))
    return math.fsum(weight * value for weight, value in terms)
