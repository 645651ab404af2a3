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
LAYER_KEYS = (
    "A layer has a name, sizes of its loops G, N, K, C, P, Q, R, S (1 where left out; P and Q are the output's rows and columns, so there "
    "is no padding), stride and count."
)
LEVEL_KEYS = (
    "A level has a name, keeps, may_keep, words, access_words, read_pj, write_pj, read_words, write_words, loops, and arrays "
    "[[levels.inside]] with name, size and loops: docs/mapping.md shows one."
)
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
    rows, refused = [], []
    with output.progress() as bar:
        task = bar.add_task("Mapping layers", total=len(network.layers))
        for layer in network.layers:
            try:
                rows.append(one(layer))
            except BadInput as error:
                refused.append(str(error))
            bar.advance(task)
    if refused:
        raise BadInput(f"{len(refused)} of {len(network.layers)} layers cannot be mapped. {' '.join(refused)}")
    head = {"network": network.name, "design": name, "objective": objective, "images": images, "costs": costs}
    output.emit(record(head, rows, monotonic() - start), text(head, rows, pad))


def _network(name: str) -> "Network":
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.problem import Network, Problem

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.network(name)
    tables = {"name": path.stem} | read_toml(path)
    if not isinstance(tables.get("layers"), list):
        raise BadInput(f"{name} has no [[layers]]: the first argument is a network, the second what it runs on. {LAYER_KEYS}")
    tables["layers"] = tuple(_entry(Problem, fields, f"{name}, layer {i}", LAYER_KEYS) for i, fields in enumerate(tables["layers"], 1))
    return Network(**tables)


def _entry(noun: Any, fields: Any, place: str, keys: str) -> Any:
    """One table of a list; an error says which one it is and what keys there are."""
    fields = fields if isinstance(fields, dict) else {"table": fields}
    try:
        return noun(**fields)
    except BadInput as error:
        named = f" {fields['name']!r}" if "name" in fields else ""
        raise BadInput(f"{place}{named}: {str(error).partition(': ')[2]} {keys}") from None


def _design(name: str) -> "Hierarchy | AcceleratorConfig":
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.hierarchy import Hierarchy, Level
    from gatewright.hw.names import accelerator_from

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.hierarchy(name)
    tables = read_toml(path)
    if "accelerator" in tables:
        return accelerator_from(tables, name)
    if "levels" not in tables:
        raise BadInput(f"{name} has neither [accelerator] (a grid of ours) nor [[levels]] (a hierarchy of memories); give one of them.")
    entries = tables["levels"] if isinstance(tables["levels"], list) else [tables["levels"]]
    tables["levels"] = tuple(_entry(Level, fields, f"{name}, level {i}", LEVEL_KEYS) for i, fields in enumerate(entries, 1))
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
    from gatewright.sw.layers import Context, Layer

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
            found = Mapper(model, images=p.N, seconds=seconds).certify(layer, config, Context(chosen), objective)
            both, _ = Mapper(model, images=p.N, memories=1.0).score(layer, config, found.mapping, Context(chosen))
        except BadInput as error:
            raise BadInput(f"Layer {p.name}: {error}") from None
        used = p.products / found.cycles / peak
        words = " ".join(f"{name}={value}" for name, value in found.mapping.model_dump().items() if value not in (1, "none"))
        return Row(
            p.name, p.count, found.energy_pj, found.cycles, used, found.certified, found.gap, found.seconds, words, both - found.energy_pj
        )

    return one


KEYS = ("name", "edp", "energy_pj", "cycles", "certified", "gap", "seconds", "count", "utilisation", "memory_pj", "mapping")


def record(head: dict[str, Any], rows: list[Row], seconds: float) -> dict[str, Any]:
    """What --json prints. Costs of a layer are of one of its copies, of `total` of all."""
    energy, cycles = total(rows)
    whole: dict[str, Any] = {
        "energy_pj": energy,
        "cycles": cycles,
        "edp": energy * cycles * EDP,
        "certified": all(row.certified for row in rows),
    }
    if memories := with_memories(rows):
        whole["energy_with_memories_pj"] = memories
    units = {"edp": "J * cycle", "energy_pj": "pJ", "memory_pj": "pJ", "cycles": "cycles", "gap": "share", "seconds": "s"}
    layers = [{name: getattr(row, name) for name in KEYS} for row in rows]
    return {**head, "layers": layers, "total": whole, "units": units, "seconds": round(seconds, 2)}


def total(rows: list[Row]) -> tuple[float, float]:
    """Energy in pJ and cycles of all layers, each as often as it comes."""
    return sum(row.count * row.energy_pj for row in rows), sum(row.count * row.cycles for row in rows)


def with_memories(rows: list[Row]) -> dict[str, float]:
    """Energy in pJ of all layers with a grid's on-chip memories at half, once and twice their cited cost; empty for a hierarchy."""
    memory = [row.count * row.memory_pj for row in rows if row.memory_pj is not None]
    factors = {"half": 0.5, "once": 1.0, "twice": 2.0}
    return {name: total(rows)[0] + times * sum(memory) for name, times in factors.items()} if memory else {}


def text(head: dict[str, Any], rows: list[Row], pad: bool) -> Group:
    images = f", {head['images']} images together" if head["images"] > 1 else ""
    title = f"{head['network']} on {head['design']}{images}: for each layer the mapping of least {WORDS[head['objective']]}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("layer", "times", "uJ each", "cycles each", "utilisation", "J*cycle each", "optimal", "seconds"):
        table.add_column(heading, justify="left" if heading in ("layer", "optimal") else "right")
    for row in rows:
        sure = "proven" if row.certified else f"gap {row.gap:.1%}"
        costs = (significant(row.energy_pj * 1e-6), f"{row.cycles:,.0f}", f"{row.utilisation:.0%}", f"{row.edp:.4g}")
        table.add_row(row.name, str(row.count), *costs, sure, f"{row.seconds:.2f}")
    mappings = [f"{row.name}: {row.mapping}" for row in rows]
    return Group(table, "", "\n".join(mappings), "", "\n".join(closing(head, rows, pad)))


WORDS = {"edp": "energy-delay product", "energy": "energy", "latency": "latency"}


def significant(value: float) -> str:
    """Four significant digits, all of a larger number."""
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.4g}"


def closing(head: dict[str, Any], rows: list[Row], pad: bool) -> Iterator[str]:
    energy, cycles = total(rows)
    number, proven = sum(row.count for row in rows), sum(row.count for row in rows if row.certified)
    yield (
        f"{number} layers one after the other: {significant(energy * 1e-6)} uJ, {cycles:,.0f} cycles, "
        f"EDP {energy * cycles * EDP:,.4g} J*cycle (energies together times cycles together). "
        f"Of {proven} layers the mapping is proven to be the best one for that layer."
    )
    if pad and proven < number:
        yield "A gap is that over every padding that was not tried in time; without --pad the same mapping may be proven."
    yield f"Costs are {head['costs']}."
    if memories := with_memories(rows):
        half, once, twice = (significant(value * 1e-6) for value in memories.values())
        yield f"With on-chip memories (cited) {once} uJ; with memories at half their cost {half}, at twice {twice}."
    yield "How to read a mapping: docs/mapping.md."
