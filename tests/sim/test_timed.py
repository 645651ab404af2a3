"""Timed simulation against transitions worked out by hand, a naive event queue on random netlists, and Icarus Verilog on real blocks."""

import dataclasses
import heapq
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.delays import delays
from gatewright.sim.energy_analysis import energy
from gatewright.sim.gates import Delays, GateSimulation, SimulationError, Toggles, Transitions, simulate
from gatewright.sim.kernels import Kernels
from gatewright.sim.library import energy as energy_of
from gatewright.sim.netlist import OPEN, Cells, Netlist
from gatewright.sim.synthesis import synthesise
from tests.sim.designs import DESIGNS, MAC, stimulus
from tests.sim.netlists import AND, INVERTED, LIBRARY, TECHNOLOGY, A, hazard, nets


def transitions(netlist: Netlist, given: Mapping[str, Any], rise: Any, fall: Any) -> tuple[Transitions, Toggles]:
    toggles = simulate(netlist, LIBRARY, given, delays=Delays(nets(*rise), nets(*fall))).toggles
    assert toggles.timed is not None
    return toggles.timed, toggles


@pytest.mark.parametrize(
    ("inverter", "rise", "fall", "pulses"),
    [
        (5, 3, 3, 3),  # the pulse is 5 ps long, and seen after 3
        (5, 4, 9, 3),
        (5, 5, 3, 3),  # the output rises at the very time at which the inverter answers, and that comes first
        (5, 6, 3, 0),  # taken back before it rises
        (1, 2, 1, 0),
    ],
)
def test_a_glitch_by_hand(inverter: int, rise: int, fall: int, pulses: int) -> None:
    given = {"a": np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 1]])}  # four rising edges, one of them in the second stream
    timed, toggles = transitions(hazard(), given, (0, 0, 0, inverter, rise), (0, 0, 0, inverter, fall))
    assert timed.samples == 10
    assert timed.toggles[[A, INVERTED]].tolist() == timed.settled[[A, INVERTED]].tolist() == [6, 6]
    assert timed.settled[AND] == toggles.toggles[AND] == 0
    assert timed.toggles[AND] == 2 * (4 if pulses else 0)


def oracle(netlist: Netlist, given: NDArray[Any], rise: NDArray[Any], fall: NDArray[Any]) -> NDArray[np.int64]:
    """Transitions of one stream: one queue of events for everything, one pending change for every output."""
    cells = [(LIBRARY.cells[cell.type], cell.pins) for cell in netlist.each_cell()]
    readers: dict[int, list[int]] = {}
    for i, (kind, pins) in enumerate(cells):
        for pin in kind.inputs:
            readers.setdefault(pins[pin.name], []).append(i)

    def functions(i: int, value: list[int]) -> list[tuple[int, int]]:
        kind, pins = cells[i]
        inputs = {pin.name: value[pins[pin.name]] for pin in kind.inputs}
        return [(pins[pin.name], pin.expression.evaluate(inputs)) for pin in kind.outputs if pin.expression]

    inputs = netlist.inputs["x"].tolist()
    value, count = [0] * netlist.nets, np.zeros(netlist.nets, dtype=np.int64)
    value[1] = 1
    for _ in range(len(cells)):  # the cycle of reset, in which all inputs are 0
        for i in range(len(cells)):
            for net, new in functions(i, value):
                value[net] = new
    for word in given.tolist():
        queue: list[tuple[int, int, int]] = []
        due: dict[int, int] = {}  # time of an output's pending change
        for bit, net in enumerate(inputs):
            if value[net] != word >> bit & 1:
                heapq.heappush(queue, (0, net, 0))
                due[net] = 0
        while queue:
            now, touched = queue[0][0], set()
            while queue and queue[0][0] == now:
                _, net, _ = heapq.heappop(queue)
                if due.get(net) == now:
                    del due[net]
                    value[net] ^= 1
                    count[net] += 1
                    touched.update(readers.get(net, ()))
            for i in sorted(touched):
                for net, new in functions(i, value):
                    if new == value[net]:
                        due.pop(net, None)
                    elif net not in due:
                        due[net] = now + int(rise[net] if new else fall[net])
                        heapq.heappush(queue, (due[net], net, 0))
    return count


def random_netlist(seed: int, size: int = 50, inputs: int = 8) -> Netlist:
    """Cells of every combinational type, each fed by nets before it."""
    rng = random.Random(seed)
    logic = [cell for cell in LIBRARY.cells.values() if cell.ff is None and cell.inputs]
    kinds = sorted(cell.name for cell in logic if all(pin.function for pin in cell.outputs))
    kinds += 6 * [kind for kind in kinds if "xor" in kind]  # these hide no change, so that all of the netlist moves
    rows: dict[str, list[list[int]]] = {}
    nets_so_far = 2 + inputs
    for _ in range(size):
        kind = LIBRARY.cells[rng.choice(kinds)]
        near = range(max(2, nets_so_far - 12), nets_so_far)
        pins = [rng.choice(near) if pin.direction == "input" else -1 for pin in kind.pins.values()]
        for j, pin in enumerate(kind.pins.values()):
            if pin.direction == "output":
                pins[j], nets_so_far = nets_so_far, nets_so_far + 1
        rows.setdefault(kind.name, []).append(pins)
    cells = {kind: Cells(tuple(LIBRARY.cells[kind].pins), nets(*each), nets(*[0] * len(each))) for kind, each in rows.items()}
    return Netlist("random", nets_so_far, OPEN, {"x": nets(*range(2, 2 + inputs))}, {"y": nets(nets_so_far - 1)}, cells)


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 6])
def test_random_netlists_against_an_event_queue(seed: int) -> None:
    """With delays so small that many changes fall on one time; some pulses pass, others do not."""
    netlist, rng = random_netlist(seed), np.random.default_rng(seed)
    rise, fall = rng.integers(1, 12, (2, netlist.nets))
    for side in (rise, fall):
        side[netlist.inputs["x"]] = 0
    given = rng.integers(0, 256, (10, 8))
    timed, toggles = transitions(netlist, {"x": given}, rise, fall)
    expected, slower = (
        sum((oracle(netlist, given[:, i], each, fall) for i in range(8)), start=np.int64(0)) for each in (rise, rise + rise)
    )
    assert timed.toggles.tolist() == expected.tolist()
    assert timed.settled.tolist() == toggles.toggles.tolist()
    assert (timed.toggles > timed.settled).sum() > 2
    assert slower.tolist() != expected.tolist()


@pytest.mark.parametrize("design", DESIGNS)
def test_glitches_come_in_pairs_on_top_of_what_settles(design: str) -> None:
    netlist = synthesise(DESIGNS[design][0], design, TECHNOLOGY.liberty_files())
    result = simulate(netlist, LIBRARY, stimulus(design, 40, 64, seed=1), delays=delays(netlist, TECHNOLOGY))
    plain = simulate(netlist, LIBRARY, stimulus(design, 40, 64, seed=1))
    timed = result.toggles.timed
    assert timed is not None
    assert plain.toggles.timed is None
    assert timed.settled.tolist() == result.toggles.toggles.tolist() == plain.toggles.toggles.tolist()
    extra = timed.toggles - timed.settled
    assert (extra >= 0).all()
    assert (extra % 2 == 0).all()
    assert extra.sum() > 0
    for port in netlist.outputs:
        assert (result.outputs[port] == plain.outputs[port]).all()


def test_some_cycles_and_streams_are_timed() -> None:
    netlist = synthesise(MAC, "mac", TECHNOLOGY.liberty_files())
    known, given = delays(netlist, TECHNOLOGY), stimulus("mac", 30, 64, seed=2)
    whole = simulate(netlist, LIBRARY, {name: values[:, :5] for name, values in given.items()}, delays=known).toggles
    simulation = GateSimulation(netlist, LIBRARY, 64, delays=known)
    simulation.set("rst", 1)
    simulation.step()
    simulation.set("rst", 0)
    seen = np.zeros(netlist.nets, dtype=np.int64)
    for part, timed in ((slice(0, 12), 5), (slice(12, 13), 0), (slice(13, 30), 5)):
        simulation.count(timed=timed)
        simulation.run(part.stop - part.start, {name: values[part] for name, values in given.items()}, ())
        if not timed:
            before = simulation.toggles().timed
            assert before is not None
            assert before.samples == 12 * 5
    toggles = simulation.toggles()
    assert toggles.timed is not None
    assert whole.timed is not None
    assert (toggles.timed.samples, toggles.samples) == (29 * 5, 30 * 64)
    assert (toggles.timed.toggles <= whole.timed.toggles).all()
    seen = whole.timed.toggles - toggles.timed.toggles
    assert 0 < seen.sum() < whole.timed.toggles.sum() / 10
    # what settles there: zero-delay counts of those streams alone, in those cycles
    plain = GateSimulation(netlist, LIBRARY, 5)
    plain.set("rst", 1)
    plain.step()
    plain.set("rst", 0)
    for part, on in ((slice(0, 12), True), (slice(12, 13), False), (slice(13, 30), True)):
        plain.count(on)
        plain.run(part.stop - part.start, {name: values[part, :5] for name, values in given.items()}, ())
    assert toggles.timed.settled.tolist() == plain.toggles().toggles.tolist()
    assert toggles.timed.toggles[netlist.clock] == 2 * 29 * 5
    simulation.clear()
    assert simulation.toggles().timed is None
    simulation.count(timed=3)
    simulation.step(2)
    again = simulation.toggles().timed
    assert again is not None
    assert again.samples == 2 * 3
    with pytest.raises(BadInput, match="of 64 streams, 65 cannot be timed"):
        simulation.count(timed=65)
    with pytest.raises(BadInput, match="only in a simulation that was given delays"):
        GateSimulation(netlist, LIBRARY, 64).count(timed=1)


@pytest.mark.parametrize(("asked", "timed"), [(None, 6), (4, 4), (100, 6)])
def test_a_run_times_the_first_streams(asked: int | None, timed: int) -> None:
    given = {"a": np.random.default_rng(3).integers(0, 2, (7, 6))}
    delay = Delays(nets(0, 0, 0, 5, 3), nets(0, 0, 0, 5, 3))
    found = simulate(hazard(), LIBRARY, given, delays=delay, timed=asked).toggles
    assert found.timed is not None
    assert (found.samples, found.timed.samples) == (42, 7 * timed)
    before = np.concatenate([np.zeros((1, 6), int), given["a"]])[:, :timed]
    assert found.timed.settled[A] == (before[1:] != before[:-1]).sum()


def test_more_streams_than_a_machine_word_has_bits() -> None:
    netlist, given = synthesise(MAC, "mac", TECHNOLOGY.liberty_files()), stimulus("mac", 20, 100, seed=8)
    known = delays(netlist, TECHNOLOGY)
    parts = [slice(0, 100), slice(0, 64), slice(64, 100)]
    runs = [simulate(netlist, LIBRARY, {n: v[:, part] for n, v in given.items()}, delays=known).toggles.timed for part in parts]
    whole, *rest = (run.toggles for run in runs if run is not None)
    assert whole.tolist() == sum(rest, start=np.int64(0)).tolist()


def test_ending_at_another_value_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of every timed cycle: here a cell's function differs between the two ways of evaluating it."""
    netlist, code = hazard(), Kernels.code
    monkeypatch.setattr(Kernels, "code", lambda kernels: code(kernels).replace("out[0] = o0;", "out[0] = ~o0;"))
    with pytest.raises(SimulationError, match="hazard: with delays, net [34] settles at another value than without[.]$"):
        transitions(netlist, {"a": np.array([[1]])}, (0, 0, 0, 5, 3), (0, 0, 0, 5, 3))


def test_glitches_cost_what_their_transitions_cost() -> None:
    netlist = synthesise(MAC, "mac", TECHNOLOGY.liberty_files())
    counted = simulate(netlist, LIBRARY, stimulus("mac", 40, 64, seed=3), delays=delays(netlist, TECHNOLOGY)).toggles
    timed = counted.timed
    assert timed is not None
    report = energy(netlist, counted, TECHNOLOGY)
    settled, full = (
        energy(netlist, dataclasses.replace(counted, toggles=changes, timed=None), TECHNOLOGY) for changes in (timed.settled, timed.toggles)
    )
    assert report.zero_delay_pj == pytest.approx(settled.logic_pj)
    assert report.parts["glitches"] == pytest.approx(full.logic_pj - settled.logic_pj)
    assert (report.activity, settled.activity) == ("timed", "zero_delay")
    assert report.parts["clock"] == settled.parts["clock"]
    assert sum(report.by_path().values()) == pytest.approx(report.logic_pj)
    # twice as many cycles of the same kind, half of them timed: twice the glitches
    longer = dataclasses.replace(counted, cycles=2 * counted.cycles, toggles=2 * counted.toggles, high=2 * counted.high)
    assert energy(netlist, longer, TECHNOLOGY).parts["glitches"] == pytest.approx(2 * report.parts["glitches"])
    # the timed cycles were the busier half: what the others lack in settled transitions they lack in glitches
    quiet = dataclasses.replace(counted, cycles=2 * counted.cycles, high=2 * counted.high)
    assert energy(netlist, quiet, TECHNOLOGY).parts["glitches"] == pytest.approx(report.parts["glitches"], rel=1e-3)


def test_the_library_offers_both() -> None:
    given = stimulus("mac", 30, 4, seed=4)
    timed, plain = (energy_of(MAC, given, activity=activity) for activity in ("timed", "zero_delay"))  # type: ignore[arg-type]
    assert timed.zero_delay_pj == pytest.approx(plain.logic_pj)
    assert timed.logic_pj > 1.02 * plain.logic_pj == 1.02 * plain.zero_delay_pj
    with pytest.raises(BadInput, match="activity must be 'timed' or 'zero_delay'; got 'exact'"):
        energy_of(MAC, given, activity="exact")  # type: ignore[arg-type]
