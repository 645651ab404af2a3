"""Which stream circuits are worth having, by their chart.

    python -m gatewright.dse.scnas.circuits [FILE]

prints the fronts of the chart that ships, or puts them into a page.
"""

import sys
from collections.abc import Collection
from functools import cache

from gatewright.dse.scnas import chart as charts
from gatewright.dse.scnas.chart import Chart, Entry
from gatewright.hw.config import xnor
from gatewright.hw.names import operator_named
from gatewright.sw.stochastic.measure import publish

BITS = (4, 8)  # of operands
BEGIN, END = "<!-- front: begin -->\n", "<!-- front: end -->"
TOLERANCE = 0.05  # a circuit on the front errs at least so much less than any other there that costs no more,
NEAR = 0.02  # and no more than one that costs at most so much more


def front(entries: Collection[Entry], tolerance: float = TOLERANCE, near: float = NEAR) -> tuple[Entry, ...]:
    """Entries worth having, by energy: in one of the two errors each is less by `tolerance` than any that stays and costs no more,
    and in one less than any that costs more by at most `near`."""
    kept: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.energy_pj, e.error, e.error_64, e.operator)):
        if not any((1 - tolerance) * k.error <= entry.error and (1 - tolerance) * k.error_64 <= entry.error_64 for k in kept):
            kept.append(entry)

    def bettered(k: Entry) -> bool:
        close = [e for e in kept if k.energy_pj < e.energy_pj <= (1 + near) * k.energy_pj]
        return any(e.error <= k.error and e.error_64 <= k.error_64 for e in close)

    return tuple(k for k in kept if not bettered(k))


def undominated(chart: Chart, bits: int) -> tuple[str, ...]:
    """The stream circuits of an operand width on its chart's front; on which XNOR is too, whose operands are one bit of theirs."""
    found = front([chart.entry(xnor().name), *(e for e in chart.entries if _streams(e, bits))])
    return tuple(entry.operator for entry in found if _streams(entry, bits))


def worthwhile(chart: Chart, bits: int) -> tuple[str, ...]:
    """Those that also cost less than the exact product of the same operands."""
    exact = chart.entry(f"int{bits}").energy_pj
    return tuple(name for name in undominated(chart, bits) if chart.entry(name).energy_pj < exact)


def _streams(entry: Entry, bits: int) -> bool:
    operator = operator_named(entry.operator)
    return operator.kind == "stochastic" and operator.weight_bits == bits


@cache
def circuits() -> tuple[str, ...]:
    """The stream circuits that the contraction leaves, by name."""
    return tuple(name for bits in BITS for name in worthwhile(charts.load(), bits))


def table(chart: Chart) -> str:
    """The fronts as Markdown."""
    head = "| circuit | pJ a product | part of the exact one's | um2 a lane | error, 576 | error, 64 | nothing fitted | taken |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for bits in BITS:
        exact, taken = chart.entry(f"int{bits}"), worthwhile(chart, bits)
        for entry in (exact, chart.entry(xnor().name), *map(chart.entry, undominated(chart, bits))):
            part, errors = entry.energy_pj / exact.energy_pj, (entry.error, entry.error_64, entry.plain)
            figures = (f"{entry.energy_pj:.2f}", f"{part:.2f}", f"{entry.area_um2:.0f}", *(f"{error:.3f}" for error in errors))
            how = "-" if not _streams(entry, bits) else "yes" if entry.operator in taken else "dearer than exact"
            lines.append(f"| `{entry.operator}` | {' | '.join(figures)} | {how} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """The fronts of the chart that ships, printed or put into a page."""
    publish(arguments, table(charts.load()), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
