"""Published figures beside measured ones, as ratios to an 8-bit integer product of the same source and process.

Ratios of energies and areas between circuits of one process are nearly independent of the process (capacitance, supply and cell size
divide out), so they compare a measurement at 130 nm with a figure for 45 nm without a scaling constant.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from gatewright.hw.noun import Noun
from gatewright.sim.operators.cost import OperatorCost

DATA = Path(__file__).parents[1] / "data" / "published_operators.json"
WORSE = 1.3  # a measured ratio this many times the published one is flagged


class Published(Noun):
    """A cited figure of one product with its accumulation, and that of an 8-bit integer product from the same source.

    `sharing`: elements that an edge serves, as in `OperatorCost`; None: operands and their registers were not counted.
    """

    operator: str
    energy_pj: float
    area_um2: float | None
    reference_pj: float
    reference_um2: float | None
    sharing: int | None
    terms: str
    process: str
    source: str


class Comparison(Noun):
    """Ratios to int8, cited and measured, and by how much the measured one is greater."""

    operator: str
    technology: str
    quantity: str
    sharing: int | None
    cited: float
    measured: float
    published: Published

    @property
    def excess(self) -> float:
        return self.measured / self.cited - 1

    @property
    def worse(self) -> bool:
        """Whether ours is worse by more than 30%."""
        return self.measured > WORSE * self.cited


def published() -> tuple[Published, ...]:
    """All cited figures."""
    return tuple(Published(**figure) for figure in json.loads(DATA.read_text())["figures"])


def reference() -> str:
    """The operator that ratios are to."""
    return str(json.loads(DATA.read_text())["reference"])


def compare(costs: Sequence[OperatorCost], figures: Sequence[Published]) -> list[Comparison]:
    """Every cited figure beside the measurement of its operator, in every technology."""
    by_name = {(cost.technology, cost.operator): cost for cost in costs}
    rows = []
    for technology in dict.fromkeys(cost.technology for cost in costs):
        base = by_name[technology, reference()]
        for figure in figures:
            if figure.operator == base.operator or (technology, figure.operator) not in by_name:
                continue
            mine = by_name[technology, figure.operator]
            common = {"operator": figure.operator, "technology": technology, "sharing": figure.sharing, "published": figure}
            ratio = _energy(mine, figure.sharing) / base.element.energy_pj
            rows.append(Comparison(quantity="energy", cited=figure.energy_pj / figure.reference_pj, measured=ratio, **common))
            if figure.area_um2 and figure.reference_um2:
                ratio = (mine.element.area_um2 / mine.lanes) / (base.element.area_um2 / base.lanes)
                rows.append(Comparison(quantity="area", cited=figure.area_um2 / figure.reference_um2, measured=ratio, **common))
    return rows


def _energy(cost: OperatorCost, sharing: int | None) -> float:
    return cost.element.energy_pj if sharing is None else cost.energy_pj(sharing)
