"""The library for tests of hardware blocks, as `gatewright.sim` offers it: arrays in, arrays, areas and picojoules out.

Every function takes an Amaranth component, an elaboratable with its `ports`, Verilog text, or a `Design` made of one of them.
docs/library.md is its tutorial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from amaranth.hdl import Value
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim import gates, rtl
from gatewright.sim.delays import delays
from gatewright.sim.design import CLOCK, RESET, Design, Source
from gatewright.sim.energy_analysis import energy as analyse
from gatewright.sim.energy_report import Activity, EnergyReport
from gatewright.sim.gates import Accesses, Result, Toggles, Transitions
from gatewright.sim.netlist import Netlist, Path_
from gatewright.sim.synthesis import Memories
from gatewright.sim.synthesis import synthesise as to_netlist
from gatewright.sim.technology import Technology, ihp130
from gatewright.sim.timing import TimingReport, critical_path

Engine = Literal["verilator", "gates"]
Arrays = Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Synthesis:
    """A design in the cells of a technology. Areas in um2; memories are macros, with areas of their own."""

    netlist: Netlist
    technology: Technology

    def __repr__(self) -> str:
        return (
            f"Synthesis({self.netlist.name}: {self.area_um2:.6g} um2, {sum(self.cells.values())} cells, "
            f"{self.flip_flops} flip-flops, {self.technology.name})"
        )

    @property
    def area_um2(self) -> float:
        """Area of all cells, memories apart."""
        return sum(self.areas().values())

    def areas(self, depth: int | None = None) -> dict[Path_, float]:
        """Area of every block (a chain of instance names, cut at `depth`; the top's own cells are at the empty chain)."""
        return self.netlist.area({name: cell.area for name, cell in self.technology.library.cells.items()}, depth)

    @property
    def memory_area_um2(self) -> float:
        macros = self.technology.memories
        return sum(macros.macro_for(memory.depth, memory.width).area_um2 for memory in self.netlist.memories)

    @property
    def cells(self) -> dict[str, int]:
        """How many cells there are of each type."""
        return {kind: len(cells) for kind, cells in self.netlist.cells.items()}

    @property
    def flip_flops(self) -> int:
        library = self.technology.library.cells
        return sum(number for kind, number in self.cells.items() if library[kind].ff is not None)

    @cached_property
    def timing(self) -> TimingReport:
        """The critical path, without wires and buffers."""
        return critical_path(self.netlist, self.technology)

    @property
    def fmax_mhz_estimate(self) -> float:
        return self.timing.fmax_mhz_estimate


def synthesise(
    source: Source,
    technology: Technology | None = None,
    *,
    memories: Memories = "macros",
    top: str | None = None,
    ports: Sequence[Value] | None = None,
) -> Synthesis:
    """Map a design to standard cells (IHP 130 nm, unless `technology` says otherwise). `memories="gates"` makes memories flip-flops."""
    design, technology = Design.of(source, top=top, ports=ports), technology or ihp130()
    return Synthesis(to_netlist(design.verilog, design.top, technology.liberty_files(), memories, CLOCK), technology)


def simulate(
    source: Source,
    inputs: Arrays,
    *,
    engine: Engine = "verilator",
    technology: Technology | None = None,
    reset_cycles: int = 1,
    top: str | None = None,
    ports: Sequence[Value] | None = None,
) -> dict[str, NDArray[Any]]:
    """Give every input its value in every cycle, get the value of every output in every cycle.

    inputs: integers [cycles] or [cycles, streams] by port; numbers stand for constants. Streams are independent runs. What an output shows
    in row t has settled under row t of the inputs, before the clock edge that ends the cycle. Returns int64 arrays of the
    inputs' shape (uint64 for 64 unsigned bits, Python ints above 64 bits).
    The run starts from a state of zeros with `reset_cycles` cycles of `rst`, all inputs zero; an `rst` among the inputs is driven
    as given instead. engine: "verilator" runs the Verilog, "gates" the netlist synthesised with `technology`.
    """
    design = Design.of(source, top=top, ports=ports)
    stimulus, flat = stimulus_arrays(design, inputs)
    if engine == "gates":
        outputs = run_gates(synthesise(design, technology), stimulus, reset_cycles).outputs
    elif engine == "verilator":
        outputs = rtl.simulate(design, stimulus, reset_cycles)
    else:
        raise BadInput(f"engine must be 'verilator' or 'gates'; got {engine!r}.")
    return {
        name: _integers(values[:, 0] if flat else values, design.outputs[name].width, design.outputs[name].signed)
        for name, values in outputs.items()
    }


def energy(
    source: Source,
    inputs: Arrays,
    technology: Technology | None = None,
    *,
    clock_ns: float = 10.0,
    memories: Memories = "macros",
    activity: Activity = "timed",
    reset_cycles: int = 1,
    top: str | None = None,
    ports: Sequence[Value] | None = None,
) -> EnergyReport:
    """Energy of the design's gates under `inputs` (as for `simulate`), reset left out.

    The report has `logic_pj`, `per_cycle_pj`, `by_path()` (blocks), `by_type()` (cells), `parts` (causes) and `memory_pj`. `clock_ns`, the
    clock's period, sets leakage only. activity: "timed" counts glitches, with the cells' delays (`zero_delay_pj` is the energy without
    them); "zero_delay" leaves them out, which is quicker. Wires and clock tree are not in the numbers.
    """
    if activity not in get_args(Activity):
        raise BadInput(f"activity must be 'timed' or 'zero_delay'; got {activity!r}.")
    design = Design.of(source, top=top, ports=ports)
    stimulus, _ = stimulus_arrays(design, inputs)
    synthesis = synthesise(design, technology, memories=memories)
    streams = next(iter(stimulus.values())).shape[1]
    run = run_gates(synthesis, stimulus, reset_cycles, timed=streams if activity == "timed" else 0)
    return analyse(synthesis.netlist, run.toggles, synthesis.technology, clock_ns)


def run_gates(synthesis: Synthesis, stimulus: Mapping[str, NDArray[Any]], reset_cycles: int = 1, timed: int = 0) -> Result:
    """Outputs and toggles of a netlist; where there are memories, stream after stream, since their addresses may differ.

    The first `timed` streams are simulated with delays.
    """
    netlist, library = synthesis.netlist, synthesis.technology.library
    shape = next(iter(stimulus.values())).shape
    if netlist.clock < 0 and CLOCK in netlist.inputs:  # a clock that nothing uses
        stimulus = {**stimulus, CLOCK: np.zeros(shape, dtype=np.int64)}
    stimulus = {name: values for name, values in stimulus.items() if name in netlist.inputs}
    known = delays(netlist, synthesis.technology) if timed else None
    if not netlist.memories or shape[1] == 1:
        return gates.simulate(netlist, library, stimulus, reset_cycles, known, timed)
    runs = [
        gates.simulate(netlist, library, {n: v[:, i : i + 1] for n, v in stimulus.items()}, reset_cycles, known if i < timed else None)
        for i in range(shape[1])
    ]
    return Result({name: np.concatenate([run.outputs[name] for run in runs], axis=1) for name in netlist.outputs}, _sum(runs))


def _sum(runs: Sequence[Result]) -> Toggles:
    counts = [run.toggles for run in runs]
    memories = {
        name: Accesses(*(sum(getattr(each.memories[name], field) for each in counts) for field in Accesses.__annotations__))
        for name in counts[0].memories
    }
    toggles, high = (np.sum([getattr(each, name) for each in counts], axis=0) for name in ("toggles", "high"))
    return replace(counts[0], streams=len(runs), toggles=toggles, high=high, memories=memories, timed=_sum_timed(counts))


def _sum_timed(counts: Sequence[Toggles]) -> Transitions | None:
    timed = [each.timed for each in counts if each.timed is not None]
    if not timed:
        return None
    toggles, settled = (np.sum([getattr(each, name) for each in timed], axis=0) for name in ("toggles", "settled"))
    return Transitions(sum(each.samples for each in timed), toggles, settled)


def stimulus_arrays(design: Design, inputs: Arrays) -> tuple[dict[str, NDArray[Any]], bool]:
    """Integers [cycles, streams] of every input, and whether there is one stream without an axis."""
    wanted = set(design.inputs) | ({RESET} & set(inputs) & set(design.ports))
    if wanted != set(inputs) or not wanted:
        raise BadInput(
            f"{design.top}: give every input (at least one) and nothing else; its inputs are {', '.join(design.inputs) or 'none'}, "
            f"got {', '.join(inputs) or 'none'}."
        )
    arrays = {name: np.asarray(values) for name, values in inputs.items()}
    shapes = {values.shape for values in arrays.values() if values.ndim}
    if len(shapes) != 1 or len(shape := shapes.pop()) > 2 or 0 in shape:
        raise BadInput(
            f"{design.top}: inputs are integers [cycles] or [cycles, streams], all of one shape, or constants beside at least one array. "
            f"Got the shapes {', '.join(f'{name} {values.shape}' for name, values in arrays.items())}."
        )
    for name, values in arrays.items():
        _fits(design.top, name, values, design.ports[name].width)
    flat = len(shape) == 1
    full = (shape[0], 1) if flat else shape
    return {name: np.broadcast_to(values.reshape(full) if values.ndim else values, full) for name, values in arrays.items()}, flat


def _fits(top: str, name: str, values: NDArray[Any], width: int) -> None:
    if values.dtype.kind not in "iubO":
        raise BadInput(f"{top}: input {name} takes integers, got {values.dtype}.")
    low, high = values.min(), values.max()
    if not (-(1 << (width - 1)) <= low and high < 1 << width):
        raise BadInput(f"{top}: input {name} has {width} bits, got values from {low} to {high}.")


def _integers(values: NDArray[Any], width: int, signed: bool) -> NDArray[Any]:
    """Unsigned codes as the port means them."""
    if width > 64:
        return values - (((values >> (width - 1)) & 1) << width) if signed else values
    if not signed:
        return values.astype(np.int64) if width < 64 else values
    return (values.astype(np.uint64) << np.uint64(64 - width)).view(np.int64) >> np.int64(64 - width)
