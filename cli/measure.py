"""`gatewright measure`: an accelerator, or one kind of its blocks, synthesised and simulated with operands of a trained network."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import Json, Output, Quiet, Seed, accelerator_tables
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.hw.config import AcceleratorConfig
    from gatewright.sim.measurement import Measurement
    from gatewright.sim.probe import Probe
    from gatewright.sim.technology import Technology

CLOCK_NS = 20.0
NOTE = (
    "Logic is without wires and clock tree; glitches are in it, counted with the cells' delays; memories are cited. An op is one useful "
    "product of the network: a multiplication with its addition."
)

Config = Annotated[Path, typer.Argument(help="TOML with an [accelerator] table; [network] and [block] are optional.", metavar="CONFIG")]
Liberty = Annotated[list[Path] | None, typer.Option("--liberty", help="A standard-cell library; may be repeated.", metavar="FILE")]
Named = Annotated[str | None, typer.Option("--technology", help="An embedded technology: ihp130 (default), sky130, asap7.", metavar="NAME")]
Reconfigurability = Annotated[
    bool, typer.Option("--reconfigurability", help="What several operators in one element cost, and what operand isolation saves.")
]
Images = Annotated[int, typer.Option("--images", min=1, max=512, help="Training images of the digits to run.")]


def measure(
    config: Config,
    technology: Named = None,
    liberty: Liberty = None,
    reconfigurability: Reconfigurability = False,
    images: Images = 64,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Synthesise and simulate an accelerator (or a block in it) with operands of a network trained on the digits."""
    from gatewright.hw.names import accelerator_from
    from gatewright.sim.accelerator import netlist_of
    from gatewright.sim.measurement import parts
    from gatewright.sim.probe import mapped, measure_probe
    from gatewright.sim.summary import summary
    from gatewright.sim.technology import from_liberty, technology_named
    from gatewright.sim.timing import critical_path

    output, tables = Output(as_json, quiet), accelerator_tables(config)
    if liberty and technology:
        raise BadInput("--liberty and --technology both name a library: give one of them.")
    accelerator = accelerator_from(tables, str(config))
    process = from_liberty(*liberty) if liberty else technology_named(technology or "ihp130")
    if reconfigurability:
        _reconfigurability(accelerator, process, images, seed, output)
        return
    probe = _probe(config.stem, accelerator, tables, images, seed)
    mapped(probe)  # what cannot run is refused before it takes time
    output.note(f"Synthesising {config.stem} with {process.name}")
    netlist = netlist_of(accelerator, process)
    kind = _block(tables, parts(netlist, accelerator, process), config)
    output.note(f"Training {probe.architecture.name} and simulating {images} images on {netlist.size:,} gates")
    result = measure_probe(probe, process, CLOCK_NS)
    m = result.measurement
    record = summary(m, kind)
    timing = critical_path(netlist, process)
    record |= {"fmax_mhz_estimate": timing.fmax_mhz_estimate, "critical_path": timing.blocks}
    record |= {
        "technology": m.technology,
        "memories": process.memories_note,
        "tools": m.tools,
        "operands": m.operands,
        "note": NOTE,
        "reused": result.reused,
    }
    output.emit(record, Group(_figures(record), "", _blocks(m), "", NOTE))


def _reconfigurability(config: "AcceleratorConfig", technology: "Technology", images: int, seed: int, output: Output) -> None:
    """A table with a row for every operator on every variant of the grid."""
    from gatewright.sim.reconfigurability import EXPLAINED, compare

    rows = list(compare(config, technology, images=images, seed=seed, listen=output.note))
    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(
        ("operator", "lanes", "element um2", "element MHz", "logic um2", "grid pJ/op", "no glitches", "logic pJ/op", "no glitches")
    ):
        table.add_column(heading, justify="right" if i > 1 else "left")
    for row in rows:
        energies = [f"{pj:.4g}" for pj in (row.grid_pj, row.grid_zero_delay_pj, row.logic_pj, row.logic_zero_delay_pj)]
        table.add_row(row.operator, row.variant, f"{row.element_um2:,.0f}", f"{row.element_mhz:.0f}", f"{row.area_um2:,.0f}", *energies)
    grid = f"{config.rows} x {config.cols} elements of {config.operand_bits} bits, {config.pipeline_stages} register stages"
    what = f"{technology.name}, {grid}, {images} images."
    record = {"technology": technology.name, "rows": [row.model_dump() for row in rows], "note": NOTE}
    output.emit(record, Group(table, "", what, EXPLAINED, "", NOTE))


def _probe(name: str, config: "AcceleratorConfig", tables: Mapping[str, Any], images: int, seed: int) -> "Probe":
    from gatewright.sim.probe import Probe
    from gatewright.sim.summary import network_for

    return Probe(name=name, config=config, architecture=network_for(config, tables.get("network")), streams=images, seed=seed)


def _block(tables: Mapping[str, Any], parts: Iterable[str], path: Path) -> str | None:
    """The kind of block asked for, None for the whole accelerator."""
    if "block" not in tables:
        return None
    table = tables["block"]
    kinds = sorted({key.partition(":")[0] for key in parts})
    if set(table) != {"kind"} or table["kind"] not in kinds:
        raise BadInput(
            f"{path}: [block] has one key, kind, and this accelerator's kinds of block are {', '.join(kinds)}; got {dict(table)}."
        )
    return str(table["kind"])


def _figures(record: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    with_memories = record.get("energy_with_memories_pj_per_op", {})
    rows = {
        "block": record["block"] if record["instances"] == 1 else f"{record['block']}, one of {record['instances']}",
        "area": f"{record['area_um2']:,.0f} um2",
        "energy": f"{record['energy_pj_per_op']:.4g} pJ per useful product, logic alone",
        "without glitches": f"{record['zero_delay_pj_per_op']:.4g} pJ per useful product",
        "with memories": ", ".join(f"{pj:.4g}" for pj in with_memories.values()) + " pJ, at half, once and twice their cited cost",
        "leakage": f"{record['leakage_nw']:,.1f} nW",
        "cycles": f"{record['cycles_per_op']:.4g} per useful product",
        "clock": f"up to about {record['fmax_mhz_estimate']:.0f} MHz by static timing, unbuffered netlist, whole accelerator",
        "longest path": " > ".join(record["critical_path"]),
        "technology": record["technology"],
        "memories": record["memories"],
        "operands": record["operands"],
    }
    for name, value in rows.items():
        if with_memories or name not in ("with memories", "memories"):
            table.add_row(name, str(value))
    return table


def _blocks(m: "Measurement") -> Table:
    """Where area and energy are."""
    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(("block", "instances", "area um2", "flip-flops", "energy pJ per run", "share")):
        table.add_column(heading, justify="right" if i else "left")
    for key, part in sorted(m.parts.items(), key=lambda item: -item[1].area_um2):
        energy = sum(sum(layer.energy.get(key, (0.0,))) for layer in m.layers)
        sizes = (str(part.instances), f"{part.area_um2:,.0f}", str(part.flip_flops))
        table.add_row(key, *sizes, f"{energy:,.0f}", f"{energy / m.energy_pj:.1%}")
    return table
