"""Static timing: how fast a netlist could be clocked, roughly.

Delays come from the library's tables at each net's load and at the slews that arise, without wires; rise and fall are not told
apart (the slower one counts) and beyond a table's loads the last two are extended in a straight line. Netlists are not buffered,
so paths through nets with a large fan-out come out pessimistic.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.cells import Arc, Cell, Table
from gatewright.sim.energy_analysis import net_loads
from gatewright.sim.levels import Batch, levels
from gatewright.sim.liberty_syntax import Floats
from gatewright.sim.netlist import OPEN, ZERO, Cells, Netlist, Path_
from gatewright.sim.technology import Technology

_MEMORY = "memory"


@dataclass(frozen=True)
class TimingReport:
    """The longest path from a clock edge (or an input port) to the next register, memory or output port.

    `stages` lists the cells on it from its start: type, block, arrival in ns at the output. `critical_path_ns` includes the setup time.
    """

    critical_path_ns: float
    stages: tuple[tuple[str, Path_, float], ...]

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks the path goes through, each once for a run of its cells."""
        names = ["/".join(path) or "top" for _, path, _ in self.stages]
        return tuple(name for name, before in zip(names, ("", *names), strict=False) if name != before)

    @property
    def fmax_mhz_estimate(self) -> float:
        """Clock rate in MHz that the longest path allows; infinite where there is no logic."""
        return 1e3 / self.critical_path_ns if self.critical_path_ns else float("inf")


def critical_path(netlist: Netlist, technology: Technology) -> TimingReport:
    """The slowest path. Raises BadInput for a loop of cells without a register, or a cell the technology lacks."""
    if lacking := sorted(set(netlist.cells) - set(technology.library.cells)):
        raise BadInput(
            f"The technology {technology.name} lacks the cells {', '.join(lacking)} of {netlist.name}. Synthesise with its library."
        )
    analysis = _Timing(netlist, technology)
    analysis.propagate()
    return analysis.report()


def logic_levels(netlist: Netlist, technology: Technology) -> dict[str, NDArray[np.int32]]:
    """For each type of combinational cell, how many cells lie between each of its cells and a register (0: none)."""
    logic = {kind: cells for kind, cells in netlist.cells.items() if technology.library.cells[kind].ff is None}
    batches = []
    for index, (kind, cells) in enumerate(logic.items()):
        cell = technology.library.cells[kind]
        sides = [[cells.pin(pin.name) for pin in pins if pin.name in cells.pins] for pins in (cell.inputs, cell.outputs)]
        inputs, outputs = (np.stack(side, axis=1) if side else np.zeros((len(cells), 0), dtype=np.int32) for side in sides)
        batches.append(Batch(index, np.where(inputs == OPEN, ZERO, inputs), outputs))
    splits = np.cumsum([len(cells) for cells in logic.values()])[:-1]
    return dict(zip(logic, np.split(levels(batches, netlist.nets), splits), strict=True)) if logic else {}


class _Timing:
    def __init__(self, netlist: Netlist, technology: Technology) -> None:
        self.netlist, self.technology = netlist, technology
        self.loads = net_loads(netlist, technology)
        self.arrival = np.zeros(netlist.nets)
        self.slew = np.full(netlist.nets, technology.slew_ns)
        self.before = np.full(netlist.nets, OPEN, dtype=np.int64)  # the net before this one on its slowest path
        self.driver = np.full(netlist.nets, OPEN, dtype=np.int64)  # cell number

    def propagate(self) -> None:
        for memory in self.netlist.memories:
            cost = self.technology.memories.macro_for(memory.depth, memory.width)
            self.arrival[memory.read_data] = cost.access_ns
        level = logic_levels(self.netlist, self.technology)
        for kind, cells in self.netlist.cells.items():
            if kind not in level:
                self._cells(kind, cells, np.arange(len(cells)))
        deepest = max((int(item.max(initial=0)) for item in level.values()), default=-1)
        order = {kind: np.argsort(item, kind="stable") for kind, item in level.items()}
        starts = {kind: np.searchsorted(item, np.arange(deepest + 2), sorter=order[kind]) for kind, item in level.items()}
        for depth in range(deepest + 1):
            for kind in level:
                chosen = order[kind][starts[kind][depth] : starts[kind][depth + 1]]
                if len(chosen):
                    self._cells(kind, self.netlist.cells[kind], chosen)

    def _cells(self, kind: str, cells: Cells, chosen: NDArray[np.intp]) -> None:
        """Arrival and slew at the outputs of some cells of one type."""
        cell = self.technology.library.cells[kind]
        for pin in cell.outputs:
            if pin.name not in cells.pins:
                continue
            used = chosen[cells.pin(pin.name)[chosen] != OPEN]
            nets = cells.pin(pin.name)[used]
            self.driver[nets] = self.netlist.first[kind] + used
            for arc in pin.arcs:
                if arc.related_pin in cells.pins:
                    self._arc(arc, cell, cells.pin(arc.related_pin)[used], nets)

    def _arc(self, arc: Arc, cell: Cell, source: NDArray[np.int32], nets: NDArray[np.int32]) -> None:
        clocked = arc.related_pin == cell.clock_pin
        slew = np.full(len(nets), self.technology.slew_ns) if clocked else self.slew[source]
        start = np.zeros(len(nets)) if clocked else self.arrival[source]
        arrival = start + _slowest(arc.delays, slew, self.loads[nets])
        self.slew[nets] = np.maximum(np.where(self.before[nets] == OPEN, 0.0, self.slew[nets]), _slowest(arc.slews, slew, self.loads[nets]))
        later = (arrival > self.arrival[nets]) | (self.before[nets] == OPEN)
        self.arrival[nets[later]] = arrival[later]
        self.before[nets] = np.where(later, source, self.before[nets])

    def report(self) -> TimingReport:
        ends = self.arrival.copy()
        for kind, cells in self.netlist.cells.items():
            cell = self.technology.library.cells[kind]
            for pin in (pin for pin in cell.inputs if cell.ff is not None and pin.setup and pin.name in cells.pins):
                nets = cells.pin(pin.name)
                nets = nets[nets != OPEN]
                np.maximum.at(ends, nets, self.arrival[nets] + self._setup(pin.setup, nets))
        for memory in self.netlist.memories:
            cost = self.technology.memories.macro_for(memory.depth, memory.width)
            ends[memory.inputs] = np.maximum(ends[memory.inputs], self.arrival[memory.inputs] + cost.setup_ns)
        end = int(np.argmax(ends))
        return TimingReport(float(ends[end]), tuple(reversed(self._stages(end))))

    def _setup(self, tables: tuple[Table, ...], nets: NDArray[np.int32]) -> Floats:
        clock = np.full(len(nets), self.technology.slew_ns)
        return np.max([table.at(self.slew[nets], clock) for table in tables], axis=0)

    def _stages(self, net: int) -> list[tuple[str, Path_, float]]:
        """Back from the end: the cell that drives each net, until a register, a memory or a port."""
        stages = []
        firsts = list(self.netlist.first.values())
        while (number := int(self.driver[net])) != OPEN:
            index = int(np.searchsorted(firsts, number, side="right")) - 1
            kind = list(self.netlist.first)[index]
            path = self.netlist.paths[int(self.netlist.cells[kind].paths[number - firsts[index]])]
            stages.append((kind, path, float(self.arrival[net])))
            if self.technology.library.cells[kind].ff is not None:
                return stages
            net = int(self.before[net])
        for memory in self.netlist.memories:
            if net in memory.read_data:
                stages.append((_MEMORY, memory.path, float(self.arrival[net])))
        return stages


def _slowest(tables: tuple[Table, ...], slews: Floats, loads: Floats) -> Floats:
    if not tables:
        return np.zeros(len(loads))
    return np.asarray(np.max([table.at(slews, loads, extrapolate=True) for table in tables], axis=0))
