"""What a design costs, each number with its origin."""

from typing import Literal

from gatewright.hw.noun import Noun
from gatewright.sim.energy_report import Activity

MEMORY_FACTORS = {0.5: "half", 1.0: "once", 2.0: "twice"}  # their cited cost: how energies with on-chip memories are shown
Origin = Literal["measured", "calibrated", "cited", "exact"]
"""measured: on gates simulated with these operands; calibrated: by the cost model; cited: published; exact: derived and proven by test."""


def with_memories(logic: float, memories: float) -> dict[str, float]:
    """A claimed energy beside the logic's alone: with on-chip memories at half, once and twice their cited cost, in the unit given."""
    return {name: logic + factor * memories for factor, name in MEMORY_FACTORS.items()}


class Metrics(Noun):
    """Cost of classifying one image. Energies and areas of the logic alone, and beside them the memories' on cited figures.

    `energy_pj`, `area_um2`: the logic. `memory_energy_pj`, `memory_area_um2`: on-chip macros. `external_energy_pj`: words moved from and to
    external memory. `activity`: whether the energies hold glitches (`timed`) or not; `zero_delay_pj`: the logic's without them, None where
    that was not told apart. `heldout_error`: mean absolute relative error
    of calibrated energy on configurations left out; None if measured.
    """

    energy_pj: float
    memory_energy_pj: float
    external_energy_pj: float
    cycles: float
    latency_ns: float
    area_um2: float
    memory_area_um2: float
    accuracy: float | None = None
    luts: int | None = None
    origin: Origin
    memory_origin: Origin = "cited"
    activity: Activity = "zero_delay"
    zero_delay_pj: float | None = None
    heldout_error: float | None = None

    def with_memories(self, factor: float = 1.0) -> float:
        """Energy in pJ with on-chip memories at `factor` times their cited cost (reports show 0.5, 1 and 2)."""
        return self.energy_pj + factor * self.memory_energy_pj
