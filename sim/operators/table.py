"""The operators' costs as tables: numbers first, then text."""

from collections.abc import Sequence

from gatewright.sim.operators.cost import OperatorCost
from gatewright.sim.operators.published import Comparison, Published, compare, reference

SHARING = 16  # elements an edge serves in the table: a grid of 16 x 16
DEGREES = (1, 4, 16, 64)
Row = tuple[str, ...]


def costs_table(costs: Sequence[OperatorCost], figures: Sequence[Published]) -> tuple[Row, list[Row]]:
    """Headings, and a row for each operator: um2 of a lane, fJ of a product and MHz by technology; energy over that of int8."""
    technologies, comparisons = _technologies(costs), compare(costs, figures)
    by_name = {(cost.operator, cost.technology): cost for cost in costs}
    head = ["operator", "lanes", "cycles"]
    for technology in technologies:
        head += [f"{technology} um2", "fJ", "without glitches", "MHz"]
    rows = []
    for operator in dict.fromkeys(cost.operator for cost in costs):
        each = [by_name[operator, technology] for technology in technologies]
        row = [operator, str(each[0].lanes), str(each[0].steps)]
        for cost in each:
            femtojoules = [_short(1e3 * pj) for pj in (cost.energy_pj(SHARING), cost.zero_delay_pj(SHARING))]
            row += [_short(cost.area_um2(SHARING)), *femtojoules, f"{cost.fmax_mhz_estimate:.0f}"]
        mine = [item for item in comparisons if item.operator == operator and item.quantity == "energy"]
        mine = [item for item in mine if item.sharing == mine[0].sharing]
        bases = [by_name[reference(), technology].element.energy_pj for technology in technologies]
        ratios = [item.measured for item in mine] or [cost.element.energy_pj / base for cost, base in zip(each, bases, strict=True)]
        cited = f"{mine[0].cited:.3g}" if mine else "1" if operator == reference() else "-"
        rows.append((*row, _ratios(ratios), cited, _flag(mine)))
    return (*head, f"energy : {reference()}", "cited", "over 30% worse"), rows


def comparison_table(costs: Sequence[OperatorCost], figures: Sequence[Published]) -> tuple[Row, list[Row]]:
    """Every cited ratio beside those measured in each technology."""
    groups: dict[tuple[str, str, int | None], list[Comparison]] = {}
    for item in compare(costs, figures):
        groups.setdefault((item.operator, item.quantity, item.sharing), []).append(item)
    rows = []
    for (operator, quantity, sharing), items in groups.items():
        cited = items[0].published
        measured = [f"{item.measured:.3g} ({item.excess:+.0%})" for item in items]
        source = f"{cited.terms}; {cited.process}, {cited.source}"
        rows.append(
            (operator, quantity, "-" if sharing is None else str(sharing), f"{items[0].cited:.3g}", *measured, _flag(items), source)
        )
    return ("operator", f"ratio to {reference()}", "sharing", "cited", *_technologies(costs), "over 30% worse", "cited from"), rows


def sharing_table(costs: Sequence[OperatorCost]) -> tuple[Row, list[Row]]:
    """fJ of a product by the number of elements that share an edge, and the part that generators and operand registers have in it."""
    rows = []
    for cost in costs:
        shared = [f"{1e3 * cost.energy_pj(n):.0f} ({1 - cost.element.energy_pj / cost.energy_pj(n):.0%})" for n in DEGREES]
        rows.append((cost.operator, cost.technology, f"{1e3 * cost.element.energy_pj:.0f}", *shared))
    return ("operator", "technology", "element alone", *(f"shared by {n}" for n in DEGREES)), rows


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """A table as text for docs/operators.md."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def document(costs: Sequence[OperatorCost], figures: Sequence[Published]) -> str:
    """All three tables; generators are shared by stochastic operators only."""
    streams = [cost for cost in costs if cost.operator.startswith("sc_")]
    return "\n\n".join(
        (markdown(*costs_table(costs, figures)), markdown(*comparison_table(costs, figures)), markdown(*sharing_table(streams)))
    )


def _technologies(costs: Sequence[OperatorCost]) -> list[str]:
    return list(dict.fromkeys(cost.technology for cost in costs))


def _flag(items: Sequence[Comparison]) -> str:
    if not items:
        return "-"
    worse = [item.technology for item in items if item.worse]
    return "no" if not worse else "yes" if len(worse) == len(items) else ", ".join(worse)


def _ratios(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"


def _short(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
