"""Joules from toggles: E = sum of toggles x C V^2 / 2 over input pins (and wires) + toggles x internal energy + leakage x time.

Attribution: what a net's load takes belongs to the cell that drives it; the clock net's load belongs to the flip-flops on it.
Internal energy of an output transition depends on the input that caused it, which counts cannot tell: it is the mean over the
arcs, weighted by each input's toggles times the probability of the arc's `when` (or of the function depending on that input).
Memories are cited macros, reported beside the logic. Not in the numbers: wires (unless asked for) and clock tree.

Glitches are what all transitions of timed cycles cost beyond the settled ones of the same cycles. Where only some cycles were timed, each
block's are scaled by what its settled transitions cost in all counted cycles over what they cost in the timed ones.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.activity import CellActivity
from gatewright.sim.cells import Cell, Pin, Power
from gatewright.sim.energy_report import EnergyReport, MemoryEnergy
from gatewright.sim.gates import Toggles, Transitions
from gatewright.sim.liberty_syntax import Floats
from gatewright.sim.netlist import OPEN, Cells, Memory, Netlist
from gatewright.sim.technology import Technology

_PJ = 1e-3  # fJ
_NW_NS = 1e-6  # nW x ns in pJ


def energy(netlist: Netlist, toggles: Toggles, technology: Technology, clock_period_ns: float = 10.0) -> EnergyReport:
    """Energy of what `toggles` counted on `netlist`.

    `clock_period_ns` sets leakage only. Raises BadInput for counts that do not belong to the netlist or cannot be, and for cells the
    technology lacks.
    """
    _check(netlist, toggles, technology)
    analysis = _Analysis(netlist, toggles.toggles, toggles, technology, clock_period_ns)
    if toggles.timed is None:
        return analysis.report(np.zeros(netlist.size), 0)
    return analysis.report(_glitches(netlist, toggles, toggles.timed, technology, analysis.moved()), toggles.timed.samples)


def _glitches(netlist: Netlist, toggles: Toggles, timed: Transitions, technology: Technology, moved: Floats) -> Floats:
    """Energy in pJ that glitches take in every cell in all counted cycles; `moved` is that of the settled transitions."""
    factor = toggles.samples / timed.samples
    settled, full = (_Analysis(netlist, rates * factor, toggles, technology).moved() for rates in (timed.settled, timed.toggles))
    blocks = np.concatenate([cells.paths for cells in netlist.cells.values()] or [np.zeros(0, dtype=np.int32)])
    seen, all_of_it = (np.bincount(blocks, weights=each, minlength=len(netlist.paths)) for each in (settled, moved))
    return (full - settled) * np.divide(all_of_it, seen, out=np.ones(len(seen)), where=seen > 0)[blocks]


def _check(netlist: Netlist, toggles: Toggles, technology: Technology) -> None:
    counted = [("toggles", toggles.toggles), ("high counts", toggles.high)]
    if toggles.timed is not None:
        counted += [("timed toggles", toggles.timed.toggles), ("settled toggles", toggles.timed.settled)]
    for name, counts in counted:
        if len(counts) != netlist.nets:
            raise BadInput(f"{netlist.name}: there are {len(counts)} {name} for {netlist.nets} nets. Count toggles on this very netlist.")
        if len(counts) and counts.min() < 0:
            raise BadInput(f"{netlist.name}: {name} cannot be negative, net {int(counts.argmin())} has {int(counts.min())}. Count again.")
    if unseen := [memory.name for memory in netlist.memories if memory.name not in toggles.memories]:
        raise BadInput(f"{netlist.name}: accesses of {', '.join(unseen)} were not counted. Count with the gate simulator.")
    if toggles.samples < 1:
        raise BadInput(f"{netlist.name}: energy needs at least one cycle, got {toggles.samples}. Simulate longer.")
    if len(toggles.high) and toggles.high.max() > toggles.samples:
        net = int(toggles.high.argmax())
        raise BadInput(f"{netlist.name}: net {net} is high in {int(toggles.high[net])} of {toggles.samples} cycles. Count again.")
    if lacking := sorted(set(netlist.cells) - set(technology.library.cells)):
        raise BadInput(
            f"The technology {technology.name} lacks the cells {', '.join(lacking)} of {netlist.name}. Synthesise with its library."
        )


def net_loads(netlist: Netlist, technology: Technology) -> Floats:
    """Load of every net in fF: input pins of cells, plus the assumed wire for each of them. A memory's pins are in its access energy."""
    loads = np.zeros(netlist.nets)
    for kind, cells in netlist.cells.items():
        for pin in technology.library.cells[kind].inputs:
            if pin.name in cells.pins:
                nets = cells.pin(pin.name)
                nets = nets[nets != OPEN]
                loads += np.bincount(nets, minlength=netlist.nets) * (pin.capacitance_ff + technology.conventions.wire_ff_per_sink)
    return loads


class _Analysis:
    """Of `changes` of every net in the cycles, accesses and probabilities of `toggles`."""

    def __init__(
        self, netlist: Netlist, changes: NDArray[Any], toggles: Toggles, technology: Technology, clock_period_ns: float = 1.0
    ) -> None:
        self.netlist, self.technology, self.cycles, self.period = netlist, technology, toggles.samples, clock_period_ns
        self.toggles = changes.astype(np.float64)
        self.high = toggles.high / toggles.samples
        self.high[:2] = (0.0, 1.0)
        self.accesses = toggles.memories
        self.loads = net_loads(netlist, technology)
        self.half_v2 = 0.5 * technology.library.voltage**2
        self.slew = technology.slew_ns

    def moved(self) -> Floats:
        """Energy in pJ of every cell that depends on the changes: on the nets it drives and inside it."""
        arrays = self._arrays()
        return arrays["switching"] + arrays["internal"]

    def _arrays(self) -> dict[str, Floats]:
        parts: dict[str, list[Floats]] = {"switching": [], "internal": [], "clock": [], "leakage": []}
        for kind, cells in self.netlist.cells.items():
            for name, values in self._type(self.technology.library.cells[kind], cells).items():
                parts[name].append(values)
        return {name: np.concatenate(values) if values else np.zeros(0) for name, values in parts.items()}

    def report(self, glitches: Floats, timed_cycles: int) -> EnergyReport:
        arrays = self._arrays()
        driven = [nets for port, nets in self.netlist.inputs.items() if self.netlist.clock not in nets]
        ports = sum(float(self._switching(nets).sum()) for nets in driven)
        memories = tuple(self._memory(memory) for memory in self.netlist.memories)
        return EnergyReport(
            self.netlist,
            self.cycles,
            self.period,
            **arrays,
            glitches=glitches,
            ports_pj=ports,
            memories=memories,
            timed_cycles=timed_cycles,
        )

    def _switching(self, nets: NDArray[np.int32]) -> Floats:
        """Energy in pJ on the load of some nets."""
        return np.where(nets == OPEN, 0.0, self.toggles[nets] * self.loads[nets]) * self.half_v2 * _PJ

    def _type(self, cell: Cell, cells: Cells) -> dict[str, Floats]:
        pins = {name: cells.pin(name) for name in cells.pins}
        known = {name: nets for name, nets in pins.items() if not np.all(nets == OPEN)}
        high = {name: np.where(nets == OPEN, 0.0, self.high[nets]) for name, nets in known.items()}
        rate = {name: np.where(nets == OPEN, 0.0, self.toggles[nets]) / self.cycles for name, nets in known.items()}
        high |= {pin.name: np.zeros(len(cells)) for pin in cell.inputs if pin.name not in high}
        rate |= {pin.name: np.zeros(len(cells)) for pin in cell.inputs if pin.name not in rate}
        activity = CellActivity(cell, high, rate)
        zero = np.zeros(len(cells))
        outputs = [pin for pin in cell.outputs if pin.name in known]
        inside = sum((self._output(pin, pins[pin.name], activity) for pin in outputs), zero)
        inside = inside + sum((self._input(pin, activity) for pin in cell.inputs if pin.name != cell.clock_pin), zero)
        return {
            "switching": sum((self._switching(pins[pin.name]) for pin in outputs), zero),
            "internal": inside * _PJ,
            "clock": zero + self._clock(cell, activity) * _PJ,
            "leakage": zero + self._leakage(cell, activity),
        }

    def _output(self, pin: Pin, nets: NDArray[np.int32], activity: CellActivity) -> Floats:
        """Internal energy, in fJ, of the transitions of an output."""
        weighted, total, plain = np.zeros(len(nets)), np.zeros(len(nets)), np.zeros(len(nets))
        for power, chance in _shares(pin, activity):
            mean = power.mean_fj(self.slew, self.loads[nets])
            weighted, total, plain = weighted + chance * mean, total + chance, plain + mean / len(pin.powers)
        share = np.divide(weighted, total, out=plain, where=total > 0)  # no input moved: a plain mean
        return np.where(nets == OPEN, 0.0, self.toggles[nets]) * share

    def _input(self, pin: Pin, activity: CellActivity) -> Floats:
        """Internal energy, in fJ, of the transitions of an input, whatever the output does."""
        clock = activity.cell.clock_pin
        fixed = {clock: self.technology.conventions.clock_high} if clock else {}
        each = _by_state(pin.powers, activity, fixed, lambda power: float(power.mean_fj(self.slew, 0.0)))
        return activity.rate[pin.name] * self.cycles * each

    def _clock(self, cell: Cell, activity: CellActivity) -> Floats | float:
        """Two clock edges each cycle, in fJ: the pin's capacitance and what they do inside a flip-flop."""
        if cell.clock_pin is None:
            return 0.0
        pin = cell.pins[cell.clock_pin]
        load = 2 * self.half_v2 * (pin.capacitance_ff + self.technology.conventions.wire_ff_per_sink)
        both = _by_state(pin.powers, activity, {}, lambda power: power.edge_fj(True, self.slew) + power.edge_fj(False, self.slew))
        return self.cycles * (load + both)

    def _leakage(self, cell: Cell, activity: CellActivity) -> Floats | float:
        """State-dependent leakage in pJ over the whole time; the clock is high half of it."""
        fixed = {cell.clock_pin: 0.5} if cell.clock_pin else {}
        chances = [(activity.probability(when, fixed), value) for when, value in cell.leakage_states]
        stated = sum(chance * value for chance, value in chances)
        rest = np.maximum(1.0 - sum(chance for chance, _ in chances), 0.0)
        return (stated + rest * cell.leakage_nw) * self.cycles * self.period * _NW_NS

    def _memory(self, memory: Memory) -> MemoryEnergy:
        """A write of part of a word costs a whole write: the macro's clock edge is the same."""
        cost = self.technology.memories.macro_for(memory.depth, memory.width)
        done = self.accesses[memory.name]
        dynamic = done.reads * cost.read_pj + done.writes * cost.write_pj + self.cycles * cost.idle_pj
        output = float(self._switching(memory.read_data).sum())
        leakage = cost.leakage_nw * self.cycles * self.period * _NW_NS
        return MemoryEnergy(memory.path, cost, done.reads, done.writes, dynamic, output, leakage)


def _shares(pin: Pin, activity: CellActivity) -> Iterator[tuple[Power, Floats]]:
    """How often, in relative terms, each arc of an output is the one that switches it."""
    groups: dict[str, list[Power]] = {}
    for power in pin.powers:
        groups.setdefault(power.related_pin, []).append(power)
    for related, powers in groups.items():
        clock = related == activity.cell.clock_pin
        rate = np.ones(1) if clock or not related else activity.rate.get(related, np.zeros(1))
        if activity.cell.ff is None and pin.expression is not None and related in pin.expression.names:
            sensitive = activity.probability(pin.expression.sensitivity(related))
        else:
            sensitive = np.ones(1)
        stated = [(power, activity.probability(power.when)) for power in powers if power.when is not None]
        yield from ((power, rate * chance) for power, chance in stated)
        rest = np.maximum(sensitive - sum(chance for _, chance in stated), 0.0)
        yield from ((power, rate * rest) for power in powers if power.when is None)


def _by_state(powers: tuple[Power, ...], activity: CellActivity, fixed: Mapping[str, float], value: "Value") -> Floats | float:
    """Mean of `value` over the states; a group without `when` stands for the states that the others leave over."""
    total: Floats | float = 0.0
    rest: Floats | float = 1.0
    for power in powers:
        if power.when is not None:
            chance = activity.probability(power.when, fixed)
            total, rest = total + chance * value(power), rest - chance
    default = sum(value(power) for power in powers if power.when is None)
    return total + np.maximum(rest, 0.0) * default


class Value(Protocol):
    def __call__(self, power: Power) -> float: ...
