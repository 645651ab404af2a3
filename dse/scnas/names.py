"""Where the names of the winner and its rivals stand in a plot of accuracy against energy, and the colours of the kinds."""

from collections.abc import Iterator, Sequence
from math import log10
from statistics import mean
from typing import Any

from gatewright.dse.scnas.front import FrontInfo
from gatewright.dse.scnas.result import Kind

KINDS: dict[Kind, tuple[str, str]] = {
    "stochastic": ("streams", "#1f8f6c"),
    "integer": ("integers", "#2f6fab"),
    "float": ("floating point", "#d9771f"),
}
SOFT, LINE, OFF = "#5b6875", "#9aa7b3", "#dde3e8"  # of words, thin lines and what stands back
APART = 0.21  # of a plot's width, at least, between two names
LEAN = 0.1  # of a plot's width: how far to the right of their designs, where least is in the way, names below them are put


def named(info: FrontInfo, span: tuple[float, float], rows: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """Plotly's annotations: names in the order of their energies and apart from each other, with a line to the design each.

    The more accurate half in a row above the designs, the others in a row below them. span: energies at the plot's ends, in nJ. rows:
    percents where the rows are.
    """
    left, right = (log10(x) for x in span)
    ranked = sorted(info.notes, key=lambda note: -note.mark.accuracy)
    half = (len(ranked) + 1) // 2
    for row, (y, notes) in enumerate(zip(rows, (ranked[:half], ranked[half:]), strict=True)):
        notes.sort(key=lambda note: note.mark.energy_nj)
        wanted = [(log10(note.mark.energy_nj) - left) / (right - left) + LEAN * row for note in notes]
        for note, place in zip(notes, spread(wanted, APART), strict=True):
            yield {
                "x": log10(note.mark.energy_nj),
                "y": note.mark.accuracy,
                "ax": left + place * (right - left),
                "ay": y,
                "text": "<br>".join(note.lines),
                "font": {"size": 13, "color": KINDS[note.kind][1]},
                "bgcolor": "rgba(255,255,255,0.8)",
                "showarrow": True,
                "arrowhead": 0,
                "arrowwidth": 1,
                "arrowcolor": LINE,
                "standoff": 12,
            }


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Places in ascending order, moved as little as it takes to lie so far apart within 0 and 1 (by pooling those that are too near)."""
    apart = min(apart, 1 / max(1, len(places)))
    pools: list[list[float]] = []  # of places less i times `apart`: these need only not descend
    for i, place in enumerate(places):
        pools.append([place - i * apart])
        while len(pools) > 1 and mean(pools[-1]) < mean(pools[-2]):
            last = pools.pop()
            pools[-1] += last
    least, most = apart / 2, 1 + apart / 2 - len(places) * apart
    return [min(max(middle, least), most) + i * apart for i, middle in enumerate(mean(pool) for pool in pools for _ in pool)]
