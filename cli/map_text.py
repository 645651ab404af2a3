"""What `gatewright map` prints."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table

from gatewright.cli.map_designs import EDP, Row
from gatewright.sim import metrics

KEYS = (
    "name",
    "edp",
    "energy_pj",
    "cycles",
    "certified",
    "gap",
    "seconds",
    "count",
    "utilisation",
    "energy_by_level_pj",
    "memory_pj",
    "mapping",
)
UNITS = {
    "edp": "J * cycle",
    "energy_pj": "pJ",
    "energy_by_level_pj": "pJ",
    "memory_pj": "pJ",
    "cycles": "cycles",
    "gap": "share",
    "seconds": "s",
    "clock_ns": "ns",
    "heldout_error": "share",
}
WORDS = {"edp": "energy-delay product", "energy": "energy", "latency": "latency"}


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
    if levels := by_level(rows):
        whole["energy_by_level_pj"] = levels
    layers = [{name: getattr(row, name) for name in KEYS} for row in rows]
    return {**head, "layers": layers, "total": whole, "units": UNITS, "seconds": round(seconds, 2)}


def total(rows: list[Row]) -> tuple[float, float]:
    """Energy in pJ and cycles of all layers, each as often as it comes."""
    return sum(row.count * row.energy_pj for row in rows), sum(row.count * row.cycles for row in rows)


def with_memories(rows: list[Row]) -> dict[str, float]:
    """Energy in pJ of all layers with a grid's on-chip memories at half, once and twice their cited cost; empty for a hierarchy."""
    memory = [row.count * row.memory_pj for row in rows if row.memory_pj is not None]
    return metrics.with_memories(total(rows)[0], sum(memory)) if memory else {}


def by_level(rows: list[Row]) -> dict[str, float]:
    """Energy in pJ of all layers in each level of a hierarchy and in its multipliers; empty for a grid."""
    found: dict[str, float] = {}
    for row in rows:
        for level, energy in (row.energy_by_level_pj or {}).items():
            found[level] = found.get(level, 0.0) + row.count * energy
    return found


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
    return Group(table, "", "\n".join(mappings), "", *_levels(rows), "\n".join(closing(head, rows, pad)))


def _levels(rows: list[Row]) -> Iterator[Table | str]:
    """Where the energy of all layers goes on a hierarchy."""
    if not (found := by_level(rows)):
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("level", "uJ", "share"):
        table.add_column(heading, justify="left" if heading == "level" else "right")
    for level, energy in found.items():
        table.add_row(level, significant(energy * 1e-6), f"{energy / (total(rows)[0] or 1.0):.1%}")
    yield from (table, "")


def significant(value: float) -> str:
    """Four significant digits, all of a larger number."""
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.4g}"


def closing(head: dict[str, Any], rows: list[Row], pad: bool) -> Iterator[str]:
    energy, cycles = total(rows)
    number, proven = sum(row.count for row in rows), sum(row.count for row in rows if row.certified)
    yield (
        f"{f'{number} layers one after the other' if number > 1 else 'One layer'}: {significant(energy * 1e-6)} uJ, {cycles:,.0f} cycles, "
        f"EDP {energy * cycles * EDP:,.4g} J*cycle (energies together times cycles together). "
        f"{proven} of {number} {'layers' if number > 1 else 'layer'} {'is' if proven == 1 else 'are'} proven optimal, each by itself."
    )
    if pad and proven < number:
        yield "A gap is that over every padding that was not tried in time; without --pad the same mapping may be proven."
    yield f"Costs are {head['costs']}."
    if unlimited := head.get("unlimited"):
        yield f"{' and '.join(unlimited)} without words in the file: as many as are needed."
    if "technology" in head:
        yield (
            f"Energies are of {head['technology']} at a clock period of {head['clock_ns']:g} ns; the model predicts those of accelerators "
            f"it has not seen within {head['heldout_error']:.1%} on average. No trained network is given, so how much operands move is "
            f"typical ({head['activity']}); how far that is off is not in this error."
        )
    if memories := with_memories(rows):
        half, once, twice = (significant(value * 1e-6) for value in memories.values())
        yield f"With on-chip memories (cited) {once} uJ; with memories at half their cost {half}, at twice {twice}."
    yield "How to read a mapping: docs/mapping.md."
