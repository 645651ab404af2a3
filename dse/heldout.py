"""The cost model's error on what it never saw: every measured accelerator predicted by a model fitted to the others."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from gatewright.dse.cost import CostModel
from gatewright.dse.equations import Sample, all_parts
from gatewright.dse.features import Part
from gatewright.dse.shape import shape
from gatewright.hw.errors import BadInput
from gatewright.sim import cache, tools


@dataclass(frozen=True)
class Row:
    """One part of one accelerator, or ("accelerator") all of it, or what it does for one operator: measured and predicted area and energy
    per run of the program. `settled`: energy without glitches."""

    name: str
    part: str
    family: str
    area_um2: float
    predicted_um2: float
    energy_pj: float
    predicted_pj: float
    settled_pj: float
    predicted_settled_pj: float

    @property
    def area_error(self) -> float | None:
        return self.predicted_um2 / self.area_um2 - 1 if self.area_um2 else None

    @property
    def energy_error(self) -> float | None:
        return self.predicted_pj / self.energy_pj - 1 if self.energy_pj else None

    @property
    def settled_error(self) -> float | None:
        return self.predicted_settled_pj / self.settled_pj - 1 if self.settled_pj else None


OPERATOR_AREA, OPERATOR_ENERGY, OPERATOR_WORST = 0.03, 0.05, 0.12  # targets of an operator: mean area, mean energy, its worst
WHOLE_AREA, WHOLE_ENERGY = 0.05, 0.08  # of a complete accelerator
WHOLE, OPERATOR = "accelerator", "operator"
GRID = ("element", "grid", "activation_edge", "weight_edge", "lanes", "encoder", "source")  # where an operator's energy goes


def mean(errors: Iterable[float | None]) -> float:
    """Mean magnitude."""
    return float(np.mean([abs(error or 0.0) for error in errors]))


def worst(errors: Iterable[float | None]) -> float:
    """The error of greatest magnitude, with its sign."""
    return max((error or 0.0 for error in errors), key=abs)


@dataclass(frozen=True)
class HeldOut:
    """Signed errors, and their summary over complete accelerators.

    `operators`: for every operator of every accelerator, what the grid takes in that operator's layers, and the area of its lanes, encoders
    and sources with an equal part of the elements and edges. `alone` names accelerators with a part that no other one has: nothing could
    predict them, so they are not scored.
    """

    rows: tuple[Row, ...]
    operators: tuple[Row, ...]
    cycles_wrong: int
    alone: tuple[str, ...] = ()

    @property
    def whole(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.family == WHOLE)

    @property
    def area_mape(self) -> float:
        return mean(row.area_error for row in self.whole)

    @property
    def energy_mape(self) -> float:
        return mean(row.energy_error for row in self.whole)

    @property
    def zero_delay_mape(self) -> float:
        """Of the energy without glitches."""
        return mean(row.settled_error for row in self.whole)

    @property
    def energy_worst(self) -> float:
        return worst(row.energy_error for row in self.whole)

    def by_operator(self) -> dict[str, tuple[Row, ...]]:
        """Rows of `operators` by operator."""
        names = sorted({row.part for row in self.operators})
        return {name: tuple(row for row in self.operators if row.part == name) for name in names}

    def families(self) -> dict[str, tuple[Row, ...]]:
        """Rows by family of parts, complete accelerators last."""
        names = sorted({row.family for row in self.rows} - {WHOLE})
        return {name: tuple(row for row in self.rows if row.family == name) for name in (*names, WHOLE)}


def heldout(model: CostModel) -> HeldOut:
    """Leave one accelerator out after the other."""
    rows: list[Row] = []
    operators: list[Row] = []
    alone: list[str] = []
    for i, item in enumerate(model.samples):
        others = model.without(i)
        if {part.family for part in all_parts(item.config)} <= set(others.costs):
            rows += compare(others, item)
            operators += compare_operators(others, item)
        else:
            alone.append(item.measurement.name)
    if not rows:
        raise BadInput("Held-out errors need measurements of at least two accelerators with parts in common. Give a larger plan.")
    return HeldOut(tuple(rows), tuple(operators), sum(cycles_wrong(item) for item in model.samples), tuple(alone))


def energy_mape(model: CostModel) -> float:
    """`HeldOut.energy_mape`, remembered on disk: a fit for each accelerator left out takes seconds, and every process asks."""
    measurements = [json.loads(item.measurement.to_json()) for item in model.samples]
    key = cache.key(measurements=measurements, sources=_sources(), tools=tools.versions("numpy"))
    return float(cache.value("heldout", key, lambda: heldout(model).energy_mape))


@lru_cache(maxsize=1)
def _sources() -> list[str]:
    """Digests of all that a prediction rests on beside measurements."""
    root = Path(__file__).parent.parent
    return [cache.digest(path) for folder in ("dse", "hw", "sw") for path in sorted((root / folder).rglob("*.py"))]


def cycles_wrong(item: Sample) -> int:
    """Layers whose simulated cycles differ from the prediction."""
    return sum(layer.cycles != n.cycles for layer, n in zip(item.measurement.layers, item.counts, strict=True))


@dataclass
class _Sums:
    """Energies by part: measured, predicted, and both without glitches."""

    measured: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    predicted_settled: Counter[str] = field(default_factory=Counter)

    def add(self, model: CostModel, item: Sample, i: int) -> None:
        """One layer."""
        layer, work, clock_ns = item.measurement.layers[i], item.work[i], item.measurement.clock_ns
        self.measured.update({key: sum(causes) for key, causes in layer.energy.items()})
        self.settled.update({key: sum(causes[:3]) for key, causes in layer.energy.items()})
        self.predicted.update(model.layer(item.config, work, clock_ns))
        self.predicted_settled.update(model.layer(item.config, work, clock_ns, zero_delay=True))

    def of(self, keys: Iterable[str]) -> tuple[float, float, float, float]:
        """Sums over some parts."""
        keys = tuple(keys)
        measured, predicted, settled, without = (
            sum(sums[key] for key in keys) for sums in (self.measured, self.predicted, self.settled, self.predicted_settled)
        )
        return measured, predicted, settled, without


def compare(model: CostModel, item: Sample) -> list[Row]:
    """A model's prediction beside a measurement, part by part and as a whole."""
    m, sums = item.measurement, _Sums()
    for i in range(len(m.layers)):
        sums.add(model, item, i)
    rows = []
    for priced in model.priced(item.config):
        key = priced.part.key
        area = m.parts[key].area_um2 if key in m.parts else 0.0
        rows.append(Row(m.name, key, priced.part.family, area, priced.area_um2, *sums.of([key])))
    every = sums.of(sums.measured | sums.predicted)
    return [*rows, Row(m.name, WHOLE, WHOLE, m.area_um2, sum(r.predicted_um2 for r in rows), *every)]


def compare_operators(model: CostModel, item: Sample) -> list[Row]:
    """The same for each operator that the accelerator ran."""
    m, config, rows = item.measurement, item.config, []
    priced = {item.part.key: item for item in model.priced(config)}
    for operator in dict.fromkeys(work.operator for work in item.work):
        sums, mine = _Sums(), config.operators[config.path(operator)]
        for i, work in enumerate(item.work):
            if work.operator == operator:
                sums.add(model, item, i)
        grid = [key for key in sums.measured | sums.predicted if key.replace(".", ":").partition(":")[0] in GRID]
        areas = np.zeros(2)
        for key, part in priced.items():
            own = part.part.operator is not None
            if part.block in GRID and (not own or mine == part.part.operator or shape(config).path_of(mine) == _path(part.part)):
                pair = np.array([m.parts[key].area_um2 if key in m.parts else 0.0, part.area_um2])
                areas += pair if own else pair / len(config.operators)
        rows.append(Row(m.name, operator.name, OPERATOR, float(areas[0]), float(areas[1]), *sums.of(grid)))
    return rows


def _path(part: Part) -> int | None:
    """Which datapath a part is the lanes of."""
    return part.path if part.key.startswith("lanes") else None


def share(rows: Sequence[Row], whole: Sequence[Row]) -> float:
    """Part of all accelerators' energy that some rows hold."""
    return sum(row.energy_pj for row in rows) / sum(row.energy_pj for row in whole)
