"""The cost model's error on what it never saw: every measured accelerator predicted by a model fitted to the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.dse.cost import CostModel
from gatewright.dse.fit import Sample, all_parts
from gatewright.hw.errors import BadInput


@dataclass(frozen=True)
class Row:
    """One part of one accelerator, or ("accelerator") all of it: measured and predicted area and energy per run of the program."""

    name: str
    part: str
    family: str
    area_um2: float
    predicted_um2: float
    energy_pj: float
    predicted_pj: float

    @property
    def area_error(self) -> float | None:
        return self.predicted_um2 / self.area_um2 - 1 if self.area_um2 else None

    @property
    def energy_error(self) -> float | None:
        return self.predicted_pj / self.energy_pj - 1 if self.energy_pj else None


WHOLE = "accelerator"


@dataclass(frozen=True)
class HeldOut:
    """Signed errors, and their summary over complete accelerators.

    `alone` names accelerators with a part that no other one has: nothing could predict them, so they are not scored.
    """

    rows: tuple[Row, ...]
    cycles_wrong: int
    alone: tuple[str, ...] = ()

    @property
    def whole(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.family == WHOLE)

    @property
    def area_mape(self) -> float:
        return float(np.mean([abs(row.area_error or 0.0) for row in self.whole]))

    @property
    def energy_mape(self) -> float:
        return float(np.mean([abs(row.energy_error or 0.0) for row in self.whole]))

    @property
    def energy_worst(self) -> float:
        """The error of greatest magnitude, with its sign."""
        return max((row.energy_error or 0.0 for row in self.whole), key=abs)

    def families(self) -> dict[str, tuple[Row, ...]]:
        """Rows by family of parts, complete accelerators last."""
        names = sorted({row.family for row in self.rows} - {WHOLE})
        return {name: tuple(row for row in self.rows if row.family == name) for name in (*names, WHOLE)}


def heldout(model: CostModel) -> HeldOut:
    """Leave one accelerator out after the other."""
    rows: list[Row] = []
    alone: list[str] = []
    for i, item in enumerate(model.samples):
        others = model.without(i)
        if {part.family for part in all_parts(item.config)} <= set(others.costs):
            rows += compare(others, item)
        else:
            alone.append(item.measurement.name)
    if not rows:
        raise BadInput("Held-out errors need measurements of at least two accelerators with parts in common. Give a larger plan.")
    return HeldOut(tuple(rows), sum(cycles_wrong(item) for item in model.samples), tuple(alone))


def cycles_wrong(item: Sample) -> int:
    """Layers whose simulated cycles differ from the prediction."""
    return sum(layer.cycles != n.cycles for layer, n in zip(item.measurement.layers, item.counts, strict=True))


def compare(model: CostModel, item: Sample) -> list[Row]:
    """A model's prediction beside a measurement, part by part and as a whole."""
    m = item.measurement
    predicted: dict[str, float] = {}
    measured: dict[str, float] = {}
    for layer, work in zip(m.layers, item.work, strict=True):
        for key, pj in model.layer(item.config, work, m.clock_ns).items():
            predicted[key] = predicted.get(key, 0.0) + pj
        for key, causes in layer.energy.items():
            measured[key] = measured.get(key, 0.0) + sum(causes)
    rows = []
    for priced in model.priced(item.config):
        key = priced.part.key
        area = m.parts[key].area_um2 if key in m.parts else 0.0
        rows.append(Row(m.name, key, priced.part.family, area, priced.area_um2, measured.get(key, 0.0), predicted[key]))
    whole = Row(m.name, WHOLE, WHOLE, m.area_um2, sum(r.predicted_um2 for r in rows), m.energy_pj, sum(predicted.values()))
    return [*rows, whole]


def share(rows: Sequence[Row], whole: Sequence[Row]) -> float:
    """Part of all accelerators' energy that some rows hold."""
    return sum(row.energy_pj for row in rows) / sum(row.energy_pj for row in whole)
