"""Gate simulation: our compiled simulator on many streams at once, and Verilator, all counting the toggles of every net."""

from collections.abc import Callable
from functools import partial

import numpy as np

from gatewright.dse.bench import plain
from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.element import Element
from gatewright.hw.verilog import emit
from gatewright.sim.delays import delays
from gatewright.sim.gates import Delays, GateSimulation, simulate
from gatewright.sim.netlist import Netlist
from gatewright.sim.saif import verilator_toggles
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology, ihp130

TOP = "element"
STREAMS = (64, 256, 512)
TIMED = 16  # streams
ROUNDS = 3


def element(technology: Technology, tiny: bool) -> Netlist:
    """A processing element of 8-bit integers, or a small one."""
    config = AcceleratorConfig(rows=1, cols=1, operand_bits=32 if tiny else 64, operators=(integer(2 if tiny else 8),))
    return synthesise(emit(Element(config), TOP), TOP, technology.liberty_files())


def stimulus(netlist: Netlist, cycles: int, streams: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random integers [cycles, streams] for every input but the clock and the reset."""
    draw = np.random.default_rng(seed)
    wide = {name: len(nets) for name, nets in netlist.inputs.items() if netlist.clock not in nets and name != "rst"}
    return {name: draw.integers(0, 1 << bits, (cycles, streams), dtype=np.uint64, endpoint=False) for name, bits in wide.items()}


def run(tiny: bool) -> tuple[list[Row], str]:
    technology = ihp130()
    netlist = element(technology, tiny)
    times = delays(netlist, technology)
    same = stimulus(netlist, 20, 2)
    ours = simulate(netlist, technology.library, same)
    theirs = verilator_toggles(netlist, technology.liberty_files(), same)
    equal("toggles of our simulator and Verilator", ours.toggles.toggles, theirs.toggles.toggles)
    program, free = plain.build(netlist, technology), plain.operands(netlist, 50)
    outputs = simulate(netlist, technology.library, {name: np.array(values, np.uint64)[:, None] for name, values in free.items()}).outputs
    settled = {name: [int(value) for value in values[:, 0]] for name, values in outputs.items()}
    equal("outputs of our simulator and Verilator", plain.check_sum(settled, widths(netlist)), plain.run(program, 50))
    timed = simulate(netlist, technology.library, same, delays=times)
    equal("settled toggles with delays and without", ours.toggles.toggles, timed.toggles.toggles)

    cycles = 20 if tiny else 10_000
    sides: dict[str, Callable[[], float]] = {
        f"{streams} streams": partial(zero_delay, prepared(netlist, technology, streams), cycles)
        for streams in STREAMS[: 1 if tiny else None]
    }
    seen = stimulus(netlist, 20 if tiny else 5_000, 1)
    sides["Verilator, SAIF"] = lambda: evaluations(netlist, verilator_toggles(netlist, technology.liberty_files(), seen).toggles.samples)
    sides["Verilator, nothing counted"] = lambda: evaluations(netlist, cycles) * (plain.run(program, cycles) >= 0)
    moving, events = stimulus(netlist, 5 if tiny else 100, TIMED), prepared(netlist, technology, TIMED, times)
    sides[f"with delays, {TIMED} streams"] = partial(event_driven, events, moving)
    against = dict.fromkeys((f"{streams} streams" for streams in STREAMS), "Verilator, nothing counted") | {
        f"with delays, {TIMED} streams": "64 streams"
    }
    rows = race("gate evaluations/s", sides, 1 if tiny else ROUNDS, against, 0.0 if tiny else 0.3)
    return rows, f"toggles of all {netlist.nets:,} nets of {netlist.size:,} cells equal Verilator's; what settles is alike with delays"


def widths(netlist: Netlist) -> dict[str, int]:
    return {name: len(nets) for name, nets in netlist.outputs.items()}


def evaluations(netlist: Netlist, samples: int) -> int:
    """Cells times cycles times streams."""
    return netlist.size * samples


def prepared(netlist: Netlist, technology: Technology, streams: int, times: Delays | None = None) -> GateSimulation:
    """A simulation with random operands on its inputs."""
    simulation = GateSimulation(netlist, technology.library, streams, delays=times)
    for name, values in stimulus(netlist, 1, streams).items():
        simulation.set(name, values[0])
    return simulation


def zero_delay(simulation: GateSimulation, cycles: int) -> int:
    """The operands stand still: without delays every cell is evaluated in every cycle, whatever moves."""
    simulation.count()
    simulation.step(cycles)
    return evaluations(simulation.netlist, cycles * simulation.streams)


def event_driven(simulation: GateSimulation, moving: dict[str, np.ndarray]) -> int:
    """New random operands in every cycle; counted as if every cell were evaluated once."""
    simulation.count(timed=simulation.streams)
    cycles = len(next(iter(moving.values())))
    simulation.run(cycles, moving, ())
    return evaluations(simulation.netlist, cycles * simulation.streams)


GATES = Benchmark("gates", "Gate simulation of a processing element, toggles of every net counted", run)
