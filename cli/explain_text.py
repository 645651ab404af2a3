"""An explanation as text: a heading, each layer in tables, and what the unit costs rest on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from gatewright.dse.explanation import Explanation, LayerCost, Row
    from gatewright.sim.metrics import Metrics

FOLDED = 0.02  # of a table's energy: smaller rows are put together
SAME = 1e-6  # relative: predictions that differ by less are equal
LEGEND = (
    "A count times its unit cost is the energy. All numbers are an image's, a run's divided among its images: counts of events are exact, "
    "of `changes` (bits that move) a mean; flip-flops and um2 as fitted.\n"
    "Issues: cycles in which the grid takes operands. Beats: rows of results drained; sums: complete ones; requantised: scaled ones. "
    "Words are those moved: walked ones of images with padding, linear ones of weights and parameters, stored ones of results. "
    "Useful: times the part of the grid's lanes with useful products; filled: times the part of an element's lanes that have a channel; "
    "idle: without work.\n"
    "Share: of the layer's logic, or of its on-chip memories."
)


def heading(found: "Explanation", gates: "tuple[str, Metrics, Metrics] | None", operands: str, clock: str) -> str:
    """`gates`: the technology of a measurement, the metrics, and those predicted then; `operands`: whose moves are priced; `clock`: where
    the period comes from."""
    from gatewright.dse.explain import ZERO_DELAY
    from gatewright.dse.explanation import totals
    from gatewright.dse.typical import NETWORK
    from gatewright.dse.words import accelerator_words

    images, whole = found.schedule.images, totals(found.layers)
    half, full, twice = (pj / 1e3 for pj in whole["memory_energy_pj"].values())
    run = f"a run of {images} takes {whole['cycles'] * images:,.0f}" if images > 1 else "one a run"
    lines = [
        f"{found.schedule.workload.name} on {accelerator_words(found.schedule.config)}",
        f"An image: {_count(whole['cycles'])} cycles of {found.clock_ns:g} ns ({clock}); {run}; all numbers are an image's",
        f"Operands: {operands}",
        f"Predicted an image: logic {whole['energy_pj'] / 1e3:,.1f} nJ, calibrated",
        f"  on-chip memories {full:,.1f} nJ, cited ({half:,.1f} at half, {twice:,.1f} at twice)",
        f"  external memory {whole['external_energy_pj'] / 1e3:,.1f} nJ, cited",
    ]
    if gates is not None:
        technology, m, predicted = gates
        mine, then = whole["energy_pj"], predicted.energy_pj
        plain = m.zero_delay_pj is not None and found.provenance["activity"] == ZERO_DELAY
        real = m.zero_delay_pj if plain and m.zero_delay_pj else m.energy_pj
        like = f", of which {real / 1e3:,.1f} nJ without glitches (as predicted; blocks are measured with them)" if plain else ""
        lines.append(f"Measured on gates: logic {m.energy_pj / 1e3:,.1f} nJ in {technology}{like}; predicted {mine / real - 1:+.1%}")
        if abs(mine / then - 1) > SAME:
            own = all(cost.activity == NETWORK for cost in found.layers)
            why = "unit costs have changed since" if own else "it knew the network's operands, or unit costs have changed since"
            lines[-1] += f". The run's own model predicted {then / 1e3:,.1f} nJ: {why}"
    beyond: dict[str, list[str]] = {}
    for one in found.extrapolations:
        beyond.setdefault(str(one), []).extend(one.families)
    every = {support.family for support in found.supports}
    lines += [f"EXTRAPOLATED  {text} ({'all parts' if set(names) == every else ', '.join(names)})" for text, names in beyond.items()]
    lines += [f"NOT MEASURED, counted as nothing  {one}" for one in found.unmeasured]
    return "\n".join(lines)


def summary(found: "Explanation", measured: "Sequence[Mapping[str, float]] | None") -> Table:
    """A row for each layer and the totals; `measured`: pJ by kind of block and layer."""
    real = ("measured nJ", "error") if measured is not None else ()
    head = ("layer", "operator", "logic nJ", "share", *real, "memories nJ", "external nJ", "cycles", "biggest block")
    table = _grid(*head, left=(0, 1, len(head) - 1))
    whole = sum(cost.logic_pj for cost in found.layers)
    each = [sum(blocks.values()) for blocks in measured] if measured is not None else [0.0] * len(found.layers)

    def line(name: str, operator: str, costs: "Sequence[LayerCost]", gates: float) -> None:
        logic, blocks = sum(cost.logic_pj for cost in costs), dict[str, float]()
        for block, pj in (pair for cost in costs for pair in cost.by_block().items()):
            blocks[block] = blocks.get(block, 0.0) + pj
        big = max(blocks, key=lambda block: blocks[block])
        table.add_row(
            name,
            operator,
            f"{logic / 1e3:,.1f}",
            f"{logic / whole:.1%}",
            *((f"{gates / 1e3:,.1f}", f"{logic / gates - 1:+.1%}" if gates else "") if real else ()),
            f"{sum(cost.memory_pj for cost in costs) / 1e3:,.1f}",
            f"{sum(cost.external.pj for cost in costs) / 1e3:,.1f}",
            _count(sum(cost.counts["cycles"] for cost in costs)),
            f"{big} {blocks[big] / logic:.1%}",
        )

    for i, (cost, gates) in enumerate(zip(found.layers, each, strict=True)):
        line(f"{i} {cost.layer.name}", cost.layer.operator.name, [cost], gates)
    line("total", "", found.layers, sum(each))
    return table


def layer(i: int, cost: "LayerCost", measured: Mapping[str, float] | None) -> list[Any]:
    shape, moved = cost.layer, cost.traffic["moved"] / cost.traffic["compulsory"]
    o, t = ({name: _count(number) for name, number in some.items()} for some in (cost.occupancy, cost.traffic))
    text = (
        f"Layer {i} {shape.name}, {shape.operator.name}: {shape.C} x {shape.H} x {shape.W} to {shape.K} x {shape.out_h} x {shape.out_w}, "
        f"{_count(cost.counts['products'])} products\n"
        f"  time     {o['cycles']} cycles: {o['issuing']} issuing, {o['filling']} filling and draining, {o['loading']} loading, "
        f"{o['storing']} storing, {o['control']} control; {o['hidden']} more of loading behind issuing; "
        f"elements in use {cost.occupancy['utilisation']:.1%}\n"
        f"  traffic  {t['moved']} words, {moved:.2f} x the compulsory {t['compulsory']} "
        f"({t['inputs']} inputs, {t['constants']} weights and parameters, {t['outputs']} outputs)\n"
        f"  operands {cost.activity}"
    )
    return [text, "", _blocks(cost, measured), "", _energy(cost)]


def _grid(*headings: str, left: Sequence[int] = (0,)) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i in left else "right")
    return table


def _energy(cost: "LayerCost") -> Table:
    """Counts times unit costs, greatest first; small ones, clock and leakage in a row each; memories below."""
    from gatewright.dse.explanation import totals

    table, whole = _grid("  where", "event", "count", "pJ each", "pJ", "share", "", left=(0, 1, 6)), cost.logic_pj
    _events(table, [row for row in cost.logic if row.cause == "settled"], whole)
    for cause in dict.fromkeys(row.cause for row in cost.logic if row.cause != "settled"):
        rows = [row for row in cost.logic if row.cause == cause]
        count, pj = sum(row.count for row in rows), sum(row.pj for row in rows)
        cells = ("", "", "", f"{pj:,.0f}") if cause == "glitches" else (rows[0].event, *_numbers(count, pj / count))
        table.add_row(f"  {cause}", *cells, f"{pj / whole:.1%}")
    _events(table, cost.memories, cost.memory_pj)
    half, full, twice = totals([cost])["memory_energy_pj"].values()
    table.add_row("  on-chip memories", "cited", "", "", f"{full:,.0f}", "100.0%", f"{half:,.0f} at half, {twice:,.0f} at twice")
    external = cost.external
    table.add_row("  external memory", external.event, *_numbers(external.count, external.pj_each), "", f"cited, {external.source}")
    return table


def _events(table: Table, rows: "Sequence[Row]", whole: float | None = None) -> None:
    """A line for each row of weight, greatest first, and one for the others; `whole` is what shares are of."""

    def share(pj: float) -> str:
        return f"{pj / whole:.1%}" if whole else ""

    least = FOLDED * sum(row.pj for row in rows)
    small = [row for row in rows if row.pj < least]
    for row in sorted((row for row in rows if row.pj >= least), key=lambda row: -row.pj):
        cited = row.block == "memories"
        name = f"  {row.part} memory" if cited else f"  {row.part}"
        table.add_row(name, row.event, *_numbers(row.count, row.pj_each), share(row.pj), row.source if cited else "")
    if small:
        pj = sum(row.pj for row in small)
        table.add_row(f"  {len(small)} smaller", "", "", "", f"{pj:,.0f}", share(pj))


def _numbers(count: float, each: float) -> tuple[str, str, str]:
    return _count(count), f"{each:.4g}", f"{count * each:,.0f}"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == round(number) or number > 1e4 else f"{number:,.1f}"


def _blocks(cost: "LayerCost", measured: Mapping[str, float] | None) -> Table:
    """The layer's energy by kind of block and cause, beside what was measured."""
    causes = list(dict.fromkeys(row.cause for row in cost.logic))
    table = _grid(
        "  block", *(f"{cause} pJ" for cause in causes), "pJ", "share", *(("measured pJ", "error") if measured is not None else ())
    )
    sums: dict[str, dict[str, float]] = {block: dict.fromkeys(causes, 0.0) for block in (*cost.by_block(), *(measured or {}))}
    for row in cost.logic:
        sums[row.block][row.cause] += row.pj
    whole, ordered = cost.logic_pj, sorted(sums, key=lambda block: -sum(sums[block].values()))
    small = [block for block in ordered if sum(sums[block].values()) < FOLDED * whole]
    for name, blocks in [
        *((block, [block]) for block in ordered if block not in small),
        (f"{len(small)} smaller", small),
        ("logic", ordered),
    ]:
        each = [sum(sums[block][cause] for block in blocks) for cause in causes]
        cells = [*(f"{pj:,.0f}" for pj in each), f"{sum(each):,.0f}", f"{sum(each) / whole:.1%}"]
        if measured is not None:
            real = sum(measured.get(block, 0.0) for block in blocks)
            cells += [f"{real:,.0f}", f"{sum(each) / real - 1:+.1%}" if real else ""]
        table.add_row(f"  {name}", *cells)
    return table


def rests(found: "Explanation") -> list[Any]:
    """The families in order of their energy, each with what tells about it."""
    sums: dict[str, float] = {}
    for layer in found.layers:
        for row in layer.logic:
            sums[row.source] = sums.get(row.source, 0.0) + row.pj
    whole = sum(sums.values())
    table = _grid("family", "share", "measured on", "equations", "held out: mean", "worst", "worst in", "nearest others", left=(0, 6, 7))
    ordered = sorted(found.supports, key=lambda support: -sums.get(support.family, 0.0))
    shown = [support for support in ordered if sums.get(support.family, 0.0) >= FOLDED / 2 * whole]
    nearest = Counter(support.nearest for support in shown)
    common = max(nearest, key=lambda names: nearest[names])
    for support in shown:
        mean, worst = support.energy_mape, support.energy_worst
        table.add_row(
            support.family,
            f"{sums.get(support.family, 0.0) / whole:.1%}",
            str(len(support.measurements)),
            str(sum(support.equations.values())),
            "none" if mean is None else f"{mean:.1%}",
            "none" if worst is None else f"{worst:+.1%}",
            support.worst_in or "",
            ", ".join(support.nearest) if support.nearest != common else "",
        )
    p = found.provenance
    same = (
        f"This configuration is among them: {', '.join(found.measured_as)}."
        if found.measured_as
        else "This configuration is not among them."
    )
    text = (
        f"Unit costs are fitted to {p['measurements']}, {p['technology']}, {p['tools']}. {same}\n"
        f"Most like it: {', '.join(common)}; where a family was measured on others, they are named with it.\n"
        f"Those ran {p['operands']}; {p['activity']}.\n"
        "Held out: energy of the family's parts, each predicted without its own accelerator's measurement."
    )
    rest = sum(sums.get(support.family, 0.0) for support in ordered if support not in shown)
    memories = f"Memories are cited, not measured: {p['memories']}. External memory: {p['external']}."
    return [
        text,
        "",
        table,
        f"{len(ordered) - len(shown)} more families have {rest / whole:.1%} of the energy; --json has them too.",
        "",
        memories,
    ]
