"""The calibrated cost model: exact counts of a schedule times unit costs fitted to measured accelerators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gatewright.dse import memories
from gatewright.dse.events import dynamic
from gatewright.dse.features import Features, Part
from gatewright.dse.fit import Equations, Sample, UnitCosts, all_parts, dot, equations, fit, sample
from gatewright.dse.work import BASIS, Work, works
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement, load, shipped
from gatewright.sim.metrics import Metrics
from gatewright.sim.technology import memories_of
from gatewright.sw.counts import Counts, count
from gatewright.sw.schedule import Schedule

Floats = NDArray[np.float64]
CLOCK_NS = 20.0
REMEMBERED = 4096  # configurations whose unit costs are kept
INNER = {"lanes": "element", "encoder.activation": "activation_edge", "encoder.weight": "weight_edge", "source.activation": "source"}
INNER |= {"source.weight": "source"}


def block_of(key: str) -> str:
    """The kind of block (as `gatewright.sim.accelerator.block_kind`) that a part belongs to."""
    name = key.partition(":")[0]
    return INNER.get(name, name)


@dataclass(frozen=True)
class Prediction:
    """Costs of a schedule, per image. `layers[i]`: energy of the logic in pJ by kind of block. `area`: um2 by kind of block."""

    metrics: Metrics
    layers: tuple[dict[str, float], ...]
    area: dict[str, float]
    counts: tuple[Counts, ...]


@dataclass(frozen=True)
class Priced:
    """A part of a configuration with what does not depend on the work: its area, and its energy per cycle without leakage."""

    part: Part
    block: str
    area_um2: float
    clock_pj: float
    leakage_nw: float
    dynamic: Features


@dataclass(frozen=True, eq=False)
class Compiled:
    """Energy of a layer as a matrix: pJ of each part ([parts, BASIS]), of each kind of block, and of all logic, by number of the basis."""

    keys: tuple[str, ...]
    by_part: Floats
    blocks: tuple[str, ...]
    by_block: Floats
    total: Floats


def compiled(priced: Sequence[Priced], config: AcceleratorConfig, operator: Operator, clock_ns: float) -> Compiled:
    """What each of the layer's numbers costs in each part. `clock_ns` is the time in which a cycle leaks."""
    place = {name: i for i, name in enumerate(BASIS)}
    by_part = np.zeros((len(priced), len(BASIS)))
    for row, item in zip(by_part, priced, strict=True):
        row[place["cycles"]] += item.clock_pj + item.leakage_nw * clock_ns * memories.NW_NS_PJ
        for feature, (name, times) in dynamic(config, item.part, operator).items():
            row[place[name]] += times * item.dynamic.get(feature, 0.0)
    blocks = tuple(dict.fromkeys(item.block for item in priced))
    merge = np.array([[item.block == block for item in priced] for block in blocks], dtype=float)
    return Compiled(tuple(item.part.key for item in priced), by_part, blocks, merge @ by_part, by_part.sum(axis=0))


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
        self.equations: list[Equations] = [equations(item) for item in self.samples]
        self.costs: dict[str, UnitCosts] = fit(self.equations)
        self._priced: dict[AcceleratorConfig, tuple[Priced, ...]] = {}
        self._matrices: dict[tuple[AcceleratorConfig, Operator, float], Compiled] = {}

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
    def heldout_error(self) -> float:
        """Mean absolute relative error of complete accelerators' energy, each predicted without its own measurement."""
        from gatewright.dse.heldout import heldout

        return heldout(self).energy_mape

    def without(self, i: int) -> "CostModel":
        """The model that never saw measurement i."""
        model = object.__new__(CostModel)
        model.technology, model.memories = self.technology, self.memories
        model.samples = self.samples[:i] + self.samples[i + 1 :]
        model.equations = self.equations[:i] + self.equations[i + 1 :]
        model.costs = fit(model.equations)
        model._priced, model._matrices = {}, {}
        return model

    def priced(self, config: AcceleratorConfig) -> tuple[Priced, ...]:
        """The parts of a configuration with their unit costs. Raises BadInput for a part no measurement tells about."""
        if config not in self._priced:
            if len(self._priced) > REMEMBERED:
                self._priced.clear()
            self._priced[config] = tuple(self._price(part) for part in all_parts(config))
        return self._priced[config]

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
        area = dot(part.area, costs.area)
        return Priced(part, block_of(part.key), area, costs.clock_pj * dot(part.flips, costs.flips), costs.leakage_nw * area, costs.dynamic)

    def area(self, config: AcceleratorConfig) -> dict[str, float]:
        """Area of the logic in um2 by kind of block, memories apart."""
        areas: dict[str, float] = {}
        for item in self.priced(config):
            if item.area_um2:
                areas[item.block] = areas.get(item.block, 0.0) + item.area_um2
        return areas

    def layer(self, config: AcceleratorConfig, work: Work, clock_ns: float = CLOCK_NS) -> dict[str, float]:
        """Energy of the logic in pJ by part, for one layer of a run."""
        compiled = self._compiled(config, work.operator, clock_ns)
        return dict(zip(compiled.keys, (compiled.by_part @ np.array(work.basis)).tolist(), strict=True))

    def logic_pj(self, config: AcceleratorConfig, work: Work, clock_ns: float = CLOCK_NS) -> float:
        """Energy of the logic in pJ of one layer of a run: the sum of `layer`."""
        return float(self._compiled(config, work.operator, clock_ns).total @ np.array(work.basis))

    def weights(self, config: AcceleratorConfig, operator: Operator, clock_ns: float = CLOCK_NS) -> Floats:
        """Energy of the logic in pJ for one of each of the numbers of the basis, [BASIS]."""
        return self._compiled(config, operator, clock_ns).total

    def _compiled(self, config: AcceleratorConfig, operator: Operator, clock_ns: float) -> "Compiled":
        key = (config, operator, clock_ns)
        if key not in self._matrices:
            if len(self._matrices) > REMEMBERED:
                self._matrices.clear()
            self._matrices[key] = compiled(self.priced(config), config, operator, clock_ns)
        return self._matrices[key]

    def predict(self, schedule: Schedule, clock_ns: float = CLOCK_NS) -> Prediction:
        """Everything a schedule costs, per image."""
        config, images = schedule.config, schedule.images
        counts = count(schedule)
        layers, memory_pj = [], 0.0
        for work, accesses in zip(works(schedule, counts), memories.accesses(schedule, counts), strict=True):
            found = self._compiled(config, work.operator, clock_ns)
            values = found.by_block @ np.array(work.basis) / images
            layers.append(dict(zip(found.blocks, values.tolist(), strict=True)))
            memory_pj += memories.energy_pj(config, accesses, work.counts.cycles, clock_ns, self.memories)
        cycles, area = sum(n.cycles for n in counts), self.area(config)
        metrics = Metrics(
            energy_pj=sum(sum(by_block.values()) for by_block in layers),
            memory_energy_pj=memory_pj / images,
            external_energy_pj=memories.external_pj(config, counts) / images,
            cycles=cycles / images,
            latency_ns=cycles * clock_ns,
            area_um2=sum(area.values()),
            memory_area_um2=memories.area_um2(config, self.memories),
            origin="calibrated",
            heldout_error=self.heldout_error,
        )
        return Prediction(metrics, tuple(layers), area, counts)


@lru_cache(maxsize=4)
def _load(path: Path) -> CostModel:
    return CostModel.from_file(path)
