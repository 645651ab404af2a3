"""The gate simulator against arithmetic, and against Verilator's SAIF on every net."""

import ctypes
import dataclasses
from typing import Any

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim import bits, gates, saif
from gatewright.sim.cells import Library
from gatewright.sim.gates import GateSimulation, simulate
from gatewright.sim.netlist import Cells, Netlist
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from tests.sim.designs import DESIGNS, stimulus

LIBERTY = ihp130().liberty_files()
LIBRARY = ihp130().library


def netlist(design: str, **options: Any) -> Netlist:
    return synthesise(DESIGNS[design][0], design, LIBERTY, **options)


def signed(values: Any, width: int) -> Any:
    values = np.asarray(values).astype(np.int64) & ((1 << width) - 1)
    return (values ^ (1 << width - 1)) - (1 << width - 1)


@pytest.mark.parametrize("streams", [1, 64, 100, 512])
def test_a_mac_multiplies_and_adds(streams: int) -> None:
    given = stimulus("mac", 40, streams, seed=1)
    result = simulate(netlist("mac"), LIBRARY, given).outputs["sum"]
    total = np.zeros(streams, dtype=np.int64)
    for cycle in range(40):
        assert (signed(result[cycle], 12) == signed(total, 12)).all()
        total = np.where(given["clear"][cycle], 0, total) + signed(given["a"][cycle], 4) * signed(given["b"][cycle], 4)


@pytest.mark.parametrize("design", DESIGNS)
def test_every_net_toggles_as_often_as_verilator_says(design: str) -> None:
    design_netlist, given = netlist(design), stimulus(design, 50, 3, seed=2)
    ours, theirs = simulate(design_netlist, LIBRARY, given), saif.verilator_toggles(design_netlist, LIBERTY, given)
    for port in design_netlist.outputs:
        assert (ours.outputs[port] == theirs.outputs[port]).all()
    assert ours.toggles.toggles.tolist() == theirs.toggles.toggles.tolist()
    assert ours.toggles.high.tolist() == theirs.toggles.high.tolist()
    assert (ours.toggles.toggles[2:] > 0).mean() > 0.9


def test_nets_that_start_at_1_are_in_the_comparison() -> None:
    """Without the correction of Verilator's first toggle the test above would fail: idle and phase start at 1."""
    result = simulate(netlist("counter"), LIBRARY, {"up": np.zeros((1, 1), dtype=int)})
    assert (result.outputs["idle"][0, 0], result.outputs["phase"][0, 0]) == (1, 3)


def test_a_wrong_cell_function_is_noticed() -> None:
    design_netlist, given = netlist("mac"), stimulus("mac", 50, 2, seed=3)
    kind = max((kind for kind in design_netlist.cells if not LIBRARY.cells[kind].ff), key=lambda kind: len(design_netlist.cells[kind]))
    cell = LIBRARY.cells[kind]
    (output,) = cell.outputs
    wrong = dataclasses.replace(output, function=f"!({output.function})")
    cells = dict(LIBRARY.cells) | {kind: dataclasses.replace(cell, pins=dict(cell.pins) | {output.name: wrong})}
    ours = simulate(design_netlist, dataclasses.replace(LIBRARY, cells=cells), given)
    theirs = saif.verilator_toggles(design_netlist, LIBERTY, given)
    assert (ours.toggles.high != theirs.toggles.high).any()
    assert (ours.outputs["sum"] != theirs.outputs["sum"]).any()


def test_a_wrong_connection_is_noticed() -> None:
    good, given = netlist("mac"), stimulus("mac", 50, 2, seed=4)
    kind, cells = max(good.cells.items(), key=lambda item: len(item[1]) * (LIBRARY.cells[item[0]].ff is None))
    pin = LIBRARY.cells[kind].inputs[0].name
    nets = cells.nets.copy()
    nets[0, cells.pins.index(pin)] = good.inputs["clear"][0]
    bad = dataclasses.replace(good, cells=dict(good.cells) | {kind: Cells(cells.pins, nets, cells.paths)})
    assert (simulate(bad, LIBRARY, given).toggles.toggles != saif.verilator_toggles(good, LIBERTY, given).toggles.toggles).any()


def test_a_macro_behaves_like_its_flip_flops() -> None:
    """Also when the word being written is read; flip-flops and macro both start at 0."""
    given = stimulus("grid", 300, 64, seed=5)
    macro, flip_flops = (simulate(netlist("grid", memories=kind), LIBRARY, given) for kind in ("macros", "gates"))
    for port in ("x", "y"):
        assert (macro.outputs[port] == flip_flops.outputs[port]).all()


def test_memories_are_counted() -> None:
    given = stimulus("grid", 200, 3, seed=6)
    accesses = simulate(netlist("grid"), LIBRARY, given).toggles.memories["buffer"]
    assert accesses.reads == given["read"].sum()
    assert accesses.writes == (given["write"] > 0).sum()
    written = given["data"][:, 0][given["write"][:, 0] == 3]
    assert accesses.write_toggles >= np.bitwise_count(written[1:] ^ written[:-1]).sum() > 0
    assert 0 < accesses.read_toggles <= 8 * accesses.reads


def test_addresses_must_be_equal_in_all_streams() -> None:
    given = stimulus("grid", 20, 4, seed=7)
    given["at"][9, 2] ^= 1
    given["read"][9] = 1
    with pytest.raises(gates.SimulationError, match="the read address of memory buffer differs between streams in cycle 10.*must be equal"):
        simulate(netlist("grid"), LIBRARY, given)
    given["read"][9] = 0  # nobody reads there
    simulate(netlist("grid"), LIBRARY, given)


def test_streams_beyond_the_last_are_not_counted() -> None:
    given = stimulus("counter", 60, 70, seed=8)
    whole = simulate(netlist("counter"), LIBRARY, given).toggles
    parts = [simulate(netlist("counter"), LIBRARY, {"up": given["up"][:, part]}).toggles for part in (slice(0, 64), slice(64, 70))]
    assert whole.toggles.tolist() == (parts[0].toggles + parts[1].toggles).tolist()
    assert whole.high.tolist() == (parts[0].high + parts[1].high).tolist()
    assert whole.samples == parts[0].samples + parts[1].samples == 60 * 70


def test_windows_add_up() -> None:
    """Counting in two windows that touch is counting in one."""
    given = stimulus("counter", 50, 64, seed=9)["up"]
    one, two = (GateSimulation(netlist("counter"), LIBRARY) for _ in range(2))
    for simulation in (one, two):
        simulation.set("rst", 1)
        simulation.step()
        simulation.set("rst", 0)
    one.count()
    one.run(50, {"up": given}, ())
    two.count()
    two.run(20, {"up": given[:20]}, ())
    first = two.toggles()
    two.count(False)
    two.count()
    two.run(30, {"up": given[20:]}, ())
    assert two.toggles().toggles.tolist() == one.toggles().toggles.tolist()
    assert (two.toggles().cycles, first.cycles, two.cycle) == (50, 20, 51)
    two.clear()
    assert two.toggles().toggles.sum() == 0


def test_a_window_counts_from_the_cycle_before_it() -> None:
    """Not from the window before: two windows with cycles between are the sum of each in a run of its own."""
    given = stimulus("counter", 50, 64, seed=9)["up"]

    def counted(*windows: slice) -> list[int]:
        simulation, found = GateSimulation(netlist("counter"), LIBRARY), 0
        simulation.set("rst", 1)
        simulation.step()
        simulation.set("rst", 0)
        for window in windows:
            simulation.count(False)
            simulation.run(window.start - found, {"up": given[found : window.start]}, ())
            simulation.count()
            simulation.run(window.stop - window.start, {"up": given[window]}, ())
            found = window.stop
        found_toggles: list[int] = simulation.toggles().toggles.tolist()
        return found_toggles

    first, second = slice(3, 20), slice(27, 40)
    assert counted(first, second) == [one + two for one, two in zip(counted(first), counted(second), strict=True)]


def test_the_clock_toggles_twice_a_cycle() -> None:
    result = simulate(netlist("counter"), LIBRARY, {"up": np.ones((10, 5), dtype=int)})
    assert result.toggles.toggles[netlist("counter").clock] == 2 * 10 * 5


def test_memory_contents_can_be_set_and_read() -> None:
    simulation = GateSimulation(netlist("grid"), LIBRARY, streams=3)
    simulation.memory("buffer")[:] = bits.pack(np.arange(24).reshape(8, 3), 8, 1)
    simulation.set("read", 1)
    simulation.set("at", 5)
    simulation.step(3)
    assert bits.unpack(simulation.memory("buffer"), 3)[5].tolist() == [15, 16, 17]
    assert simulation.get("x").tolist() == [15 * 0, 0 * 1, 1 * 1]  # the nibbles' product, added once
    simulation.step()
    assert simulation.get("x").tolist() == [0, 0, 2]


ENVIRONMENT = """
struct Environment {
    uint64_t target = 0, seen = 0;
    void drive(Gates &g) { g.drive(PORT_up, g.value(PORT_count, 0) < target); }
    void observe(Gates &g) { seen = g.uniform(PORT_count); }
};
extern "C" void aim(void *simulation, uint64_t target) { environment_of(simulation).target = target; }
extern "C" uint64_t seen(void *simulation) { return environment_of(simulation).seen; }
"""


def test_an_environment_closes_the_loop() -> None:
    """C++ around the netlist drives inputs and reads outputs in every cycle: here it makes a counter hover about a target."""
    simulation = GateSimulation(netlist("counter"), LIBRARY, 64, ENVIRONMENT)
    simulation.library.aim(simulation.handle, ctypes.c_uint64(20))
    simulation.set("rst", 1)
    simulation.step()
    simulation.set("rst", 0)
    simulation.step(100)
    simulation.library.seen.restype = ctypes.c_uint64
    assert simulation.library.seen(simulation.handle) in (19, 20, 21)


def test_bad_environments_are_reported() -> None:
    with pytest.raises(BadInput, match="does not compile"):
        GateSimulation(netlist("counter"), LIBRARY, 64, "struct Environment { nonsense };")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"up": np.zeros((4, 2, 2), int)}, "same shape"),
        ({"down": np.zeros((4, 2), int)}, "the stimulus must be of up, got down"),
        ({"up": np.full((4, 2), 2)}, "input up: must fit in 1 bits, got values from 2 to 2"),
        ({"up": np.zeros((4, 2))}, "expected integers, got float64"),
        ({"up": np.zeros((4, 600), int)}, "1 to 512 streams at a time, got 600"),
    ],
)
def test_bad_stimulus(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        simulate(netlist("counter"), LIBRARY, change)


def test_a_library_without_functions_is_refused() -> None:
    cells = {name: cell for name, cell in LIBRARY.cells.items() if name not in netlist("mac").cells}
    with pytest.raises(BadInput, match="cannot be simulated"):
        GateSimulation(netlist("mac"), Library("few", 1.2, cells))


def test_loops_are_refused() -> None:
    good = netlist("mac")
    kind, cells = next((kind, cells) for kind, cells in good.cells.items() if LIBRARY.cells[kind].ff is None)
    nets = cells.nets.copy()
    inputs, outputs = ([pin.name for pin in side] for side in (LIBRARY.cells[kind].inputs, LIBRARY.cells[kind].outputs))
    nets[0, cells.pins.index(inputs[0])] = nets[0, cells.pins.index(outputs[0])]
    with pytest.raises(BadInput, match="feed themselves in a loop"):
        GateSimulation(dataclasses.replace(good, cells=dict(good.cells) | {kind: Cells(cells.pins, nets, cells.paths)}), LIBRARY)


@pytest.mark.parametrize("width", [1, 7, 64, 100])
def test_bits_there_and_back(width: int) -> None:
    rng = np.random.default_rng(width)
    values = np.array([[int.from_bytes(rng.bytes(13), "little") >> (104 - width) for _ in range(70)] for _ in range(5)], dtype=object)
    given = values.astype(np.uint64) if width <= 64 else values
    assert (bits.unpack(bits.pack(given, width, 2), 70) == values).all()


def test_negative_integers_are_twos_complement() -> None:
    assert bits.unpack(bits.pack(np.array([-1, -8, 7]), 4, 1), 3).tolist() == [15, 8, 7]
