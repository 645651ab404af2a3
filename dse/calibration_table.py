"""Held-out errors as the tables of docs/calibration.md.

    python -m gatewright.dse.calibration_table

prints them, from the measurements that ship; with a file's path it puts them there.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence

from gatewright.dse.cost import CostModel
from gatewright.dse.heldout import (
    OPERATOR_AREA,
    OPERATOR_ENERGY,
    OPERATOR_WORST,
    WHOLE_AREA,
    WHOLE_ENERGY,
    HeldOut,
    Row,
    heldout,
    mean,
    share,
    worst,
)
from gatewright.sim.technology import EMBEDDED
from gatewright.sw.stochastic.measure import publish

BEGIN, END = "<!-- heldout: begin -->\n", "<!-- heldout: end -->"


def tables(errors: Mapping[str, HeldOut]) -> str:
    """All tables, Markdown: a summary of every technology, details of the first."""
    first = next(iter(errors.values()))
    return "\n\n".join((_summary(first), _technologies(errors), _operators(first), _families(first))) + "\n"


def shipped_errors() -> dict[str, HeldOut]:
    """Held-out errors of the measurements that ship, by technology, the default first."""
    return {name: heldout(CostModel.default(name)) for name in EMBEDDED}


def beyond(errors: HeldOut) -> tuple[str, ...]:
    """Operators that miss a target, mean area, mean energy or its worst."""
    return tuple(name for name, rows in errors.by_operator().items() if _missed(rows))


def _missed(rows: Sequence[Row]) -> str:
    """Which targets an operator misses."""
    energies = [row.energy_error for row in rows]
    found = (("area", mean(row.area_error for row in rows) > OPERATOR_AREA), ("energy", mean(energies) > OPERATOR_ENERGY))
    missed = [name for name, misses in (*found, ("worst", abs(worst(energies)) > OPERATOR_WORST)) if misses]
    return ", ".join(missed)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Markdown; `left` columns are aligned there, the others to the right."""
    ruler = ["---"] * left + ["---:"] * (len(headings) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, ruler, *rows))


def _pair(rows: Iterable[Row], name: str) -> tuple[str, str]:
    """Mean magnitude and worst of an error, where it is defined."""
    known = [error for row in rows if (error := getattr(row, name)) is not None]
    return (f"{mean(known):.1%}", f"{worst(known):+.1%}") if known else ("", "")


def _summary(errors: HeldOut) -> str:
    """Targets beside what was found."""
    subjects = (
        (f"complete accelerators ({len(errors.whole)})", errors.whole, WHOLE_AREA, WHOLE_ENERGY),
        (f"operators in an accelerator ({len(errors.operators)})", errors.operators, OPERATOR_AREA, OPERATOR_ENERGY),
    )
    rows = [
        (what, kind, f"{area if kind == 'area' else energy:.0%}", *_pair(found, name))
        for what, found, area, energy in subjects
        for kind, name in (("area", "area_error"), ("energy", "energy_error"), ("energy without glitches", "settled_error"))
    ]
    rows.append(("layers with wrong cycles", "", "0", str(errors.cycles_wrong), ""))
    return table(("what", "of", "target", "mean", "worst"), rows, left=2)


def _technologies(errors: Mapping[str, HeldOut]) -> str:
    headings = ("technology", "accelerators", "area", "worst", "energy", "worst", "operators' area", "worst", "operators' energy", "worst")
    rows = []
    for name, found in errors.items():
        pairs = (_pair(scored, kind) for scored in (found.whole, found.operators) for kind in ("area_error", "energy_error"))
        rows.append((f"`{name}`", str(len(found.whole)), *(cell for pair in pairs for cell in pair)))
    return table(headings, rows)


def _operators(errors: HeldOut) -> str:
    headings = ("operator", "missed", "accelerators", "area", "worst", "energy", "worst", "in", "without glitches", "worst")
    rows = []
    for name, found in errors.by_operator().items():
        where = max(found, key=lambda row: abs(row.energy_error or 0.0)).name
        energy, settled = _pair(found, "energy_error"), _pair(found, "settled_error")
        rows.append((f"`{name}`", _missed(found), str(len(found)), *_pair(found, "area_error"), *energy, where, *settled))
    return table(headings, rows, left=2)


def _families(errors: HeldOut) -> str:
    headings = ("kind of block", "measured", "share of energy", "area", "worst", "energy", "worst", "without glitches", "worst")
    families: Mapping[str, Sequence[Row]] = errors.families()
    rows = []
    for name, found in families.items():
        pairs = (_pair(found, kind) for kind in ("area_error", "energy_error", "settled_error"))
        rows.append((name, str(len(found)), f"{share(found, errors.whole):.1%}", *(cell for pair in pairs for cell in pair)))
    return table(headings, rows)


def main(arguments: list[str]) -> None:
    """The tables, printed or put into a page."""
    publish(arguments, tables(shipped_errors()), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
