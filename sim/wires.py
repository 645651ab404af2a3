"""How long the wires of a netlist might be, and what they would take: a stated model, no placement.

A net inside one block has Donath's bound on the mean length of a connection (IEEE Trans. Circuits and Systems, 1979) for each sink, a net
between blocks a shortest tree through random points, one in each of its blocks, of the square that holds them. Placements were seen to
need about half of the bound.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.sim.energy_analysis import net_loads
from gatewright.sim.energy_report import EnergyReport
from gatewright.sim.netlist import ONE, OPEN, Netlist
from gatewright.sim.technology import Technology

Floats = NDArray[np.float64]

# Signal and clock wires: OpenROAD-flow-scripts, flow/platforms/*/setRC.tcl (2025), fitted to extracted layouts (sky130: met1, met3).
WIRE_FF_PER_UM = {
    "ihp130": (0.173, 0.145),
    "sky130": (0.172, 0.215),
    "asap7": (0.173, 0.145),
}
RENT = 0.65  # exponent; logic has 0.57 to 0.75 (Landman and Russo, IEEE Trans. Computers, 1971)
UTILISATION = 0.7  # share of the square that cells cover
PLACED = 0.5  # of the bound: what placements were seen to need (Donath, 1979)


def donath(cells: float, rent: float = RENT) -> float:
    """Bound on the mean length of a connection in a square of so many cells, in their pitch."""
    if cells < 4:
        return 1.0
    near = 7 * (cells ** (rent - 0.5) - 1) / (4 ** (rent - 0.5) - 1) - (1 - cells ** (rent - 1.5)) / (1 - 4 ** (rent - 1.5))
    return float(2 / 9 * near * (1 - 4 ** (rent - 1)) / (1 - cells ** (rent - 1)))


def tree(points: Floats, area: Floats) -> Floats:
    """Length of a shortest rectilinear tree through random points of a square: of few, half their box; of many, as Gilbert (1965)."""
    k = np.maximum(points, 1)
    return np.asarray(np.sqrt(area) * np.maximum(2 * (k - 1) / (k + 1), np.where(k > 3, 0.71 * np.sqrt(k), 0.0)))


class Regions:
    """A netlist's blocks and where its nets lie."""

    def __init__(self, netlist: Netlist, technology: Technology) -> None:
        self.netlist, self.technology = netlist, technology
        library = technology.library.cells
        own, count = np.zeros(len(netlist.paths)), np.zeros(len(netlist.paths))
        for kind, cells in netlist.cells.items():
            numbers = np.bincount(cells.paths, minlength=len(netlist.paths))
            own, count = own + library[kind].area * numbers, count + numbers
        self.own, self.count = own / UTILISATION, count  # of a block itself, without the blocks in it
        self.depth = max(map(len, netlist.paths))
        self.ancestors: list[NDArray[Any]] = []  # by depth: a number for the block at that depth around every path
        self.areas: list[Floats] = []
        for depth in range(self.depth + 1):
            chains = {path[:depth]: i for i, path in enumerate(netlist.paths)}
            at = np.array([chains[path[:depth]] for path in netlist.paths])
            self.ancestors.append(at)
            self.areas.append(np.asarray(np.bincount(at, weights=self.own, minlength=len(netlist.paths)), dtype=np.float64))

    @property
    def area(self) -> float:
        """Of the whole square in um2."""
        return float(self.own.sum())

    @cached_property
    def pins(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Net and block of every pin but clock pins; those of ports and memories belong to the top."""
        top = self.netlist.paths.index(()) if () in self.netlist.paths else 0
        nets, blocks = [], []
        for cells in self.netlist.cells.values():
            for pin in cells.pins:
                nets.append(cells.pin(pin))
                blocks.append(cells.paths)
        outside = [*self.netlist.inputs.values(), *self.netlist.outputs.values()]
        outside += [np.concatenate([memory.inputs, memory.read_data]) for memory in self.netlist.memories]
        nets += outside
        blocks += [np.full(len(each), top, np.int32) for each in outside]
        net, block = np.concatenate(nets).astype(np.intp), np.concatenate(blocks).astype(np.intp)
        used = (net > ONE) & (net != self.netlist.clock)
        return net[used], block[used]

    def lengths(self, rent: float = RENT) -> Floats:
        """The bound on every net's wire in um; constants and the clock have none."""
        net, block = self.pins
        nets = self.netlist.nets
        pairs = np.unique(net * len(self.netlist.paths) + block)
        blocks = np.bincount(pairs // len(self.netlist.paths), minlength=nets)  # in how many each net has pins
        around = np.full(nets, self.area)
        for at, areas in zip(self.ancestors, self.areas, strict=True):
            low, high = np.full(nets, len(at)), np.full(nets, -1)
            np.minimum.at(low, net, at[block])
            np.maximum.at(high, net, at[block])
            shared = (low == high) & (high >= 0)
            around[shared] = areas[high[shared]]
        hop = np.array([donath(n, rent) for n in self.count]) * np.sqrt(self.own / np.maximum(self.count, 1))
        pin_block = np.bincount(net, weights=hop[block], minlength=nets) / np.maximum(np.bincount(net, minlength=nets), 1)
        inside = np.maximum(np.bincount(net, minlength=nets) - blocks, 0)  # pins beyond the first in each block
        return np.asarray(inside * pin_block + tree(blocks.astype(np.float64), around))


def toggles_of(report: EnergyReport, technology: Technology) -> Floats:
    """How often every net changed, from what its load took; 0 for nets that drive no cell (ports and memories only)."""
    netlist, loads = report.netlist, net_loads(report.netlist, technology)
    per_ff = 0.5 * technology.library.voltage**2 * 1e-3
    found = np.zeros(netlist.nets)
    for kind, cells in netlist.cells.items():
        for pin in technology.library.cells[kind].outputs:
            if pin.name in cells.pins:
                nets = cells.pin(pin.name)
                used = (nets != OPEN) & (loads[nets] > 0)
                taken = report.switching[netlist.first[kind] : netlist.first[kind] + len(cells)][used]
                found[nets[used]] = taken / (loads[nets[used]] * per_ff)
    return found
