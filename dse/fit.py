"""Fits unit costs to measurements: non-negative least squares for every family of parts, errors counted relative to what is measured.

Five kinds of unit costs a family: flip-flops by feature, area by feature, clock energy by flip-flop and cycle, leakage by area, dynamic
energy by event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls  # type: ignore[import-untyped]

from gatewright.dse.events import dynamic
from gatewright.dse.features import Features, Part, parts
from gatewright.dse.work import BASIS, Work, works
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement
from gatewright.sw.counts import Counts, count
from gatewright.sw.models import workload
from gatewright.sw.schedule import Schedule, schedule

MEMORY_PORT = Part("memory_port", "memory_port", 1, {}, {})  # nets that memories drive: no cells, only energy
FLOOR = 0.005  # of a layer's energy: parts below this share are fitted to that accuracy only


@dataclass(frozen=True)
class Sample:
    """A measurement beside its exact counts, made again from architecture, configuration and mappings."""

    measurement: Measurement
    schedule: Schedule
    counts: tuple[Counts, ...]
    work: tuple[Work, ...]

    @property
    def config(self) -> AcceleratorConfig:
        return self.measurement.config


def sample(measurement: Measurement) -> Sample:
    made = schedule(workload(measurement.architecture), measurement.config, measurement.mappings, measurement.images)
    counts = count(made)
    if len(counts) != len(measurement.layers):
        raise BadInput(
            f"Measurement {measurement.name} has {len(measurement.layers)} layers; its network has {len(counts)}. Measure it again."
        )
    return Sample(measurement, made, counts, works(made, counts))


def all_parts(config: AcceleratorConfig) -> tuple[Part, ...]:
    return (*parts(config), MEMORY_PORT)


@dataclass
class Rows:
    """Equations of one family and one unit cost: features, what was measured, and the scale an error is relative to."""

    features: list[Features] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)

    def add(self, features: Features, measured: float, scale: float) -> None:
        self.features.append(features)
        self.measured.append(measured)
        self.scale.append(scale)

    def solve(self) -> Features:
        """Unit costs by feature, none below zero."""
        names = sorted({name for row in self.features for name in row})
        if not names or not self.measured:
            return {}
        matrix = np.array([[row.get(name, 0.0) for name in names] for row in self.features])
        weight = 1.0 / np.array(self.scale)
        matrix, target = matrix * weight[:, None], np.array(self.measured) * weight
        size = np.sqrt((matrix**2).sum(axis=0))
        size[size == 0] = 1.0
        found, _ = nnls(matrix / size, target)
        return dict(zip(names, (found / size).tolist(), strict=True))


@dataclass(frozen=True)
class UnitCosts:
    """Of one family: flip-flops and um2 by feature, pJ per flip-flop and cycle, nW per um2, pJ by event."""

    flips: Features
    area: Features
    clock_pj: float
    leakage_nw: float
    dynamic: Features


def dot(features: Features, costs: Features) -> float:
    return sum(value * costs.get(name, 0.0) for name, value in features.items())


@dataclass(frozen=True)
class Equations:
    """What one measurement says about each family."""

    flips: dict[str, Rows]
    area: dict[str, Rows]
    clock: dict[str, Rows]
    leakage: dict[str, Rows]
    dynamic: dict[str, Rows]


def equations(item: Sample) -> Equations:
    result = Equations({}, {}, {}, {}, {})
    m = item.measurement
    for part in all_parts(item.config):
        measured = m.parts.get(part.key)
        area, flips = (measured.area_um2, measured.flip_flops) if measured else (0.0, 0)
        if part.flips:
            result.flips.setdefault(part.family, Rows()).add(part.flips, flips, max(flips, 1))
        if part.area:
            result.area.setdefault(part.family, Rows()).add(part.area, area, max(area, 1e-3 * m.area_um2))
        for layer, work in zip(m.layers, item.work, strict=True):
            whole = sum(sum(causes) for causes in layer.energy.values())
            clock, leakage, settled, glitches = layer.energy.get(part.key, (0.0, 0.0, 0.0, 0.0))
            moved = settled + glitches
            scale = clock + leakage + moved + FLOOR * whole
            if flips:
                result.clock.setdefault(part.family, Rows()).add({"cycle": flips * layer.cycles}, clock, scale)
            if area:
                leaked = {"area": area * layer.cycles * m.clock_ns * 1e-6}
                result.leakage.setdefault(part.family, Rows()).add(leaked, leakage, scale)
            if events := dynamic(item.config, part, work.operator):
                basis = dict(zip(BASIS, work.basis, strict=True))
                counted = {feature: times * basis[name] for feature, (name, times) in events.items()}
                result.dynamic.setdefault(part.family, Rows()).add(counted, moved, scale)
    return result


def fit(found: Sequence[Equations]) -> dict[str, UnitCosts]:
    """Unit costs of every family that the measurements hold."""
    families = sorted({family for item in found for rows in (item.area, item.dynamic) for family in rows})
    costs = {}
    for family in families:
        flips, area, clock, leakage, moved = (
            _joined(getattr(item, name).get(family) for item in found).solve() for name in ("flips", "area", "clock", "leakage", "dynamic")
        )
        costs[family] = UnitCosts(flips, area, clock.get("cycle", 0.0), leakage.get("area", 0.0), moved)
    return costs


def _joined(many: Iterable[Rows | None]) -> Rows:
    result = Rows()
    for rows in many:
        if rows is not None:
            result.features += rows.features
            result.measured += rows.measured
            result.scale += rows.scale
    return result
