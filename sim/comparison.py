"""How far a compact technology is from the full library it came from: area and energy of four reference blocks.

    python -m gatewright.sim.comparison ihp130 sg13g2_typ_1p20V_25C.lib

Each block is synthesised with either library and simulated with the same seeded operands. A third energy is of the compact
library's netlist under the full library's tables: what is left between the two is the error of smaller tables and averaged `when`.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gatewright.sim.energy_analysis import energy
from gatewright.sim.gates import simulate
from gatewright.sim.netlist import Netlist
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology, from_liberty, technology_named
from gatewright.sim.timing import critical_path

VERILOG = Path(__file__).parent / "data" / "reference_blocks.v"
CYCLES, STREAMS = 64, 64

Stimulus = dict[str, NDArray[np.int64]]


def _int8(rng: np.random.Generator) -> Stimulus:
    """Like a trained network: half of the activations 0 (ReLU), weights normal around 0."""
    a = np.clip(rng.normal(0, 32, (CYCLES, STREAMS)), 0, 127).astype(np.int64)
    return {"a": a, "w": np.clip(rng.normal(0, 30, (CYCLES, STREAMS)).round(), -128, 127).astype(np.int64), "clear": _clear(rng)}


def _xnor(rng: np.random.Generator) -> Stimulus:
    a, w = (rng.integers(-(2**63), 2**63 - 1, (CYCLES, STREAMS)) for _ in range(2))
    return {"a": a, "w": w, "clear": _clear(rng)}


def _stochastic(rng: np.random.Generator) -> Stimulus:
    """Operands stay for the whole stream."""
    a, w = rng.integers(0, 2**63 - 1, STREAMS), rng.integers(0, 256, STREAMS)
    return {"a": np.tile(a, (CYCLES, 1)), "w": np.tile(w, (CYCLES, 1)), "clear": np.zeros((CYCLES, STREAMS), dtype=np.int64)}


def _fifo(rng: np.random.Generator) -> Stimulus:
    push, pop = (rng.integers(0, 2, (CYCLES, STREAMS)) for _ in range(2))
    return {"data": rng.integers(0, 65536, (CYCLES, STREAMS)), "push": push, "pop": pop}


def _clear(rng: np.random.Generator) -> NDArray[np.int64]:
    return (rng.random((CYCLES, STREAMS)) < 1 / 64).astype(np.int64)


BLOCKS: dict[str, Callable[[np.random.Generator], Stimulus]] = {
    "int8_mac": _int8,
    "xnor_popcount64": _xnor,
    "stochastic_lanes8": _stochastic,
    "fifo8x16": _fifo,
}


@dataclass(frozen=True)
class Row:
    """One block: areas in um2, energies of the logic in fJ a cycle, critical paths in ns; errors are compact over full, less 1."""

    block: str
    area_full: float
    area_compact: float
    energy_full: float
    energy_compact: float
    energy_compact_full_tables: float
    path_full: float
    path_compact: float

    @property
    def area_error(self) -> float:
        return self.area_compact / self.area_full - 1

    @property
    def energy_error(self) -> float:
        return self.energy_compact / self.energy_full - 1

    @property
    def tables_error(self) -> float:
        """On one netlist: only the tables differ."""
        return self.energy_compact / self.energy_compact_full_tables - 1


def compare(full: Technology, compact: Technology, blocks: Sequence[str] = tuple(BLOCKS), seed: int = 0) -> list[Row]:
    """Both technologies on some reference blocks. Raises BadInput if `full` lacks a cell of `compact`."""
    return [_row(block, BLOCKS[block], full, compact, seed) for block in blocks]


def _row(block: str, make: Callable[[np.random.Generator], Stimulus], full: Technology, compact: Technology, seed: int) -> Row:
    stimulus = make(np.random.default_rng(seed))
    netlists = [synthesise(VERILOG.read_text(), block, technology.liberty_files()) for technology in (full, compact)]
    toggles = [simulate(netlist, tech.library, stimulus).toggles for netlist, tech in zip(netlists, (full, compact), strict=True)]
    cases = ((0, full), (1, compact), (1, full))
    energies = [1e3 * energy(netlists[index], toggles[index], technology).per_cycle_pj for index, technology in cases]
    areas = [area(netlist, tech) for netlist, tech in zip(netlists, (full, compact), strict=True)]
    paths = [critical_path(netlist, tech).critical_path_ns for netlist, tech in zip(netlists, (full, compact), strict=True)]
    return Row(block, *areas, *energies, *paths)


def area(netlist: Netlist, technology: Technology) -> float:
    """Area of the cells, in um2, without memories."""
    return sum(technology.library.cells[kind].area * len(cells) for kind, cells in netlist.cells.items())


def table(rows: Sequence[Row]) -> str:
    """The comparison as text."""
    columns = ("um2 full", "compact", "error", "fJ/cycle full", "compact", "error", "(tables)", "ns full", "compact")
    head = "{:18} {:>9} {:>9} {:>7}  {:>13} {:>9} {:>7} {:>8}  {:>8} {:>8}".format("block", *columns)
    lines = [
        f"{row.block:18} {row.area_full:9.0f} {row.area_compact:9.0f} {row.area_error:+7.2%}  {row.energy_full:13.1f} "
        f"{row.energy_compact:9.1f} {row.energy_error:+7.2%} {row.tables_error:+8.2%}  {row.path_full:8.3f} {row.path_compact:8.3f}"
        for row in rows
    ]
    return "\n".join([head, *lines])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    print(table(compare(from_liberty(*sys.argv[2:]), technology_named(sys.argv[1]))))
