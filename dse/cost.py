"""The calibrated cost model: exact counts of a schedule times unit costs fitted to measured accelerators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gatewright.dse import memories
from gatewright.dse.equations import Sample, Systems, equations, rest, sample, systems, without
from gatewright.dse.events import dynamic
from gatewright.dse.features import Features, Part, unbuffered, units
from gatewright.dse.fit import UnitCosts, fit
from gatewright.dse.least_squares import dot
from gatewright.dse.typical import NETWORK, Seen, typical
from gatewright.dse.work import BASIS, Run, Work
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement, load, shipped
from gatewright.sim.metrics import Metrics
from gatewright.sim.technology import memories_of
from gatewright.sw.activity import Activity
from gatewright.sw.counts import Counts
from gatewright.sw.schedule import Schedule

Floats = NDArray[np.float64]
CLOCK_NS = 20.0
REMEMBERED = 4096  # configurations whose unit costs are kept
PLACE = {name: i for i, name in enumerate(BASIS)}
INNER = {"lanes": "element", "encoder.activation": "activation_edge", "encoder.weight": "weight_edge", "source.activation": "source"}
INNER |= {"source.weight": "source"}


def block_of(key: str) -> str:
    """The kind of block (as `gatewright.sim.accelerator.block_kind`) that a part belongs to."""
    name = key.partition(":")[0]
    return INNER.get(name, name)


@dataclass(frozen=True)
class Prediction:
    """Costs of a schedule, per image. `layers[i]`: energy of the logic in pJ by kind of block. `area`: um2 by kind of block.

    Energies hold glitches if the measurements do. `activity[i]`: where it is known from how much the operands of layer i move.
    """

    metrics: Metrics
    layers: tuple[dict[str, float], ...]
    area: dict[str, float]
    counts: tuple[Counts, ...]
    activity: tuple[str, ...]


@dataclass(frozen=True)
class Priced:
    """A part of a configuration with what does not depend on the work: its area, and its energy per cycle without leakage.

    `clocked`, `settled`, `glitches`: pJ by event.
    """

    part: Part
    block: str
    area_um2: float
    clock_pj: float
    leakage_nw: float
    clocked: Features
    settled: Features
    glitches: Features

    def standing_pj(self, clock_ns: float) -> float:
        """Energy in pJ of a cycle in which nothing moves but the clock."""
        return self.clock_pj + self.leakage_nw * clock_ns * memories.NW_NS_PJ


@dataclass(frozen=True, eq=False)
class Compiled:
    """Energy of a layer as a matrix: pJ of each part ([parts, BASIS]), of each kind of block, and of all logic, by number of the basis.

    `settled` is `by_part` without glitches.
    """

    keys: tuple[str, ...]
    by_part: Floats
    blocks: tuple[str, ...]
    by_block: Floats
    total: Floats
    settled: Floats


@dataclass(frozen=True, eq=False)
class Moving:
    """The part of `Compiled` that all sizes of buffers share, which is all but the cycles' column. `merge`: parts to kinds of block."""

    keys: tuple[str, ...]
    by_part: Floats
    glitches: Floats
    blocks: tuple[str, ...]
    merge: Floats


def moving(priced: Sequence[Priced], config: AcceleratorConfig, operator: Operator, activity: Activity) -> Moving:
    """What each of the layer's numbers costs in each part by what moves."""
    by_part, glitches = np.zeros((2, len(priced), len(BASIS)))
    for row, moved, item in zip(by_part, glitches, priced, strict=True):
        for feature, numbers in dynamic(config, item.part, operator, activity).items():
            settled, glitch = item.clocked.get(feature, 0.0) + item.settled.get(feature, 0.0), item.glitches.get(feature, 0.0)
            if settled or glitch:
                for name, times in numbers.items():
                    row[PLACE[name]] += times * (settled + glitch)
                    moved[PLACE[name]] += times * glitch
    blocks = tuple(dict.fromkeys(item.block for item in priced))
    merge = np.array([[item.block == block for item in priced] for block in blocks], dtype=float)
    return Moving(tuple(item.part.key for item in priced), by_part, glitches, blocks, merge)


def compiled(moved: Moving, standing: Floats) -> Compiled:
    """What each of the layer's numbers costs in each part. `standing`: pJ of each part in a cycle, whatever moves."""
    by_part = moved.by_part.copy()
    by_part[:, PLACE["cycles"]] += standing
    return Compiled(moved.keys, by_part, moved.blocks, moved.merge @ by_part, by_part.sum(axis=0), by_part - moved.glitches)


class CostModel:
    """Unit costs fitted to measurements of one technology; knows its own error on configurations left out."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        """Raises BadInput for no measurements, or measurements of several technologies."""
        technologies = {m.technology_hash for m in measurements}
        if len(technologies) != 1:
            raise BadInput(
                f"A cost model is fitted to measurements of one technology; got {len(technologies)}. Calibrate for one technology."
            )
        self.technology = measurements[0].technology
        self.memories = memories_of(self.technology)
        self.samples: list[Sample] = [sample(m) for m in measurements]
        self.systems: Systems = systems([equations(item) for item in self.samples])
        self.costs: dict[str, UnitCosts] = fit(self.systems)
        self._forget()

    def _forget(self) -> None:
        self._priced: dict[AcceleratorConfig, tuple[Priced, ...]] = {}
        self._unbuffered: dict[AcceleratorConfig, tuple[Priced, ...]] = {}
        self._moving: dict[tuple[AcceleratorConfig, Operator, Activity], Moving] = {}
        self._typical: dict[tuple[Operator, int, float], tuple[Activity, str]] = {}

    @classmethod
    def default(cls, technology: str = "ihp130") -> "CostModel":
        """Fitted to the measurements of a technology that ship with the package. Raises Missing where none do."""
        return _load(shipped(technology))

    @classmethod
    def named(cls, technology: str, measurements: str | None) -> "CostModel":
        """Of a file of measurements, else of those that ship for a technology."""
        return _load(Path(measurements)) if measurements else cls.default(technology)

    @classmethod
    def from_file(cls, path: Path) -> "CostModel":
        """Fitted to a file of measurements. Raises BadInput for one that is absent or damaged."""
        return cls(load(path))

    @cached_property
    def timed(self) -> bool:
        """Whether every measured layer tells about glitches: then energies hold them."""
        return all(layer.timed > 0 for item in self.samples for layer in item.measurement.layers)

    @cached_property
    def heldout_error(self) -> float:
        """Mean absolute relative error of complete accelerators' energy, each predicted without its own measurement."""
        from gatewright.dse.heldout import energy_mape

        return energy_mape(self)

    def without(self, i: int) -> "CostModel":
        """The model that never saw measurement i."""
        model = object.__new__(CostModel)
        model.technology, model.memories = self.technology, self.memories
        model.samples = self.samples[:i] + self.samples[i + 1 :]
        model.systems = without(self.systems, i)
        model.costs = fit(model.systems)
        model._forget()
        return model

    def priced(self, config: AcceleratorConfig) -> tuple[Priced, ...]:
        """The parts of a configuration with their unit costs. Raises BadInput for a part no measurement tells about."""
        if config not in self._priced:
            if len(self._priced) > REMEMBERED:
                self._priced.clear()
            self._priced[config] = (*map(self._price, units(config)), *self._rest(unbuffered(config)))
        return self._priced[config]

    def _rest(self, config: AcceleratorConfig) -> tuple[Priced, ...]:
        """The parts that do not depend on the buffers' sizes."""
        if config not in self._unbuffered:
            if len(self._unbuffered) > REMEMBERED:
                self._unbuffered.clear()
            self._unbuffered[config] = tuple(map(self._price, rest(config)))
        return self._unbuffered[config]

    def check_operators(self, operators: Iterable[Operator]) -> None:
        """Raises BadInput, naming it, for an operator whose circuits no measurement tells about: a search would leave it out unsaid."""
        for operator in operators:
            try:
                self.priced(AcceleratorConfig(rows=1, cols=1, operators=(operator,)))
            except BadInput as error:
                raise BadInput(f"Operator {operator.name} has no price. {error} Or choose among other operators.") from None

    def _price(self, part: Part) -> Priced:
        costs = self.costs.get(part.family)
        if costs is None:
            known = ", ".join(sorted(self.costs))
            raise BadInput(f"No measurement tells what {part.family} costs; there are {known}. Calibrate with a plan that holds it.")
        ratios = costs.ratios(part.circuit)
        area, clock = ratios.area * dot(part.area, costs.area), costs.clock_pj * dot(part.flips, costs.flips)
        settled = {event: ratios.settled * pj for event, pj in costs.settled.items()}
        glitches = {event: ratios.glitches * pj for event, pj in costs.glitches.items()}
        return Priced(part, block_of(part.key), area, clock, costs.leakage_nw * area, costs.clocked, settled, glitches)

    def area(self, config: AcceleratorConfig) -> dict[str, float]:
        """Area of the logic in um2 by kind of block, memories apart."""
        areas: dict[str, float] = {}
        for item in self.priced(config):
            if item.area_um2:
                areas[item.block] = areas.get(item.block, 0.0) + item.area_um2
        return areas

    def layer(self, config: AcceleratorConfig, work: Work, clock_ns: float = CLOCK_NS, zero_delay: bool = False) -> dict[str, float]:
        """Energy of the logic in pJ by part, for one layer of a run; `zero_delay`: without glitches."""
        compiled = self.compiled(config, work, clock_ns)
        matrix = compiled.settled if zero_delay else compiled.by_part
        return dict(zip(compiled.keys, (matrix @ np.array(work.basis)).tolist(), strict=True))

    def logic_pj(self, config: AcceleratorConfig, work: Work, clock_ns: float = CLOCK_NS) -> float:
        """Energy of the logic in pJ of one layer of a run: the sum of `layer`."""
        return float(self.compiled(config, work, clock_ns).total @ np.array(work.basis))

    def weights(self, config: AcceleratorConfig, work: Work, clock_ns: float = CLOCK_NS) -> Floats:
        """Energy of the logic in pJ for one of each of the numbers of the basis, [BASIS], for a layer like `work`."""
        return self.compiled(config, work, clock_ns).total

    def activity(self, work: Work, operand_bits: int) -> tuple[Activity, str]:
        """How much a layer's operands move, and where that is known from."""
        if work.activity is not None:
            return work.activity, NETWORK
        key = (work.operator, operand_bits, work.useful_lanes)
        if key not in self._typical:
            self._typical[key] = typical(self._seen, *key)
        return self._typical[key]

    @cached_property
    def _seen(self) -> list[Seen]:
        found = [
            (work.operator, layer.activity) for item in self.samples for work, layer in zip(item.work, item.measurement.layers, strict=True)
        ]
        return [Seen(*pair) for pair in found]

    def compiled(self, config: AcceleratorConfig, work: Work, clock_ns: float) -> Compiled:
        """The matrix of a layer."""
        return self._compiled(config, (work,), clock_ns)[0]

    def _compiled(self, config: AcceleratorConfig, works: Sequence[Work], clock_ns: float) -> list[Compiled]:
        priced, alike = self.priced(config), unbuffered(config)
        standing = np.array([item.standing_pj(clock_ns) for item in priced])
        return [compiled(self._moved(alike, priced, work), standing) for work in works]

    def _moved(self, config: AcceleratorConfig, priced: Sequence[Priced], work: Work) -> Moving:
        """Of a configuration as `unbuffered` gives it."""
        activity, _ = self.activity(work, config.operand_bits)
        key = (config, work.operator, activity)
        if key not in self._moving:
            if len(self._moving) > REMEMBERED:
                self._moving.clear()
            self._moving[key] = moving(priced, config, work.operator, activity)
        return self._moving[key]

    def energies(self, config: AcceleratorConfig, run: Run, clock_ns: float = CLOCK_NS) -> tuple[float, float]:
        """Energy of the logic and of the on-chip memories in pJ, per image."""
        rows = zip(self._compiled(config, run.works, clock_ns), run.works, strict=True)
        return sum(sum(self._by_block(found, work, run.images)) for found, work in rows), self._memories_pj(config, run, clock_ns)

    def _by_block(self, found: Compiled, work: Work, images: int) -> list[float]:
        values: list[float] = (found.by_block @ np.array(work.basis) / images).tolist()
        return values

    def _memories_pj(self, config: AcceleratorConfig, run: Run, clock_ns: float) -> float:
        layers = zip(run.accesses, run.counts, strict=True)
        return sum(memories.energy_pj(config, accesses, n.cycles, clock_ns, self.memories) for accesses, n in layers) / run.images

    def predict(self, schedule: Schedule, clock_ns: float = CLOCK_NS, activities: Sequence[Activity] | None = None) -> Prediction:
        """Everything a schedule costs, per image. `activities`: of its layers, where the network is known (see `sw.activity`)."""
        return self.bill(schedule.config, Run.of(schedule, activities), clock_ns)

    def bill(self, config: AcceleratorConfig, run: Run, clock_ns: float = CLOCK_NS) -> Prediction:
        """Everything a run costs on a configuration, per image."""
        counts, images = run.counts, run.images
        layers, settled, origins = [], 0.0, []
        for found, work in zip(self._compiled(config, run.works, clock_ns), run.works, strict=True):
            layers.append(dict(zip(found.blocks, self._by_block(found, work, images), strict=True)))
            settled += float((found.settled @ np.array(work.basis)).sum()) / images
            origins.append(self.activity(work, config.operand_bits)[1])
        cycles, area = sum(n.cycles for n in counts), self.area(config)
        metrics = Metrics(
            energy_pj=sum(sum(by_block.values()) for by_block in layers),
            memory_energy_pj=self._memories_pj(config, run, clock_ns),
            external_energy_pj=memories.external_pj(config, counts) / images,
            cycles=cycles / images,
            latency_ns=cycles * clock_ns,
            area_um2=sum(area.values()),
            memory_area_um2=memories.area_um2(config, self.memories),
            origin="calibrated",
            activity="timed" if self.timed else "zero_delay",
            zero_delay_pj=settled if self.timed else None,
            heldout_error=self.heldout_error,
        )
        return Prediction(metrics, tuple(layers), area, counts, tuple(origins))


@lru_cache(maxsize=4)
def _load(path: Path) -> CostModel:
    return CostModel.from_file(path)
