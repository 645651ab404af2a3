"""Where the joules went: per cell, per block, per type of cell, per memory."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.sim.liberty_syntax import Floats
from gatewright.sim.memories import MemoryCost
from gatewright.sim.netlist import Netlist, Path_

Activity = Literal["timed", "zero_delay"]


@dataclass(frozen=True)
class MemoryEnergy:
    """One memory: accesses counted in simulation, their cost cited; `output_pj` is the switching of the nets it drives."""

    path: Path_
    cost: MemoryCost
    reads: int
    writes: int
    dynamic_pj: float
    output_pj: float
    leakage_pj: float

    @property
    def cited_pj(self) -> float:
        """What rests on the cited figures: shown at half, once and twice."""
        return self.dynamic_pj + self.leakage_pj


@dataclass(frozen=True, eq=False)
class EnergyReport:
    """Energies in pJ over `cycles` cycles. Arrays have one entry per cell, in the order of `netlist.each_cell()`.

    `cycles` counts every stream's. `switching` and `internal` are those of settled values; `glitches` is what the transitions between
    them add, on nets and inside cells, seen in `timed_cycles` of the cycles (0: nobody looked, and the energies are zero-delay).
    `ports_pj` is the switching of nets that input ports drive. Blocks are chains of instance names, cut at a depth. Nets that a memory
    drives are logic, and belong to the memory's block.
    """

    netlist: Netlist
    cycles: int
    clock_period_ns: float
    switching: Floats
    internal: Floats
    clock: Floats
    leakage: Floats
    ports_pj: float
    memories: tuple[MemoryEnergy, ...]
    glitches: Floats
    timed_cycles: int

    @property
    def activity(self) -> Activity:
        """Which transitions the energies hold: of settled values alone, or glitches too."""
        return "timed" if self.timed_cycles else "zero_delay"

    @property
    def parts(self) -> dict[str, float]:
        """Energy of the logic by cause."""
        sums = {name: float(getattr(self, name).sum()) for name in ("switching", "internal", "clock", "leakage", "glitches")}
        return sums | {"switching": sums["switching"] + self.ports_pj + sum(memory.output_pj for memory in self.memories)}

    @property
    def logic_pj(self) -> float:
        return sum(self.parts.values())

    @property
    def zero_delay_pj(self) -> float:
        """Energy of the logic without glitches."""
        return self.logic_pj - self.parts["glitches"]

    @property
    def memory_pj(self) -> float:
        """Energy of the memories, on cited figures."""
        return sum(memory.cited_pj for memory in self.memories)

    @property
    def total_pj(self) -> float:
        return self.logic_pj + self.memory_pj

    def with_memories(self, factor: float = 1.0) -> float:
        """Energy in pJ with the memories at `factor` times their cited cost."""
        return self.logic_pj + factor * self.memory_pj

    @property
    def per_cycle_pj(self) -> float:
        """Energy of the logic in an average cycle."""
        return self.logic_pj / self.cycles

    @property
    def cells(self) -> Floats:
        """Energy of every cell."""
        return self.switching + self.internal + self.clock + self.leakage + self.glitches

    def by_path(self, depth: int | None = None) -> dict[Path_, float]:
        """Energy of the logic of every block; the top, the empty tuple, includes the nets of input ports."""
        paths = np.concatenate([cells.paths for cells in self.netlist.cells.values()] or [np.zeros(0, dtype=np.int32)])
        sums = np.bincount(paths, weights=self.cells, minlength=len(self.netlist.paths))
        result: dict[Path_, float] = {(): self.ports_pj}
        for index in np.flatnonzero(np.bincount(paths, minlength=len(self.netlist.paths))).tolist():
            block = self.netlist.paths[index][:depth]
            result[block] = result.get(block, 0.0) + float(sums[index])
        for memory in self.memories:
            block = memory.path[:depth]
            result[block] = result.get(block, 0.0) + memory.output_pj
        return result

    def by_type(self) -> dict[str, float]:
        """Energy of the logic by type of cell."""
        return {kind: float(self.cells[first : first + len(self.netlist.cells[kind])].sum()) for kind, first in self.netlist.first.items()}
