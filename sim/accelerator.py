"""A complete accelerator, measured: its gate netlist runs the whole program, 64 batches of images at once, every toggle counted.

No fitted number enters. The netlist also computes the network's results, and they must equal the golden model's: the gates whose energy is
reported are gates that classify. Long layers are sampled: windows of `WINDOW` cycles, evenly spread over the layer. Glitches are counted in
some of these cycles, drawn one from each of equal stretches, and in some of the batches.
"""

import ctypes
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim import bits
from gatewright.sim.delays import delays
from gatewright.sim.energy_analysis import energy
from gatewright.sim.energy_report import EnergyReport
from gatewright.sim.gates import GateSimulation, Toggles
from gatewright.sim.memories import DRAM
from gatewright.sim.metrics import Metrics
from gatewright.sim.netlist import Netlist
from gatewright.sim.network import TOP, system_verilog
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology, ihp130
from gatewright.sw import golden
from gatewright.sw.counts import layer_ends
from gatewright.sw.program import Program

ENVIRONMENT = (Path(__file__).parent / "harness" / "gates_system.hpp").read_text()
WINDOW = 500  # cycles counted without a break
COUNTED_PER_LAYER = 4_000  # about as many of each layer's cycles are counted, evenly spread; all of a shorter layer's
TIMED_PER_LAYER = 400  # of those cycles are simulated with delays,
TIMED_STREAMS = 8  # in this many batches
HOST_CYCLES = 8  # for the host's command and answer


@dataclass(frozen=True, eq=False)
class Measured:
    """A measured accelerator running a program: metrics per image, and for every layer the energy report of its cycles.

    `layers[i]` covers `layer_cycles[i]` cycles, of which `layers[i].cycles / streams` were counted.
    """

    program: Program
    netlist: Netlist
    technology: Technology
    clock_ns: float
    codes: np.ndarray
    streams: int
    layers: tuple[EnergyReport, ...]
    layer_cycles: tuple[int, ...]
    logits: np.ndarray
    external_words: int

    def scale(self, i: int) -> float:
        """Counted energy of layer i times this is energy per run of the program."""
        return self.layer_cycles[i] / self.layers[i].cycles

    @property
    def metrics(self) -> Metrics:
        """Per image: every layer's counted energy scaled to its cycles."""
        images, cycles = self.program.schedule.images, sum(self.layer_cycles)
        scaled = [(report, self.scale(i) / images) for i, report in enumerate(self.layers)]
        return Metrics(
            energy_pj=sum(report.logic_pj * scale for report, scale in scaled),
            memory_energy_pj=sum(report.memory_pj * scale for report, scale in scaled),
            external_energy_pj=self.external_words * self.program.config.operand_bits * DRAM.pj_per_bit / images,
            cycles=cycles / images,
            latency_ns=cycles * self.clock_ns,
            area_um2=logic_area(self.netlist, self.technology),
            memory_area_um2=sum(memory.cost.area_um2 for memory in self.layers[0].memories),
            origin="measured",
            activity=self.layers[0].activity,
            zero_delay_pj=sum(report.zero_delay_pj * scale for report, scale in scaled),
        )

    def by_block(self) -> tuple[dict[str, float], ...]:
        """For every layer, energy in pJ per run of the program of each kind of block (all elements together, and so on)."""
        result = []
        for i, report in enumerate(self.layers):
            totals: dict[str, float] = {}
            for path, pj in report.by_path().items():
                kind = block_kind(path)
                totals[kind] = totals.get(kind, 0.0) + pj * self.scale(i)
            result.append(totals)
        return tuple(result)

    def area_by_block(self) -> dict[str, tuple[int, float]]:
        """Instances of each kind of block and the area in um2 of all of them."""
        areas = self.netlist.area({name: cell.area for name, cell in self.technology.library.cells.items()})
        result: dict[str, tuple[int, float]] = {}
        instances: dict[str, set[tuple[str, ...]]] = {}
        for path, area in areas.items():
            kind = block_kind(path)
            instances.setdefault(kind, set()).add(path[: 3 if kind in IN_GRID else 2])
            result[kind] = (len(instances[kind]), result.get(kind, (0, 0.0))[1] + area)
        return result


IN_GRID = ("element", "activation_edge", "weight_edge", "source")


def block_kind(path: tuple[str, ...]) -> str:
    """The kind of block an instance path belongs to: element, activation_edge, weight_edge, source, or the unit's own name."""
    if len(path) < 2:
        return "system"
    unit = path[1]
    if unit == "grid":
        if len(path) == 2:
            return "grid"
        return next((kind for kind in ("element", "activation_edge", "weight_edge") if path[2].startswith(kind)), "source")
    return "memory_port" if unit.startswith("memory_") else unit


def netlist_of(config: AcceleratorConfig, technology: Technology) -> Netlist:
    """The system's gates, memories kept as macros; cached."""
    return synthesise(system_verilog(config), TOP, technology.liberty_files())


def measure(
    program: Program, codes: np.ndarray, technology: Technology | None = None, clock_ns: float = 20.0, netlist: Netlist | None = None
) -> Measured:
    """Run images on the gates and price what toggled.

    codes: [N, C, H, W] activation codes, N a multiple of the program's images; N / images batches run side by side (at most 512).
    Raises Mismatch if the gates' logits differ from the golden model's, or their cycles from the prediction.
    """
    technology = technology or ihp130()
    netlist = netlist or netlist_of(program.config, technology)
    batches = codes.reshape(-1, program.schedule.images, *codes.shape[1:])
    if len(batches) > 512:
        raise BadInput(f"At most 512 batches can run side by side on gates; got {len(batches)}. Give fewer images.")
    simulation = GateSimulation(netlist, technology.library, len(batches), ENVIRONMENT, delays(netlist, technology))
    memory = _external_memory(simulation, program, batches)
    ends = layer_ends(program.schedule)
    lengths = [end - start for start, end in zip((0, *ends), ends, strict=False)]
    simulation.step(2)  # reset
    reports = [energy(netlist, toggles, technology, clock_ns) for toggles in _run(simulation, lengths)]
    state = np.zeros(4, dtype=np.int64)
    simulation.library.system_state(simulation.handle, state.ctypes)
    logits = _logits(program, memory, len(batches))
    reference = golden.forward(program.network, codes)[-1]
    if not state[0] or state[1] != ends[-1]:
        raise Mismatch(
            f"The gates took {state[1] if state[0] else 'more than ' + str(simulation.cycle)} cycles; {ends[-1]} were predicted."
        )
    if wrong := int((logits != reference).any(axis=(1, 2, 3)).sum()):
        raise Mismatch(f"The gate netlist's logits differ from the golden model's in {wrong} of {len(logits)} images.")
    return Measured(
        program, netlist, technology, clock_ns, codes, len(batches), tuple(reports), tuple(lengths), logits, int(state[2] + state[3])
    )


def _external_memory(simulation: GateSimulation, program: Program, batches: np.ndarray) -> np.ndarray:
    """Fill external memory, each stream with its own images; returns its planes [words, operand_bits, machine words]."""
    schedule, operand_bits = program.schedule, program.config.operand_bits
    setup = simulation.library.system_setup
    setup.restype, setup.argtypes = ctypes.POINTER(ctypes.c_uint64), [ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_int] * 3
    simulation.library.system_state.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    pointer = setup(simulation.handle, schedule.memory_words, operand_bits, program.config.memory_interval, program.entry_words)
    memory = np.ctypeslib.as_array(pointer, shape=(schedule.memory_words, operand_bits, simulation.words))
    image = program.image
    set_bits = (image[:, None] >> np.arange(operand_bits, dtype=np.uint64)) & np.uint64(1)
    memory[: len(image)] = (np.uint64(0) - set_bits)[:, :, None]
    inputs = np.stack([program.pack_input(batch) for batch in batches], axis=1)  # [words, streams]
    start = schedule.maps[0].address
    memory[start : start + len(inputs)] = bits.pack(inputs, operand_bits, simulation.words, "images")
    return memory


def _run(simulation: GateSimulation, lengths: list[int]) -> Iterator[Toggles]:
    """The program's cycles, layer after layer, and what was counted in each. The host's few cycles belong to the first and last layer."""
    for i, length in enumerate(lengths):
        simulation.clear()
        cycles = length + (HOST_CYCLES if i == len(lengths) - 1 else 0)
        period = max(1, cycles // max(WINDOW, COUNTED_PER_LAYER)) * WINDOW
        stretch = max(1, -(-cycles // period) * WINDOW // TIMED_PER_LAYER)
        draw = random.Random(i)
        done = 0
        while done < cycles:
            window = min(WINDOW, cycles - done)
            _window(simulation, window, stretch, draw)
            simulation.count(False)
            rest = min(period - WINDOW, cycles - done - window)
            if rest > 0:
                simulation.step(rest)
            done += window + max(rest, 0)
        yield simulation.toggles()


def _window(simulation: GateSimulation, cycles: int, stretch: int, draw: random.Random) -> None:
    """Count some cycles, and time one in each `stretch` of them."""
    for start in range(0, cycles, stretch):
        length = min(stretch, cycles - start)
        before = draw.randrange(length)
        simulation.count()
        simulation.step(before)
        simulation.count(timed=min(TIMED_STREAMS, simulation.streams))
        simulation.step()
        simulation.count()
        simulation.step(length - before - 1)


def _logits(program: Program, memory: np.ndarray, streams: int) -> np.ndarray:
    region = program.schedule.maps[-1]
    words = bits.unpack(memory[region.address : region.address + region.words], streams).astype(np.uint64)  # [words, streams]
    last = len(program.network.layers) - 1
    return np.concatenate([program.unpack_output(np.ascontiguousarray(words[:, s]), last) for s in range(streams)])


def logic_area(netlist: Netlist, technology: Technology) -> float:
    """Area in um2 of all cells, memories apart."""
    return float(sum(len(cells) * technology.library.cells[kind].area for kind, cells in netlist.cells.items()))
