"""Fits unit costs to measurements: non-negative least squares for every family of parts, errors counted relative to what is measured.

Six kinds of unit costs a family: flip-flops by feature, area by feature, clock energy by flip-flop and cycle, leakage by area, energy of
nets that settle and of glitches by event. A circuit that was measured itself is known better than its family: its area is the measured one,
its energies are the family's times the ratio that was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewright.dse.equations import CYCLE, Systems
from gatewright.dse.features import Features
from gatewright.dse.least_squares import System, joined

RIDGE = 0.001  # how much unit costs that the measurements do not tell apart are drawn to zero, hence towards each other
POOL = 0.003  # as much to those of all lanes together, where families are thin
POOLED, STREAMS = "lanes.", "lanes.stochastic"
DOUBTS = {"area": 0.0, "settled": 0.5, "glitches": 0.5}  # layers of its own a circuit needs, for its ratio to weigh as much as its family


@dataclass(frozen=True)
class Ratios:
    """Of one circuit: measured over its family's prediction."""

    area: float = 1.0
    settled: float = 1.0
    glitches: float = 1.0


@dataclass(frozen=True)
class UnitCosts:
    """Of one family: flip-flops and um2 by feature, pJ per flip-flop and cycle, nW per um2, pJ by event; ratios by circuit.

    `clocked`: what the clock takes beyond that as data move, since a flip-flop whose input differs from its state takes more of an edge.
    """

    flips: Features
    area: Features
    clock_pj: float
    leakage_nw: float
    clocked: Features
    settled: Features
    glitches: Features
    circuits: Mapping[str, Ratios]

    def ratios(self, circuit: str) -> Ratios:
        return self.circuits.get(circuit, Ratios())


def fit(known: Systems) -> dict[str, UnitCosts]:
    """Unit costs of every family that the measurements hold."""
    costs = {}
    shared = {kind: _pooled(known[kind]) for kind in ("settled", "glitches")}
    for family in sorted({*known["area"], *known["settled"]}):
        mine = {kind: families[family] for kind, families in known.items() if family in families}
        prior = shared if family.startswith(POOLED) and not family.startswith(STREAMS) else {}
        ridges = dict.fromkeys(("clock", "settled", "glitches"), RIDGE) | dict.fromkeys(prior, POOL)
        solved = {kind: dict(system.solve(ridges.get(kind, 0.0), prior.get(kind))) for kind, system in mine.items()}
        seen = {kind: mine[kind].ratios(solved[kind], DOUBTS[kind]) for kind in DOUBTS if kind in mine}
        circuits = {
            circuit: Ratios(**{kind: ratios[circuit] for kind, ratios in seen.items() if circuit in ratios})
            for circuit in sorted({circuit for ratios in seen.values() for circuit in ratios})
        }
        costs[family] = UnitCosts(
            flips=solved.get("flips", {}),
            area=solved.get("area", {}),
            clock_pj=solved.get("clock", {}).pop(CYCLE, 0.0),
            leakage_nw=solved.get("leakage", {}).get("area", 0.0),
            clocked=solved.get("clock", {}),
            settled=solved.get("settled", {}),
            glitches=solved.get("glitches", {}),
            circuits=circuits,
        )
    return costs


def _pooled(families: Mapping[str, System]) -> Features:
    """Unit costs of all word lanes together."""
    word = [system for family, system in families.items() if family.startswith(POOLED) and not family.startswith(STREAMS)]
    return joined(word).solve(RIDGE) if word else {}
