"""Small memories of flip-flops, measured: `register_file` is the alternative to a macro where even the smallest macro is too large.

    python -m gatewright.sim.register_files

A register file is `hw.memory.Memory` with its bits as flip-flops: one write port, a read multiplexer in front of an output register. It
does what a macro does, cycle for cycle. It was synthesised and simulated at the sizes of the shipped table; between them area, energy and
times are interpolated, linearly in depth and in width. Energies without glitches; every flip-flop is clocked in every cycle.
"""

import json
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.hw.memory import Memory
from gatewright.sim import files, tools
from gatewright.sim.energy_analysis import energy, net_loads
from gatewright.sim.gates import GateSimulation
from gatewright.sim.library import Synthesis, synthesise
from gatewright.sim.memories import MemoryCost, ihp130_memories
from gatewright.sim.technology import EMBEDDED, Technology, technology_named

DATA = Path(__file__).parent / "data" / "register_files.json"
DEPTHS = (2, 4, 8, 16, 32, 64)
WIDTHS = (1, 4, 8, 16, 32, 64)
BETWEEN = ((3, 16), (6, 24), (10, 64), (12, 12), (20, 40), (24, 20), (40, 48), (48, 6))  # held out: not used for interpolation
FIGURES = ("area_um2", "read_pj", "write_pj", "idle_pj", "leakage_nw", "access_ns", "setup_ns")
CYCLES, STREAMS = 64, 64
CLOCK_NS = 10.0

Floats = NDArray[np.float64]
Figures = dict[str, float]


def register_file(depth: int, width: int, technology: str = "ihp130") -> MemoryCost:
    """What a register file of `depth` words of `width` bits, one read and one write port, costs in an embedded technology.

    Accesses are of random words, half of the pins toggling; `read_pj` and `write_pj` come on top of `idle_pj`, the clock of all
    flip-flops in every cycle. `setup_ns` is the longest path inside: address to output register, without buffers. Words above 64 bits are
    parts side by side; one word costs as much as two.
    Raises BadInput for more than 64 words, a size below 1, and a technology that was not measured.
    """
    if not (1 <= depth <= DEPTHS[-1] and width >= 1):
        raise BadInput(f"A register file has 1 to {DEPTHS[-1]} words of at least one bit, got {depth} of {width}. Use a macro for more.")
    table = _tables().get(technology)
    if table is None:
        raise BadInput(f"Register files were measured in {', '.join(_tables())}; got {technology!r}.")
    parts = -(-width // WIDTHS[-1])
    widths = [width // parts + (i < width % parts) for i in range(parts)]
    each = [table.at(depth, one) for one in widths]
    summed = {name: sum(part[name] for part in each) for name in FIGURES[:5]}
    slowest = {name: max(part[name] for part in each) for name in FIGURES[5:]}
    names = tuple(f"register_file_{depth}x{one}" for one in widths)
    return MemoryCost(depth=depth, width=width, ports="1r1w", **summed, **slowest, macros=names, provenance="measured")


@dataclass(frozen=True, eq=False)
class Table:
    """Measured figures by name, each [depths, widths]."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    figures: dict[str, Floats]

    def at(self, depth: int, width: int) -> Figures:
        """Every figure between the sizes measured; below two words as with two."""
        i, u = _between(self.depths, max(depth, self.depths[0]))
        j, v = _between(self.widths, width)

        def bilinear(values: Floats) -> float:
            rows = values[i] * (1 - u) + values[i + 1] * u
            return float(rows[j] * (1 - v) + rows[j + 1] * v)

        return {name: bilinear(values) for name, values in self.figures.items()}

    def without(self, depth: int | None = None, width: int | None = None) -> "Table":
        """The table without the sizes of one depth or one width."""
        rows = [i for i, each in enumerate(self.depths) if each != depth]
        columns = [j for j, each in enumerate(self.widths) if each != width]
        figures = {name: values[np.ix_(rows, columns)] for name, values in self.figures.items()}
        return Table(tuple(self.depths[i] for i in rows), tuple(self.widths[j] for j in columns), figures)


def _between(axis: tuple[int, ...], value: int) -> tuple[int, float]:
    """The point below, and how far to the next one."""
    i = min(int(np.searchsorted(axis, value, side="right")) - 1, len(axis) - 2)
    return i, (value - axis[i]) / (axis[i + 1] - axis[i])


@lru_cache(maxsize=1)
def _record() -> dict[str, Any]:
    return dict(json.loads(DATA.read_text()))


@lru_cache(maxsize=1)
def _tables() -> dict[str, Table]:
    result = {}
    for name, sizes in _record()["technologies"].items():
        shape = len(DEPTHS), len(WIDTHS)
        result[name] = Table(DEPTHS, WIDTHS, {key: np.reshape([row[key] for row in sizes["table"]], shape) for key in FIGURES})
    return result


def heldout(technology: str = "ihp130") -> dict[str, tuple[float, float]]:
    """Mean and greatest relative error of each figure: sizes between those of the table, and the table's inner sizes, each predicted
    without all sizes of its depth, then of its width."""
    table, record = _tables()[technology], _record()["technologies"][technology]
    errors: dict[str, list[float]] = {name: [] for name in FIGURES}

    def score(predicted: Figures, found: Figures) -> None:
        for name in FIGURES:
            errors[name].append(predicted[name] / found[name] - 1)

    for row in record["between"]:
        score(table.at(row["depth"], row["width"]), row)
    for row in record["table"]:
        if row["depth"] in DEPTHS[1:-1]:
            score(table.without(depth=row["depth"]).at(row["depth"], row["width"]), row)
        if row["width"] in WIDTHS[1:-1]:
            score(table.without(width=row["width"]).at(row["depth"], row["width"]), row)
    return {name: (float(np.mean(np.abs(values))), max(values, key=abs)) for name, values in errors.items()}


def measure(depth: int, width: int, technology: Technology, seed: int = 0) -> Figures:
    """Synthesise one size; run it idle, reading in every cycle, writing in every cycle, with random words at random addresses."""
    made = synthesise(Memory(depth, width), technology, memories="gates")
    rng = np.random.default_rng(seed)
    simulation = GateSimulation(made.netlist, technology.library, STREAMS)

    def words(cycles: int) -> NDArray[np.uint64]:
        return rng.integers(0, 2**64, (cycles, STREAMS), dtype=np.uint64) >> np.uint64(64 - width)

    def addresses() -> NDArray[np.int64]:
        return rng.integers(0, depth, (CYCLES, STREAMS))

    def run(cycles: int, stimulus: dict[str, Any]) -> tuple[float, float]:
        """Energy of an average cycle in pJ without leakage, and leakage in nW."""
        simulation.clear()
        simulation.count()
        simulation.run(cycles, {name: np.broadcast_to(values, (cycles, STREAMS)) for name, values in stimulus.items()}, ())
        simulation.count(False)
        report = energy(made.netlist, simulation.toggles(), technology, CLOCK_NS)
        leakage = report.parts["leakage"]
        return (report.logic_pj - leakage) / report.cycles, leakage / report.cycles / CLOCK_NS * 1e6

    still = {"read_enable": 0, "write_enable": 0}
    simulation.set("rst", 0)
    run(depth, still | {"write_enable": 1, "write_address": np.arange(depth)[:, None], "write_data": words(depth)})
    run(1, still)
    idle, leakage = run(CYCLES, still)
    reading, _ = run(CYCLES, still | {"read_enable": 1, "read_address": addresses()})
    run(1, still)
    writing, _ = run(CYCLES, still | {"write_enable": 1, "write_address": addresses(), "write_data": words(CYCLES)})
    return {
        "area_um2": made.area_um2,
        "read_pj": reading - idle,
        "write_pj": writing - idle,
        "idle_pj": idle,
        "leakage_nw": leakage,
        "access_ns": access_ns(made),
        "setup_ns": made.timing.critical_path_ns,
    }


def access_ns(made: Synthesis) -> float:
    """From the clock edge to the slowest bit of the read data, which registers drive."""
    netlist, technology = made.netlist, made.technology
    loads, slowest = net_loads(netlist, technology), 0.0
    for kind, cells in netlist.cells.items():
        cell = technology.library.cells[kind]
        for pin in cell.outputs if cell.ff else ():
            nets = np.intersect1d(cells.pin(pin.name), netlist.outputs["read_data"])
            for table in (table for arc in pin.arcs if arc.related_pin == cell.clock_pin for table in arc.delays if len(nets)):
                slowest = max(slowest, float(table.at(np.full(len(nets), technology.slew_ns), loads[nets]).max()))
    return slowest


def crossover(width: int) -> tuple[dict[str, int | None], MemoryCost]:
    """At IHP 130 nm: from which depth on a macro of this width is smaller, and takes less energy when read and written in every cycle, in
    every fourth and in none (None: not up to 64 words); and the smallest macro."""
    found: dict[str, int | None] = {}
    cases = {"area": None, "each cycle": 1.0, "every fourth": 0.25, "idle": 0.0}
    for name, rate in cases.items():
        found[name] = None
        for depth in range(DEPTHS[-1], 1, -1):
            ours, macro = register_file(depth, width), ihp130_memories().macro_for(depth, width)
            if _cost(ours, rate) <= _cost(macro, rate):
                break
            found[name] = depth
    return found, ihp130_memories().macro_for(1, width)


def _cost(memory: MemoryCost, rate: float | None) -> float:
    """Area, or energy of a cycle that reads and writes at `rate`."""
    return memory.area_um2 if rate is None else rate * (memory.read_pj + memory.write_pj) + memory.idle_pj


def report() -> str:
    """The shipped figures as Markdown: some sizes, errors, where macros take over."""
    lines = ["| technology | words x bits | um2 | pJ a read | a write | a cycle, clock | ns inside |", "|---|---|---|---|---|---|---|"]
    for technology in _tables():
        for depth, width in ((4, 8), (8, 16), (16, 16), (16, 32), (32, 32), (64, 64)):
            f = register_file(depth, width, technology)
            figures = f"{f.area_um2:.0f} | {f.read_pj:.3f} | {f.write_pj:.3f} | {f.idle_pj:.3f} | {f.setup_ns:.2f}"
            lines.append(f"| {technology} | {depth} x {width} | {figures} |")
    lines += ["", "| technology | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for technology in _tables():
        lines.append(f"| {technology} | " + " | ".join(f"{mean:.1%}, {worst:+.1%}" for mean, worst in heldout(technology).values()) + " |")
    lines += ["", "| bits | area | each cycle | every fourth | idle | macro for one word |", "|---|---|---|---|---|---|"]
    for width in (8, 16, 22, 32, 48, 64):
        depths, macro = crossover(width)
        cells = " | ".join("none" if depth is None else str(depth) for depth in depths.values())
        lines.append(f"| {width} | {cells} | {macro.area_um2:.0f} um2, {macro.read_pj:.2f} pJ, {macro.write_pj:.2f} pJ |")
    return "\n".join(lines)


def main() -> None:
    """Measure all sizes in all embedded technologies, write the data, print the tables."""
    technologies = {}
    for name in EMBEDDED:
        technology = technology_named(name)
        rows: dict[str, list[dict[str, float]]] = {"table": [], "between": []}
        for kind, sizes in (("table", [(d, w) for d in DEPTHS for w in WIDTHS]), ("between", BETWEEN)):
            for depth, width in sizes:
                print(f"{name}: {depth} x {width}", file=sys.stderr, flush=True)
                figures = measure(depth, width, technology)
                rows[kind].append({"depth": depth, "width": width} | {key: float(f"{value:.6g}") for key, value in figures.items()})
        technologies[name] = {"technology_hash": technology.hash, **rows}
    record = {
        "provenance": "measured: python -m gatewright.sim.register_files",
        "tools": tools.versions("pyosys", "amaranth"),
        "operands": f"random words at random addresses, {CYCLES * STREAMS} accesses of each kind",
        "technologies": technologies,
    }
    files.write(DATA, json.dumps(record).replace('{"depth', '\n{"depth') + "\n")
    _record.cache_clear()
    _tables.cache_clear()
    print(report())


if __name__ == "__main__":
    main()
