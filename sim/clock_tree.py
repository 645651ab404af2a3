"""A clock tree for a netlist, and what gating its clock could save: a stated model.

The tree: an H of the library's buffers over the whole square, and a shortest tree to the flip-flops of every leaf. Gating: a clock pin
moves only in cycles in which its flip-flop changes, or any flip-flop of its block does; the gates cost nothing, so both are bounds.
"""

from dataclasses import dataclass

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim.cells import Cell
from gatewright.sim.energy_report import EnergyReport
from gatewright.sim.netlist import OPEN
from gatewright.sim.technology import Technology
from gatewright.sim.wires import WIRE_FF_PER_UM, toggles_of

LEAF = 16  # flip-flops on a leaf of the tree


@dataclass(frozen=True)
class ClockTree:
    """Buffers and wires between the clock's source and `flip_flops` pins; energies in pJ a cycle, the pins' own left out."""

    flip_flops: int
    buffers: int
    wire_um: float
    buffers_pj: float
    wires_pj: float

    @property
    def energy_pj(self) -> float:
        return self.buffers_pj + self.wires_pj


def clock_tree(flip_flops: int, area_um2: float, technology: Technology, leaf: int = LEAF) -> ClockTree:
    """An H-tree to groups of `leaf` flip-flops, spread evenly over a square, with a buffer at every branch and every group.

    Wires: 1.5 sides of the square times (root of the number of groups, less 1), and in each group a shortest tree.
    Raises BadInput without a flip-flop, and for a library without a buffer.
    """
    if flip_flops < 1:
        raise BadInput(f"A clock tree has at least one flip-flop, got {flip_flops}.")
    buffer, wire = _buffer(technology), WIRE_FF_PER_UM[technology.name][1]
    pin = float(np.mean([cell.pins[cell.clock_pin].capacitance_ff for cell in technology.library.cells.values() if cell.clock_pin]))
    side, groups = float(np.sqrt(area_um2)), -(-flip_flops // leaf)
    within = 0.71 * float(np.sqrt(flip_flops * area_um2)) if flip_flops > 1 else 0.0
    above = 1.5 * side * (float(np.sqrt(groups)) - 1)
    counts = [groups]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // 4))
    buffers = sum(counts)
    input_ff = buffer.inputs[0].capacitance_ff
    loads = [(groups, within / groups * wire + flip_flops / groups * pin)]
    lengths = np.array([2.0**-level for level in range(len(counts) - 1)])  # of an H, from the top; there are 4 ** level of them
    for level, count in enumerate(reversed(counts[1:])):
        share = above * lengths[level] * 4.0**level / (lengths * 4.0 ** np.arange(len(lengths))).sum()
        loads.append((count, share / count * wire + 4 * input_ff))
    inside = sum(count * _cycle_fj(buffer, technology, load) for count, load in loads)
    square = technology.library.voltage**2
    return ClockTree(
        flip_flops,
        buffers,
        within + above,
        (inside + buffers * input_ff * square) * 1e-3,
        (within + above) * wire * square * 1e-3,
    )


def _buffer(technology: Technology) -> Cell:
    cells = [
        cell
        for cell in technology.library.cells.values()
        if len(cell.inputs) == len(cell.outputs) == 1 and cell.ff is None and (function := cell.outputs[0].expression) is not None
        if function.names and function.evaluate({cell.inputs[0].name: 1}) and not function.evaluate({cell.inputs[0].name: 0})
    ]
    if not cells:
        raise BadInput(f"The library {technology.library.name} has no buffer, so there is no clock tree. Give one that has.")
    return min(cells, key=lambda cell: cell.area)


def _cycle_fj(buffer: Cell, technology: Technology, load_ff: float) -> float:
    """Energy inside a buffer in a cycle of the clock: a rise and a fall, of output and input."""
    output = [float(power.mean_fj(technology.slew_ns, load_ff)) for power in buffer.outputs[0].powers]
    given = [float(power.mean_fj(technology.slew_ns, 0.0)) for power in buffer.inputs[0].powers]
    return 2 * (float(np.mean(output)) if output else 0.0) + 2 * (float(np.mean(given)) if given else 0.0)


def gated(report: EnergyReport, technology: Technology) -> tuple[float, float]:
    """Clock energy in pJ of cycles in which a flip-flop keeps its value, and of cycles in which its whole block does, at most.

    How often any flip-flop of a block changes is at least how often the busiest one does.
    """
    netlist, toggles = report.netlist, toggles_of(report, technology)
    busy = np.zeros(len(netlist.paths))
    rows = []
    for kind, cells in netlist.cells.items():
        if technology.library.cells[kind].ff is None:
            continue
        rate = np.zeros(len(cells))
        for pin in (pin for pin in technology.library.cells[kind].outputs if pin.name in cells.pins):
            nets = cells.pin(pin.name)
            rate = np.maximum(rate, np.where(nets == OPEN, 0.0, toggles[nets] / report.cycles))
        np.maximum.at(busy, cells.paths, rate)
        rows.append((rate, cells.paths, report.clock[netlist.first[kind] : netlist.first[kind] + len(cells)]))
    each = sum(float(((1 - rate) * energy).sum()) for rate, _, energy in rows)
    return each, sum(float(((1 - busy[paths]) * energy).sum()) for _, paths, energy in rows)
