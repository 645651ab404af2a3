"""Delays of a netlist in whole picoseconds, for event-driven simulation: one rise and one fall delay of every net, from what drives it.

They are read from the library's tables at the net's actual load and the technology's typical slew, without wires. A cell has a delay from
each of its inputs to an output and the simulation one for the output: their mean, unless the least or the greatest is asked for.
Flip-flops launch after their delay from the clock, memories after their access time, input ports change with the clock edge.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim.cells import Cell, Pin, Table
from gatewright.sim.energy_analysis import net_loads
from gatewright.sim.gates import Delays
from gatewright.sim.liberty_syntax import Floats
from gatewright.sim.netlist import OPEN, Netlist
from gatewright.sim.technology import Technology

Arcs = Literal["mean", "min", "max"]
_OVER_ARCS: dict[Arcs, Callable[..., Floats]] = {"mean": np.mean, "min": np.min, "max": np.max}
_PS = 1e3  # ns
LEAST = 1  # ps; without any delay the order of a simulator's events would matter


def delays(netlist: Netlist, technology: Technology, arcs: Arcs = "mean", scale: float = 1.0) -> Delays:
    """The delays of every net, all multiplied by `scale`. Raises BadInput for a cell that has no delay tables."""
    loads = net_loads(netlist, technology)
    times = np.zeros((2, netlist.nets))
    for kind, cells in netlist.cells.items():
        cell = technology.library.cells[kind]
        for pin in (pin for pin in cell.outputs if pin.name in cells.pins):
            nets = cells.pin(pin.name)
            nets = nets[nets != OPEN]
            for side, tables in zip(times, _tables(cell, pin), strict=True):
                each = [table.at(technology.slew_ns, loads[nets], extrapolate=True) for table in tables]
                side[nets] = np.maximum(_OVER_ARCS[arcs](each, axis=0) * _PS * scale, LEAST) if each else LEAST
    for memory in netlist.memories:
        times[:, memory.read_data] = technology.memories.macro_for(memory.depth, memory.width).access_ns * _PS * scale
    rise, fall = np.rint(times).astype(np.int32)
    return Delays(rise, fall)


def _tables(cell: Cell, pin: Pin) -> tuple[Sequence[Table], Sequence[Table]]:
    """Rise and fall tables of the arcs to an output; of a flip-flop those from its clock. A constant has none."""
    causes = {cell.clock_pin} if cell.ff is not None else set(pin.expression.names if pin.expression else ())
    arcs = [arc for arc in pin.arcs if arc.related_pin in causes]
    rise, fall = ([table for arc in arcs if (table := getattr(arc, side)) is not None] for side in ("delay_rise", "delay_fall"))
    if causes and not (rise and fall):
        raise BadInput(f"Cell {cell.name} has no delay tables at its output {pin.name}; use a library with delays, or zero-delay activity.")
    return rise, fall
