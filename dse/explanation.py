"""The nouns of an explanation: a prediction's energy as rows, each an exact count times a unit cost, and what the unit costs rest on.

All numbers are an image's: those of a run of the program, over its images. What a run does once for all its images, as loading weights,
is divided among them, so that a count need not be whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from gatewright.dse.provenance import Extrapolation, Support
from gatewright.sim.metrics import MEMORY_FACTORS
from gatewright.sw.layers import Layer
from gatewright.sw.schedule import Schedule

Cause = Literal["clock", "leakage", "settled", "glitches", "cited"]  # as `gatewright.sim.measurement` has them; memories are cited


@dataclass(frozen=True)
class Row:
    """One event in one part, or one kind of access to a memory: `count` of them for an image, `pj_each`.

    `terms`: what `pj_each` consists of, by feature of the fit: (bits moved by an event, pJ a bit). `source`: the family whose fit gave
    the unit cost, or the cited macros.
    """

    block: str
    part: str
    cause: Cause
    event: str
    count: float
    pj_each: float
    source: str
    terms: Mapping[str, tuple[float, float]]

    @property
    def pj(self) -> float:
        return self.count * self.pj_each

    def an_image(self, images: int) -> "Row":
        """One image's part of a row that counts for all images of a run."""
        return replace(self, count=an_image({"count": self.count}, images)["count"])


@dataclass(frozen=True)
class LayerCost:
    """One layer, for an image: energies in pJ. `activity`: whence is known how much operands move.

    `counts`, `occupancy`, `traffic`: by the names of `sw.counts.Counts`, `sw.occupancy.Occupancy` and `Traffic`.
    """

    layer: Layer
    counts: Mapping[str, float]
    logic: tuple[Row, ...]
    memories: tuple[Row, ...]
    external: Row
    occupancy: Mapping[str, float]
    traffic: Mapping[str, float]
    activity: str

    @property
    def logic_pj(self) -> float:
        return sum(row.pj for row in self.logic)

    @property
    def memory_pj(self) -> float:
        return sum(row.pj for row in self.memories)

    def by_block(self) -> dict[str, float]:
        """Energy of the logic by kind of block, as `gatewright.dse.cost.Prediction.layers` has it."""
        result: dict[str, float] = {}
        for row in self.logic:
            result[row.block] = result.get(row.block, 0.0) + row.pj
        return result

    def record(self) -> dict[str, Any]:
        """Every number, as JSON may hold it."""

        def rows(some: Sequence[Row]) -> list[dict[str, Any]]:
            return [asdict(row) | {"pj": row.pj} for row in sorted(some, key=lambda row: -row.pj)]

        return {
            "name": self.layer.name,
            "operator": self.layer.operator.name,
            "products": self.counts["products"],
            **totals([self]),
            "logic": rows(self.logic),
            "memories": rows(self.memories),
            "external": rows([self.external]),
            "counts": self.counts,
            "occupancy": self.occupancy,
            "traffic": self.traffic,
            "activity": self.activity,
            "predicted": self.by_block(),
        }


@dataclass(frozen=True)
class Explanation:
    """All layers of a program, and what the unit costs of its parts rest on. `measured_as`: measurements of this very configuration."""

    schedule: Schedule
    clock_ns: float
    layers: tuple[LayerCost, ...]
    supports: tuple[Support, ...]
    extrapolations: tuple[Extrapolation, ...]
    unmeasured: tuple[str, ...]
    measured_as: tuple[str, ...]
    provenance: dict[str, str]

    def record(self, chosen: Sequence[int], measured: Sequence[Mapping[str, float]] | None = None) -> dict[str, Any]:
        """Every number, of the layers `chosen`, as JSON may hold it, all an image's. `measured`: pJ by kind of block and layer."""
        layers = [self.layers[i].record() | {"measured": measured[i] if measured is not None else None} for i in chosen]
        return {
            "network": self.schedule.workload.name,
            "accelerator": self.schedule.config,
            "images": self.schedule.images,
            "clock_ns": self.clock_ns,
            **totals(self.layers),
            "layers": layers,
            "supports": [asdict(support) for support in self.supports],
            "extrapolations": [asdict(one) | {"text": str(one)} for one in self.extrapolations],
            "unmeasured": self.unmeasured,
            "measured_as": self.measured_as,
            "provenance": self.provenance,
        }


def an_image(run: Mapping[str, float], images: int) -> dict[str, float]:
    """One image's part of numbers that count for all images of a run; whole where it divides them."""
    return {name: number // images if number % images == 0 else number / images for name, number in run.items()}


def totals(layers: Sequence[LayerCost]) -> dict[str, Any]:
    """Energies in pJ and cycles of some layers, for an image; the memories' at half, once and twice their cited cost."""
    memory = sum(layer.memory_pj for layer in layers)
    return {
        "energy_pj": sum(layer.logic_pj for layer in layers),
        "memory_energy_pj": {name: factor * memory for factor, name in MEMORY_FACTORS.items()},
        "external_energy_pj": sum(layer.external.pj for layer in layers),
        "cycles": sum(layer.counts["cycles"] for layer in layers),
    }
