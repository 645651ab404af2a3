"""`gatewright map`: the mapping of least cost of each layer of a network, certified, on our grid or on a published spatial hierarchy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import Json, Output, Quiet, Seed, read_toml
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.spatial.hierarchy import Hierarchy
    from gatewright.dse.spatial.problem import Network, Problem
    from gatewright.hw.config import AcceleratorConfig

WorkloadFile = Annotated[str, typer.Argument(help="A TOML file with [[layers]], or a network by name.", metavar="WORKLOAD")]
Accelerator = Annotated[
    str,
    typer.Argument(
        help="A TOML file: [accelerator] is a grid of ours, [[levels]] any hierarchy of memories and arrays. Or a hierarchy by name.",
        metavar="ACCELERATOR",
    ),
]
Goal = Annotated[Literal["edp", "energy", "latency"], typer.Option("--objective", help="What is least.")]
Budget = Annotated[float | None, typer.Option("--seconds", min=0, help="Time for a layer; when it is over, the best so far and its gap.")]
Pad = Annotated[bool, typer.Option("--pad", help="Hierarchies: also pad loops by up to a quarter (imperfect factors); 10 seconds a layer.")]
OperatorName = Annotated[str | None, typer.Option("--operator", help="Grids: the operator of all layers; by default the grid's first.")]
Images = Annotated[int, typer.Option("--images", min=1, help="Images that are mapped together.")]

PAD_SECONDS = 10.0
EDP = 1e-12  # J a pJ


@dataclass(frozen=True)
class Row:
    """One layer: costs of one of its `count` equal copies. `utilisation`: products made of those the design could make in the cycles.

    `memory_pj`: on-chip memories of a grid, not in `energy_pj`; a hierarchy's memories are in it.
    """

    name: str
    count: int
    energy_pj: float
    cycles: float
    utilisation: float
    certified: bool
    gap: float
    seconds: float
    mapping: str
    memory_pj: float | None = None

    @property
    def edp(self) -> float:
        """J * cycle."""
        return self.energy_pj * self.cycles * EDP


def map(
    workload: WorkloadFile,
    accelerator: Accelerator,
    objective: Goal = "edp",
    seconds: Budget = None,
    pad: Pad = False,
    operator: OperatorName = None,
    images: Images = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Find the mapping of least energy, latency or energy-delay product for each layer, and prove that there is no better one."""
    from gatewright.dse.spatial.hierarchy import Hierarchy

    output, start = Output(as_json, quiet), monotonic()
    network, design = _network(workload), _design(accelerator)
    network = network.replace(layers=tuple(layer.replace(N=layer.N * images) for layer in network.layers))
    if isinstance(design, Hierarchy):
        if operator:
            raise BadInput(f"--operator is for grids of ours; {design.name} has multipliers of one price.")
        name, costs, one = design.name, f"cited, not measured: {design.source}", _on_hierarchy(design, objective, seconds, pad)
    else:
        if pad:
            raise BadInput("--pad is for hierarchies: tiles of our grid need not divide a layer, so its mappings are padded already.")
        name, costs, one = "our grid", "calibrated: the logic alone; cycles are exact", _on_grid(design, operator, objective, seconds)
    rows = []
    with output.progress() as bar:
        task = bar.add_task("Mapping layers", total=len(network.layers))
        for layer in network.layers:
            rows.append(one(layer))
            bar.advance(task)
    head = {"network": network.name, "design": name, "objective": objective, "costs": costs}
    output.emit(record(head, rows, monotonic() - start), text(head, rows))


def _network(name: str) -> "Network":
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.problem import Network

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.network(name)
    return Network(**({"name": path.stem} | read_toml(path)))


def _design(name: str) -> "Hierarchy | AcceleratorConfig":
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.hierarchy import Hierarchy
    from gatewright.hw.names import accelerator_from

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.hierarchy(name)
    tables = read_toml(path)
    if "accelerator" in tables:
        return accelerator_from(tables, name)
    if "levels" not in tables:
        raise BadInput(f"{name} has neither [accelerator] (a grid of ours) nor [[levels]] (a hierarchy of memories); give one of them.")
    return Hierarchy(**({"name": path.stem} | tables))


def _on_hierarchy(design: "Hierarchy", objective: Any, seconds: float | None, pad: bool) -> Callable[["Problem"], Row]:
    from gatewright.dse.spatial.mapper import certify
    from gatewright.dse.spatial.padded import certify_padded

    def one(layer: "Problem") -> Row:
        if pad:
            found = certify_padded(layer, design, objective, PAD_SECONDS if seconds is None else seconds)
        else:
            found = certify(layer, design, objective, seconds)
        cost, used = found.cost, layer.products / found.cost.cycles / design.peak
        words = found.nest.words(design)
        return Row(layer.name, layer.count, cost.energy_pj, cost.cycles, used, found.certified, found.gap, found.seconds, words)

    return one


def _on_grid(config: "AcceleratorConfig", operator: str | None, objective: Any, seconds: float | None) -> Callable[["Problem"], Row]:
    from gatewright.dse.cost import CostModel
    from gatewright.dse.mapper import Mapper
    from gatewright.hw.names import operator_named
    from gatewright.sw.layers import Layer

    chosen = operator_named(operator) if operator else config.operators[0]
    if chosen not in config.operators:
        raise BadInput(f"The grid has no operator {chosen.name}; it has {', '.join(one.name for one in config.operators)}.")
    model = CostModel.default()
    peak = config.rows * config.cols * config.lanes(chosen) / chosen.steps

    def one(problem: "Problem") -> Row:
        p = problem
        size = {"H": (p.P - 1) * p.stride + p.R, "W": (p.Q - 1) * p.stride + p.S, "R": p.R, "S": p.S, "stride": p.stride}
        layer = Layer(name=p.name, operator=chosen, C=p.G * p.C, K=p.G * p.K, groups=p.G, **size)
        try:
            found = Mapper(model, images=p.N, seconds=seconds).certify(layer, config, chosen, objective)
            both, _ = Mapper(model, images=p.N, memories=1.0).score(layer, config, found.mapping, chosen)
        except BadInput as error:
            raise BadInput(f"Layer {p.name}: {error}") from None
        used = p.products / found.cycles / peak
        words = " ".join(f"{name}={value}" for name, value in found.mapping.model_dump().items() if value not in (1, "none"))
        return Row(
            p.name, p.count, found.energy_pj, found.cycles, used, found.certified, found.gap, found.seconds, words, both - found.energy_pj
        )

    return one


KEYS = ("name", "edp", "energy_pj", "cycles", "certified", "gap", "seconds", "count", "utilisation", "memory_pj", "mapping")


def record(head: dict[str, str], rows: list[Row], seconds: float) -> dict[str, Any]:
    """What --json prints. Costs of a layer are of one of its copies, of `total` of all."""
    energy, cycles = total(rows)
    whole = {"energy_pj": energy, "cycles": cycles, "edp": energy * cycles * EDP, "certified": all(row.certified for row in rows)}
    units = {"edp": "J * cycle", "energy_pj": "pJ", "memory_pj": "pJ", "seconds": "s"}
    layers = [{name: getattr(row, name) for name in KEYS} for row in rows]
    return {**head, "layers": layers, "total": whole, "units": units, "seconds": round(seconds, 2)}


def total(rows: list[Row]) -> tuple[float, float]:
    """Energy in pJ and cycles of all layers, each as often as it comes."""
    return sum(row.count * row.energy_pj for row in rows), sum(row.count * row.cycles for row in rows)


def text(head: dict[str, str], rows: list[Row]) -> Group:
    table = Table(title=f"{head['network']} on {head['design']}, least {head['objective']}", box=None, pad_edge=False)
    for heading in ("layer", "times", "energy uJ", "cycles", "utilisation", "EDP J*cycle", "optimal", "seconds", "mapping"):
        table.add_column(heading, justify="left" if heading in ("layer", "mapping", "optimal") else "right", overflow="fold")
    for row in rows:
        sure = "proven" if row.certified else f"gap {row.gap:.1%}"
        costs = (f"{row.energy_pj * 1e-6:,.2f}", f"{row.cycles:,.0f}", f"{row.utilisation:.0%}", f"{row.edp:.4g}")
        table.add_row(row.name, str(row.count), *costs, sure, f"{row.seconds:.2f}", row.mapping)
    return Group(table, "", *closing(head, rows))


def closing(head: dict[str, str], rows: list[Row]) -> Iterator[str]:
    energy, cycles = total(rows)
    number, proven = sum(row.count for row in rows), sum(row.count for row in rows if row.certified)
    yield (
        f"{number} layers one after the other: {energy * 1e-9:,.3f} mJ, {cycles:,.0f} cycles, EDP {energy * cycles * EDP:,.4g} J*cycle "
        f"(energies together times cycles together); {proven} proven optimal."
    )
    yield f"Costs are {head['costs']}."
    memory = [row.count * row.memory_pj for row in rows if row.memory_pj is not None]
    if memory:
        half, once, twice = ((energy + times * sum(memory)) * 1e-9 for times in (0.5, 1.0, 2.0))
        yield f"With on-chip memories (cited) {once:,.3f} mJ; with memories at half their cost {half:,.3f}, at twice {twice:,.3f}."
