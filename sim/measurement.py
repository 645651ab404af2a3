"""`Measurement`: one complete accelerator, synthesised and simulated, as numbers with their provenance.

Area and energy are split by part: the blocks of `block_kind`, and inside the grid the lanes, stream encoders and number sources of every
operator apart (`lanes:int8x8u`, `encoder.weight:sc_...`). Energy has four causes: the clock (pins and insides of flip-flops), leakage,
nets that settle at another value than in the cycle before (settled), and their further transitions on the way (glitches).
"""

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.datapath import datapaths
from gatewright.hw.errors import BadInput, Missing
from gatewright.hw.noun import Noun
from gatewright.sim import files
from gatewright.sim.accelerator import Measured, block_kind
from gatewright.sim.netlist import Netlist, Path_
from gatewright.sim.technology import Technology
from gatewright.sw.activity import Activity, activities
from gatewright.sw.counts import count
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture

FORMAT = 2


Causes = tuple[float, float, float, float]


class Part(Noun):
    """All instances of one kind of block: area in um2, flip-flops and cells of all of them together."""

    instances: int = Field(ge=1)
    area_um2: float = Field(ge=0)
    flip_flops: int = Field(ge=0)
    cells: int = Field(ge=0)


class LayerMeasurement(Noun):
    """One layer of a run: what was counted, and the energy of every part in pJ, all per run of the program.

    `energy` holds (clock, leakage, settled, glitches) by part. `accesses` are reads and writes of every memory in the cycles simulated and
    counted, over all streams: `sampled` says which part of the layer's cycles those were (1.0: all of them), `timed` in which part of them
    glitches were counted (0.0: in none, and they are left out). `activity`: how much the operands moved.
    """

    operator: str
    cycles: int = Field(ge=1)
    sampled: float = Field(gt=0)
    timed: float = Field(ge=0)
    energy: dict[str, Causes]
    accesses: dict[str, tuple[int, int]]
    memory_pj: float = Field(ge=0)
    activity: Activity


class Measurement(Noun):
    """A probe, its provenance and its numbers. Schedules are made again from architecture, configuration and mappings."""

    name: str
    config: AcceleratorConfig
    architecture: Architecture
    mappings: tuple[Mapping, ...]
    images: int = Field(ge=1)
    streams: int = Field(ge=1)
    clock_ns: float = Field(gt=0)
    technology: str
    technology_hash: str
    tools: dict[str, str]
    operands: str
    parts: dict[str, Part]
    layers: tuple[LayerMeasurement, ...]
    memory_area_um2: float = Field(ge=0)
    external_words: int = Field(ge=0)

    @property
    def area_um2(self) -> float:
        return sum(part.area_um2 for part in self.parts.values())

    @property
    def memory_pj(self) -> float:
        """Energy of the on-chip memories per run of the program, on cited figures."""
        return sum(layer.memory_pj for layer in self.layers)

    @property
    def energy_pj(self) -> float:
        """Energy of the logic per run of the program, glitches included."""
        return sum(sum(causes) for layer in self.layers for causes in layer.energy.values())

    @property
    def zero_delay_pj(self) -> float:
        """The same without glitches."""
        return sum(sum(causes[:3]) for layer in self.layers for causes in layer.energy.values())


def part_of(path: Path_, config: AcceleratorConfig) -> str:
    """The part an instance path belongs to."""
    if len(path) < 3 or path[1] != "grid":
        return block_kind(path)
    unit, inner = path[2], path[3] if len(path) > 3 else ""
    if inner.startswith("lanes"):
        return f"lanes:{datapaths(config)[int(inner.removeprefix('lanes').partition('_')[0])].name}"
    streams = [operator for operator in config.operators if operator.kind == "stochastic"]
    if inner.startswith("encoder"):
        return f"encoder.{unit.split('_')[0]}:{streams[int(inner.removeprefix('encoder'))].name}"
    if "_source_" in unit:
        side, _, number = unit.partition("_source_")
        return f"source.{side}:{streams[int(number)].name}"
    return block_kind(path)


def describe(measured: Measured, name: str, architecture: Architecture, operands: str, tools: dict[str, str]) -> Measurement:
    """What a gate-level run showed, as a noun."""
    program, netlist, technology = measured.program, measured.netlist, measured.technology
    config, schedule = program.config, program.schedule
    keys = [part_of(path, config) for path in netlist.paths]
    moved = activities(program.network, measured.codes, config.operand_bits)
    layers = []
    for i, (report, layer, counts) in enumerate(zip(measured.layers, schedule.workload.layers, count(schedule), strict=True)):
        factor = measured.scale(i)
        causes = _by_part(netlist, keys, np.stack([report.clock, report.leakage, report.switching + report.internal, report.glitches]))
        causes.setdefault("system", np.zeros(4))[2] += report.ports_pj
        for memory in report.memories:
            causes.setdefault("memory_port", np.zeros(4))[2] += memory.output_pj
        layers.append(
            LayerMeasurement(
                operator=layer.operator.name,
                cycles=counts.cycles,
                sampled=report.cycles / measured.streams / counts.cycles,
                timed=report.timed_cycles / measured.streams / counts.cycles,
                energy={key: _rounded(values * factor) for key, values in causes.items() if values.any()},
                accesses={".".join(memory.path[1:]): (memory.reads, memory.writes) for memory in report.memories},
                memory_pj=report.memory_pj * factor,
                activity=moved[i],
            )
        )
    return Measurement(
        name=name,
        config=config,
        architecture=architecture,
        mappings=schedule.mappings,
        images=schedule.images,
        streams=measured.streams,
        clock_ns=measured.clock_ns,
        technology=technology.name,
        technology_hash=technology.hash,
        tools=tools,
        operands=operands,
        parts=parts(netlist, config, technology),
        layers=tuple(layers),
        memory_area_um2=sum(memory.cost.area_um2 for memory in measured.layers[0].memories),
        external_words=measured.external_words,
    )


def parts(netlist: Netlist, config: AcceleratorConfig, technology: Technology) -> dict[str, Part]:
    """Area and numbers of cells of every part of a synthesised system."""
    library = technology.library.cells
    instances: dict[str, set[Path_]] = {}
    sums: dict[str, list[float]] = {}
    for path, cells in netlist.counts().items():
        key = part_of(path, config)
        deep = key.startswith(("lanes", "encoder")) or (path[1:2] == ("grid",) and len(path) > 2)
        instances.setdefault(key, set()).add(path[: 4 if key.startswith(("lanes", "encoder")) else 3 if deep else 2])
        values = sums.setdefault(key, [0.0, 0, 0])
        for kind, number in cells.items():
            values[0] += library[kind].area * number
            values[1] += number if library[kind].ff is not None else 0
            values[2] += number
    return {
        key: Part(instances=len(instances[key]), area_um2=round(area, 3), flip_flops=int(ffs), cells=int(cells))
        for key, (area, ffs, cells) in sums.items()
    }


def _by_part(netlist: Netlist, keys: list[str], causes: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of [cause, cell] over the cells of each part."""
    paths = np.concatenate([cells.paths for cells in netlist.cells.values()])
    sums = np.stack([np.bincount(paths, weights=row, minlength=len(keys)) for row in causes])
    result: dict[str, np.ndarray] = {}
    for i, key in enumerate(keys):
        result[key] = result.get(key, np.zeros(len(causes))) + sums[:, i]
    return result


def _rounded(values: np.ndarray) -> Causes:
    """Six significant digits."""
    clock, leakage, settled, glitches = (float(f"{value:.6g}") for value in values)
    return clock, leakage, settled, glitches


def save(measurements: Iterable[Measurement], path: Path) -> None:
    """Write a file that `load` reads, whole or not at all."""
    records = [json.loads(measurement.to_json()) for measurement in measurements]
    lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    files.write(path, f'{{"format": {FORMAT}, "measurements": [\n{lines}\n]}}\n')


def load(path: Path) -> tuple[Measurement, ...]:
    """Read measurements. Raises BadInput for a file that is absent, damaged or of another format."""
    remedy = "Make it again with gatewright calibrate --out."
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is not a file of measurements ({error}). {remedy}") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("measurements"), list):
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise BadInput(f"{path}: measurements have format {FORMAT}; got {found}. {remedy}")
    try:
        return tuple(Measurement(**fields) for fields in record["measurements"])
    except (BadInput, TypeError) as error:
        raise BadInput(f"{path} holds a damaged measurement: {error} {remedy}") from None


def shipped(technology: str = "ihp130") -> Path:
    """The measurements of a technology that come with the package, made by `gatewright calibrate --out`. Raises Missing where none do."""
    path = Path(str(resources.files("gatewright.sim"))) / "data" / f"measurements_{technology}.json"
    if not path.is_file():
        raise Missing(
            f"No measurements of {technology} come with this package. Make them with "
            f"`gatewright calibrate --technology {technology} --out {technology}.json` and name the file in a configuration's "
            f'[measure] table: technology = "{technology}", measurements = "{technology}.json".'
        )
    return path
