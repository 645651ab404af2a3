"""The compiled bit-parallel gate simulator: 64 to 512 independent streams at once, toggles of every net counted.

Zero delay: one settled value per net and cycle. Given the cells' delays, all transitions on the way to it are counted as well, in the
cycles asked for. All state begins at 0. The cells' functions come from the library; the netlist is data, so one compilation (a second
or two, cached) serves every netlist of a library.
"""

import ctypes
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.sim import bits, cache, tools
from gatewright.sim.cells import Library
from gatewright.sim.kernels import Kernels, kernels
from gatewright.sim.netlist import Netlist
from gatewright.sim.tables import CTables, Tables, tables

NOTHING_AROUND = "struct Environment { void drive(Gates &) {} void observe(Gates &) {} };"

_FLAGS = ("-std=c++20", "-O2", "-march=native", "-Wall", "-Wextra", "-Wno-psabi", "-Wno-ignored-attributes", "-fPIC", "-shared")


_UNIFORM = (
    " Enables and addresses of memories must be equal in all streams: run streams that take the same path through the program, or one "
    "stream."
)


class SimulationError(GatewrightError):
    """The simulated design did what the simulator does not model."""


@dataclass(frozen=True)
class Accesses:
    """What a memory did, summed over all streams: `read_toggles` of its read data, `write_toggles` between words written."""

    reads: int
    writes: int
    read_toggles: int
    write_toggles: int


@dataclass(frozen=True, eq=False)
class Delays:
    """How long what drives net n takes, in ps, until the net becomes 1 (`rise[n]`) or 0 (`fall[n]`)."""

    rise: NDArray[np.int32]
    fall: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Transitions:
    """What was seen of nets in timed cycles, `samples` of them over all streams: all transitions (`toggles[n]` of net n), and those from
    one cycle's settled value to the next one's (`settled[n]`). The others are glitches.
    """

    samples: int
    toggles: NDArray[np.int64]
    settled: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Toggles:
    """Counts over `cycles` cycles of `streams` streams, per net of the netlist, summed over the streams.

    `toggles[n]`: changes of net n from one cycle to the next; `high[n]`: cycles in which it was 1. The clock toggles twice a cycle.
    `timed`: transitions in those of the cycles that were simulated with delays; None where none was.
    """

    cycles: int
    streams: int
    toggles: NDArray[np.int64]
    high: NDArray[np.int64]
    memories: Mapping[str, Accesses] = field(default_factory=dict)
    timed: Transitions | None = None

    @property
    def samples(self) -> int:
        return self.cycles * self.streams


def compile(kernels: Kernels, words: int, ports: Sequence[str] = (), environment: str = NOTHING_AROUND) -> Path:
    """The shared object for a library, a word count and what surrounds the netlist (cached).

    `environment` is C++: a `struct Environment` with `void drive(Gates &)`, called before a cycle's evaluation, and
    `void observe(Gates &)`, called after it. Ports are called `PORT_<name>`. It may export `extern "C"` functions of its own,
    and gets its Environment from a simulation's handle by `environment_of(handle)`. See gates.hpp for what Gates offers.
    """
    names = ", ".join(f"PORT_{re.sub(r'[^A-Za-z0-9_]', '_', port)} = {i}" for i, port in enumerate(ports))
    here = Path(__file__).parent
    source = "\n".join(
        [
            f"#define WORDS {words}",
            (here / "gates.hpp").read_text(),
            (here / "timed.hpp").read_text(),
            f"enum Port : int {{ {names} }};" if ports and environment != NOTHING_AROUND else "",
            "struct Environment;\nEnvironment &environment_of(void *simulation);",
            environment,
            (here / "gates_api.hpp").read_text(),
            kernels.code(),
        ]
    )
    name = cache.key(source=source, flags=_FLAGS, tools=tools.versions("g++"), processor=tools.processor())

    def make(folder: Path) -> None:
        (folder / "gates.cpp").write_text(source)
        command = [str(tools.require("g++")), *_FLAGS, "gates.cpp", "-o", "gates.so"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadInput(f"The gate simulator does not compile; check the environment's C++:\n{done.stderr[:2000]}")

    return cache.folder("gates", name, make) / "gates.so"


class GateSimulation:
    """A netlist under simulation, `streams` independent copies of it at once."""

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        streams: int = 64,
        environment: str = NOTHING_AROUND,
        delays: Delays | None = None,
    ) -> None:
        """With `delays`, cycles can be timed. Raises BadInput for cells the simulator has no function for, combinational loops and more
        than one clock.
        """
        self.netlist, self.streams, self.delays = netlist, streams, delays
        self.words = bits.words(streams)
        functions = kernels(library)
        self.ports = dict(netlist.inputs) | dict(netlist.outputs)
        self._number = {name: i for i, name in enumerate(self.ports)}
        self._tables: Tables = tables(netlist, functions, streams)
        self.library = _open(compile(functions, self.words, list(self.ports), environment))
        self.handle = ctypes.c_void_p(self.library.gw_new(ctypes.byref(self._tables.c)))
        if delays is not None:
            by_slot = [np.zeros(netlist.nets, dtype=np.int32) for _ in range(2)]
            for array, values in zip(by_slot, (delays.rise, delays.fall), strict=True):
                array[self._tables.slot_of_net] = values
            self.library.gw_delays(self.handle, *(array.ctypes for array in by_slot))

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.gw_free(self.handle)

    @property
    def cycle(self) -> int:
        """Cycles done."""
        return int(self.library.gw_cycle(self.handle))

    def set(self, port: str, values: Any) -> None:
        """Give an input port one integer for all streams, or one for each."""
        planes = bits.pack(np.broadcast_to(values, self.streams), len(self.netlist.inputs[port]), self.words, f"input {port}")
        self.library.gw_set(self.handle, self._number[port], planes.ctypes)

    def get(self, port: str) -> NDArray[Any]:
        """The integers on a port in the last cycle, one for each stream."""
        planes = np.zeros((len(self.ports[port]), self.words), dtype=np.uint64)
        self.library.gw_get(self.handle, self._number[port], planes.ctypes)
        return bits.unpack(planes, self.streams)

    def step(self, cycles: int = 1) -> None:
        """Simulate; input ports keep their values, unless the environment changes them."""
        self.run(cycles, {}, ())

    def run(self, cycles: int, stimulus: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Simulate with integers [cycles, streams] on some input ports; returns those of some output ports, in the same shape."""
        planes = [self._planes(port, values, cycles) for port, values in stimulus.items()]
        given = np.concatenate(planes or [np.zeros((cycles, 0, self.words), np.uint64)], axis=1)
        widths = [len(self.ports[port]) for port in outputs]
        taken = np.zeros((cycles, sum(widths), self.words), dtype=np.uint64)
        given_ports, taken_ports = (np.array([self._number[port] for port in ports], dtype=np.int32) for ports in (stimulus, outputs))
        sides = (len(given_ports), given_ports.ctypes, given.ctypes, len(taken_ports), taken_ports.ctypes, taken.ctypes)
        done = self.library.gw_run(self.handle, cycles, *sides)
        if done != cycles:
            self._fail()
        parts = np.split(taken, np.cumsum(widths)[:-1], axis=1) if widths else []
        return {port: bits.unpack(part, self.streams) for port, part in zip(outputs, parts, strict=True)}

    def _planes(self, port: str, values: Any, cycles: int) -> bits.Planes:
        if port not in self.netlist.inputs:
            raise BadInput(f"{self.netlist.name} has no input {port!r}; its inputs are {', '.join(self.netlist.inputs)}.")
        array = np.asarray(values)
        if array.shape != (cycles, self.streams):
            raise BadInput(f"Stimulus of {port}: expected the shape (cycles, streams) = {(cycles, self.streams)}, got {array.shape}.")
        return bits.pack(array, len(self.netlist.inputs[port]), self.words, f"input {port}")

    def _fail(self) -> None:
        text = self.library.gw_error(self.handle).decode()
        names = [memory.name for memory in self.netlist.memories]
        text = re.sub(r"memory (\d+)", lambda match: f"memory {names[int(match[1])]}", text)
        text = re.sub(r"port number (\d+)", lambda match: f"port {list(self.ports)[int(match[1])]}", text)
        if match := re.search(r"net slot (\d+)", text):
            text = text.replace(match[0], f"net {int(np.flatnonzero(self._tables.slot_of_net == int(match[1]))[0])}")
        raise SimulationError(f"{self.netlist.name}: {text}.{_UNIFORM if 'between streams' in text else ''}")

    def count(self, on: bool = True, timed: int = 0) -> None:
        """Switch counting on or off from the next cycle; a window's first change is counted against the cycle before it.

        The first `timed` streams are simulated with the delays as well, which takes hundreds of times as long; a simulation's very first
        cycle never is.
        """
        if not 0 <= timed <= self.streams:
            raise BadInput(f"{self.netlist.name}: of {self.streams} streams, {timed} cannot be timed.")
        if timed and self.delays is None:
            raise BadInput(f"{self.netlist.name}: cycles can be timed only in a simulation that was given delays.")
        self.library.gw_count(self.handle, int(on), timed)

    def clear(self) -> None:
        """Set all counts to zero."""
        self.library.gw_clear(self.handle)

    def toggles(self) -> Toggles:
        """What was counted so far."""
        slots = len(self._tables.slot_of_net)
        toggles, high = np.zeros(slots, dtype=np.int64), np.zeros(slots, dtype=np.int64)
        cycles = int(self.library.gw_toggles(self.handle, toggles.ctypes, high.ctypes))
        toggles, high = toggles[self._tables.slot_of_net], high[self._tables.slot_of_net]
        if self.netlist.clock >= 0:
            toggles[self.netlist.clock] = 2 * cycles * self.streams
            high[self.netlist.clock] = cycles * self.streams // 2
        timed = None
        if self.delays is not None:
            pair = [np.zeros(slots, dtype=np.int64) for _ in range(2)]
            done = int(self.library.gw_timed(self.handle, *(array.ctypes for array in pair)))
            pair = [array[self._tables.slot_of_net] for array in pair]
            for array in pair if self.netlist.clock >= 0 else ():
                array[self.netlist.clock] = 2 * done
            timed = Transitions(done, *pair) if done else None
        memories = {}
        for number, memory in enumerate(self.netlist.memories):
            counts = np.zeros(4, dtype=np.int64)
            self.library.gw_memory_counts(self.handle, number, counts.ctypes)
            memories[memory.name] = Accesses(*counts.tolist())
        return Toggles(cycles, self.streams, toggles, high, memories, timed)

    def memory(self, name: str) -> bits.Planes:
        """The contents of a memory as planes [depth, width, words], shared with the simulation: writing changes them."""
        number = [memory.name for memory in self.netlist.memories].index(name)
        memory = self.netlist.memories[number]
        pointer = self.library.gw_memory(self.handle, number)
        return np.ctypeslib.as_array(pointer, shape=(memory.depth, memory.width, self.words))


@dataclass(frozen=True, eq=False)
class Result:
    """Integers [cycles, streams] of every output port, and the counts."""

    outputs: Mapping[str, NDArray[Any]]
    toggles: Toggles


def simulate(
    netlist: Netlist,
    library: Library,
    stimulus: Mapping[str, Any],
    reset_cycles: int = 1,
    delays: Delays | None = None,
    timed: int | None = None,
) -> Result:
    """Run integers [cycles, streams] on every input port but the clock and `rst`.

    Before them, and not counted, come `reset_cycles` cycles with all inputs zero but `rst`, which is high (if there is one). With `delays`
    every cycle is timed, in the first `timed` streams (all, unless said otherwise).
    """
    clock = [name for name, nets in netlist.inputs.items() if netlist.clock in nets]
    wanted = set(netlist.inputs) - set(clock) - ({"rst"} - set(stimulus))
    if wanted != set(stimulus):
        raise BadInput(f"{netlist.name}: the stimulus must be of {', '.join(sorted(wanted))}, got {', '.join(sorted(stimulus))}.")
    shapes = {np.asarray(values).shape for values in stimulus.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2:
        raise BadInput(f"{netlist.name}: every stimulus must have the same shape (cycles, streams).")
    simulation = GateSimulation(netlist, library, shape[1], delays=delays)
    reset = "rst" in netlist.inputs and "rst" not in stimulus
    if reset:
        simulation.set("rst", 1)
    simulation.step(reset_cycles)
    if reset:
        simulation.set("rst", 0)
    simulation.count(timed=0 if delays is None else min(timed or shape[1], shape[1]))
    outputs = simulation.run(shape[0], stimulus, list(netlist.outputs))
    return Result(outputs, simulation.toggles())


def _open(path: Path) -> Any:
    library = ctypes.CDLL(str(path))
    handle, pointer, number = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "gw_new": (handle, [ctypes.POINTER(CTables)]),
        "gw_free": (None, [handle]),
        "gw_error": (ctypes.c_char_p, [handle]),
        "gw_cycle": (ctypes.c_int64, [handle]),
        "gw_count": (None, [handle, number, number]),
        "gw_delays": (None, [handle, pointer, pointer]),
        "gw_timed": (ctypes.c_int64, [handle, pointer, pointer]),
        "gw_clear": (None, [handle]),
        "gw_set": (None, [handle, number, pointer]),
        "gw_get": (None, [handle, number, pointer]),
        "gw_run": (ctypes.c_int64, [handle, ctypes.c_int64, number, pointer, pointer, number, pointer, pointer]),
        "gw_toggles": (ctypes.c_int64, [handle, pointer, pointer]),
        "gw_memory_counts": (None, [handle, number, pointer]),
        "gw_memory": (ctypes.POINTER(ctypes.c_uint64), [handle, number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
