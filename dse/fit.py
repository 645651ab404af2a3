"""Fits unit costs to measurements: non-negative least squares for every family of parts, errors counted relative to what is measured.

Six kinds of unit costs a family: flip-flops by feature, area by feature, clock energy by flip-flop and cycle, leakage by area, energy of
nets that settle and of glitches by event. A circuit that was measured itself is known better than its family: its area is the measured one,
its energies are the family's times the ratio that was seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls  # type: ignore[import-untyped]

from gatewright.dse.events import GLITCHES, dynamic
from gatewright.dse.features import Features, Part, array, parts
from gatewright.dse.work import BASIS, Work, works
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement
from gatewright.sw.counts import Counts, count
from gatewright.sw.models import workload
from gatewright.sw.schedule import Schedule, schedule

MEMORY_PORT = Part("memory_port", "memory_port", 1, {}, {})  # nets that memories drive: no cells, only energy
FLOOR = 0.005  # of a layer's energy: parts below this share are fitted to that accuracy only
RIDGE = 0.01  # how much unit costs that the measurements do not tell apart are drawn to zero, hence towards each other
GRID = ("lanes", "element", "edge")  # where elements without useful work go on with old data, which no one knows
POOL = 0.01  # as much to those of all lanes together, where families are thin
POOLED, STREAMS = "lanes.", "lanes.stochastic"
ROUNDING = 1e-9  # of the terms of a sum
DOUBT = 1.0  # layers of its own a circuit needs, for its own ratio to weigh as much as its family


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
    return Sample(measurement, made, counts, works(made, counts, [layer.activity for layer in measurement.layers]))


def all_parts(config: AcceleratorConfig) -> tuple[Part, ...]:
    return (*parts(config), MEMORY_PORT)


def rest(config: AcceleratorConfig) -> tuple[Part, ...]:
    """Those of all parts that do not depend on the buffers' sizes."""
    return (*array(config), MEMORY_PORT)


@dataclass
class Rows:
    """Equations of one family and one unit cost: features, what was measured, the scale an error is relative to, whose circuit it was, and
    how much the equation weighs."""

    features: list[Features] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    circuits: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, features: Features, measured: float, scale: float, circuit: str = "", weight: float = 1.0) -> None:
        self.features.append(features)
        self.measured.append(measured)
        self.scale.append(scale)
        self.circuits.append(circuit)
        self.weights.append(weight)

    def solve(self, ridge: float = 0.0, prior: Features | None = None) -> Features:
        """Unit costs by feature, none below zero, drawn by `ridge` to those of `prior` (else to zero)."""
        names = sorted({name for row in self.features for name in row})
        if not names or not self.measured:
            return {}
        matrix = np.array([[row.get(name, 0.0) for name in names] for row in self.features])
        weight = np.array(self.weights) / np.array(self.scale)
        matrix, target = matrix * weight[:, None], np.array(self.measured) * weight
        size = np.sqrt((matrix**2).sum(axis=0))
        size[size == 0] = 1.0
        matrix = np.concatenate([matrix / size, ridge**0.5 * np.eye(len(names))])
        before = np.array([(prior or {}).get(name, 0.0) for name in names]) * size * ridge**0.5
        found, _ = nnls(matrix, np.concatenate([target, before]))
        return dict(zip(names, (found / size).tolist(), strict=True))

    def ratios(self, costs: Features, doubt: float) -> dict[str, float]:
        """Measured over predicted of each circuit, the family counting as `doubt` equations."""
        sums: dict[str, list[tuple[float, float, float]]] = {}
        for i, circuit in enumerate(self.circuits):
            if circuit and (predicted := dot(self.features[i], costs) / self.scale[i]) > 0:
                weight = self.weights[i]
                sums.setdefault(circuit, []).append((weight * self.measured[i] / self.scale[i], weight * predicted, predicted))
        found = {}
        for circuit, rows in sums.items():
            measured, predicted, family = (sum(values) for values in zip(*rows, strict=True))
            prior = doubt * family / len(rows)
            found[circuit] = (measured + prior) / (predicted + prior)
        return found


@dataclass(frozen=True)
class Ratios:
    """Of one circuit: measured over its family's prediction."""

    area: float = 1.0
    settled: float = 1.0
    glitches: float = 1.0


@dataclass(frozen=True)
class UnitCosts:
    """Of one family: flip-flops and um2 by feature, pJ per flip-flop and cycle, nW per um2, pJ by event; ratios by circuit."""

    flips: Features
    area: Features
    clock_pj: float
    leakage_nw: float
    settled: Features
    glitches: Features
    circuits: Mapping[str, Ratios]

    def ratios(self, circuit: str) -> Ratios:
        return self.circuits.get(circuit, Ratios())


def dot(features: Features, costs: Features) -> float:
    return sum(value * costs.get(name, 0.0) for name, value in features.items())


KINDS = ("flips", "area", "clock", "leakage", "settled", "glitches")


@dataclass(frozen=True)
class Equations:
    """What one measurement says about each family."""

    flips: dict[str, Rows] = field(default_factory=dict)
    area: dict[str, Rows] = field(default_factory=dict)
    clock: dict[str, Rows] = field(default_factory=dict)
    leakage: dict[str, Rows] = field(default_factory=dict)
    settled: dict[str, Rows] = field(default_factory=dict)
    glitches: dict[str, Rows] = field(default_factory=dict)


def equations(item: Sample) -> Equations:
    result, m = Equations(), item.measurement
    for part in all_parts(item.config):
        measured = m.parts.get(part.key)
        area, flips = (measured.area_um2, measured.flip_flops) if measured else (0.0, 0)
        if part.flips:
            result.flips.setdefault(part.family, Rows()).add(part.flips, flips, max(flips, 1))
        if part.area:
            result.area.setdefault(part.family, Rows()).add(part.area, area, max(area, 1e-3 * m.area_um2), part.circuit)
        for layer, work in zip(m.layers, item.work, strict=True):
            whole = sum(sum(causes) for causes in layer.energy.values())
            clock, leakage, settled, glitches = layer.energy.get(part.key, (0.0, 0.0, 0.0, 0.0))
            scale = clock + leakage + settled + glitches + FLOOR * whole
            if flips:
                result.clock.setdefault(part.family, Rows()).add({"cycle": flips * layer.cycles}, clock, scale)
            if area:
                leaked = {"area": area * layer.cycles * m.clock_ns * 1e-6}
                result.leakage.setdefault(part.family, Rows()).add(leaked, leakage, scale)
            if events := dynamic(item.config, part, work.operator, layer.activity):
                basis = dict(zip(BASIS, work.basis, strict=True))
                weight = work.useful / work.useful_lanes if part.family.startswith(GRID) else 1.0
                counted = {feature: _number(numbers, basis) for feature, numbers in events.items()}
                still = {feature: number for feature, number in counted.items() if GLITCHES not in feature}
                result.settled.setdefault(part.family, Rows()).add(still, settled, scale, part.circuit, weight)
                if layer.timed:
                    result.glitches.setdefault(part.family, Rows()).add(counted, glitches, scale, part.circuit, weight)
    return result


def _number(numbers: Mapping[str, float], basis: Mapping[str, float]) -> float:
    """How often an event happens; differences that are rounding errors are none."""
    terms = [times * basis[name] for name, times in numbers.items()]
    total = sum(terms)
    return total if abs(total) > ROUNDING * sum(map(abs, terms)) else 0.0


def fit(found: Sequence[Equations]) -> dict[str, UnitCosts]:
    """Unit costs of every family that the measurements hold."""
    families = sorted({family for item in found for rows in (item.area, item.settled) for family in rows})
    costs = {}
    shared = {name: _pooled(found, name) for name in ("settled", "glitches")}
    for family in families:
        rows = {name: _joined(getattr(item, name).get(family) for item in found) for name in KINDS}
        solved = {name: rows[name].solve() for name in ("flips", "area", "clock", "leakage")}
        prior = shared if family.startswith(POOLED) and not family.startswith(STREAMS) else {}
        solved |= {name: rows[name].solve(POOL if prior else RIDGE, prior.get(name)) for name in ("settled", "glitches")}
        seen = {name: rows[name].ratios(solved[name], 0.0 if name == "area" else DOUBT) for name in ("area", "settled", "glitches")}
        circuits = {
            circuit: Ratios(**{name: ratios[circuit] for name, ratios in seen.items() if circuit in ratios})
            for circuit in sorted({circuit for ratios in seen.values() for circuit in ratios})
        }
        clock, leakage = solved["clock"].get("cycle", 0.0), solved["leakage"].get("area", 0.0)
        costs[family] = UnitCosts(solved["flips"], solved["area"], clock, leakage, solved["settled"], solved["glitches"], circuits)
    return costs


def _pooled(found: Sequence[Equations], kind: str) -> Features:
    """Unit costs of all word lanes together."""
    many = (
        rows for item in found for name, rows in getattr(item, kind).items() if name.startswith(POOLED) and not name.startswith(STREAMS)
    )
    return _joined(many).solve(RIDGE)


def _joined(many: Iterable[Rows | None]) -> Rows:
    result = Rows()
    for rows in many:
        if rows is not None:
            result.features += rows.features
            result.measured += rows.measured
            result.scale += rows.scale
            result.circuits += rows.circuits
            result.weights += rows.weights
    return result
