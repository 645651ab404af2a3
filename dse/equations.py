"""What measurements say about unit costs: for every part of a measured accelerator, features and events beside areas and energies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gatewright.dse.events import GLITCHES, dynamic
from gatewright.dse.features import Part, array, parts
from gatewright.dse.least_squares import Rows, System, joined
from gatewright.dse.work import BASIS, Work, works
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement
from gatewright.sw.counts import Counts, count
from gatewright.sw.models import workload
from gatewright.sw.schedule import Schedule, schedule

MEMORY_PORT = Part("memory_port", "memory_port", 1, {}, {})  # nets that memories drive: no cells, only energy
FLOOR = 0.02  # of a layer's energy: parts below this share are fitted to that accuracy only
GRID = ("lanes", "element", "edge")  # where elements without useful work go on with old data, which no one knows
ROUNDING = 1e-9  # of the terms of a sum
CYCLE = "cycle"  # of a flip-flop at rest


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
            events = dynamic(item.config, part, work.operator, layer.activity)
            basis = dict(zip(BASIS, work.basis, strict=True))
            counted = {feature: _number(numbers, basis) for feature, numbers in events.items()}
            still = {feature: number for feature, number in counted.items() if GLITCHES not in feature}
            if flips:
                result.clock.setdefault(part.family, Rows()).add({CYCLE: flips * layer.cycles, **still}, clock, scale)
            if area:
                leaked = {"area": area * layer.cycles * m.clock_ns * 1e-6}
                result.leakage.setdefault(part.family, Rows()).add(leaked, leakage, scale)
            if events:
                weight = work.useful / work.useful_lanes if part.family.startswith(GRID) else 1.0
                result.settled.setdefault(part.family, Rows()).add(still, settled, scale, part.circuit, weight)
                if layer.timed:
                    result.glitches.setdefault(part.family, Rows()).add(counted, glitches, scale, part.circuit, weight)
    return result


def _number(numbers: Mapping[str, float], basis: Mapping[str, float]) -> float:
    """How often an event happens; differences that are rounding errors are none."""
    terms = [times * basis[name] for name, times in numbers.items()]
    total = sum(terms)
    return total if abs(total) > ROUNDING * sum(map(abs, terms)) else 0.0


Systems = Mapping[str, Mapping[str, System]]  # by unit cost and family


def systems(found: Sequence[Equations]) -> Systems:
    """What measurements say about each family, in their order."""
    many: dict[str, dict[str, list[System]]] = {kind: {} for kind in KINDS}
    for owner, item in enumerate(found):
        for kind in KINDS:
            for family, rows in getattr(item, kind).items():
                many[kind].setdefault(family, []).append(rows.system(owner))
    return {kind: {family: joined(parts) for family, parts in families.items()} for kind, families in many.items()}


def without(known: Systems, measurement: int) -> Systems:
    """What all other measurements say."""
    left = {kind: {family: system.without(measurement) for family, system in families.items()} for kind, families in known.items()}
    return {kind: {family: system for family, system in families.items() if len(system.owner)} for kind, families in left.items()}
