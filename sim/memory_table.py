"""On-chip SRAM of processes without macros of their own: a cited table by capacity and word, scaled to the process by a stated rule.

The table holds CACTI 7 runs of three processes. Between its points figures are interpolated in the logarithms of capacity and word. CACTI
optimises each point by itself and so finds some larger memories cheaper than smaller ones: a figure is the least of all memories of the
table at least as large. Below 512 bytes and 8 bits a memory costs as much as one of that size. A word wider than the table's, or cheaper
in parts, is made of equal arrays side by side; more than the table's capacity of equal banks, one of them in use at an access.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim.memories import Memories, MemoryCost, Ports

Floats = NDArray[np.float64]
DATA = Path(__file__).parent / "data" / "sram_cacti7.json"
FIGURES = ("read_pj", "write_pj", "access_ns", "area_um2")


class Scaling(Noun):
    """From a process of the table to another: energy goes with length and the square of the supply, area with the square of length, time
    with length.

    `length_nm` is the feature size of the target. `anchor` multiplies energies, for what `anchored` says. A second port costs area and
    leakage and leaves the energy of an access alone. Leakage is not the table's, but so much a bit.
    """

    feature_nm: int
    length_nm: float = Field(gt=0)
    voltage: float = Field(gt=0)
    anchor: float = Field(default=1.0, gt=0)
    anchored: str = ""
    leakage_nw_per_bit: float = Field(ge=0)
    second_port_area: float = Field(default=1.0, ge=1)
    second_port_leakage: float = Field(default=1.0, ge=1)


@dataclass(frozen=True, eq=False)
class Process:
    """Figures of one process: [capacities, words] each, not falling along either axis (access times along capacity alone)."""

    feature_nm: int
    voltage: float
    capacities: Floats  # bytes
    words: Floats  # bytes
    figures: dict[str, Floats]

    def at(self, name: str, capacity: float, word: float) -> float:
        """A figure of an array of `capacity` bytes with words of `word` bytes. Raises BadInput beyond the table."""
        if capacity > self.capacities[-1] or word > self.words[-1]:
            raise BadInput(
                f"The memory table goes to {self.capacities[-1]:,.0f} bytes and words of {self.words[-1]:.0f} bytes; "
                f"got {capacity:,.0f} bytes and words of {word:g}."
            )
        row, up = _place(self.capacities, capacity)
        column, right = _place(self.words, word)
        corner = np.log(self.figures[name][row : row + 2, column : column + 2])
        return float(np.exp(np.array([1 - up, up]) @ corner @ np.array([1 - right, right])))


def _place(points: Floats, value: float) -> tuple[int, float]:
    """Between which points a value lies, and how far in the logarithm; the first point stands for all below it."""
    i = int(np.clip(np.searchsorted(points, value, side="right") - 1, 0, len(points) - 2))
    return i, float(np.clip(np.log(value / points[i]) / np.log(points[i + 1] / points[i]), 0.0, 1.0))


def processes(text: str) -> dict[int, Process]:
    """The processes of a table in JSON, by feature size in nm. Raises BadInput for a malformed one."""
    try:
        data = json.loads(text)
        capacities, words = (np.array(data[name], dtype=float) for name in ("capacity_bytes", "word_bytes"))
        found = {}
        for item in data["processes"]:
            figures = {name: _least(name, np.array(item[name], dtype=float)) for name in FIGURES}
            found[item["feature_nm"]] = Process(item["feature_nm"], item["voltage"], capacities, words, figures)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"The memory table is malformed ({type(error).__name__}: {error}). Make it again with gatewright.sim.derive."
        ) from None
    for process in found.values():
        for name, values in process.figures.items():
            whole = values.shape == (len(capacities), len(words)) and bool(np.all(values > 0))
            if not whole or min(values.shape) < 2 or any(np.any(np.diff(axis) <= 0) for axis in (capacities, words)):
                raise BadInput(
                    f"The memory table is malformed: {name} of {process.feature_nm} nm has the shape {values.shape} for "
                    f"{len(capacities)} capacities and {len(words)} words; figures must be positive, sizes at least two and rising."
                )
    return found


def _least(name: str, values: Floats) -> Floats:
    """The least figure of all memories at least as large; access times are compared along capacity alone. Absent ones take the next's."""
    least = np.fmin.accumulate(values[::-1], axis=0)[::-1]
    return least if name == "access_ns" else np.fmin.accumulate(least[:, ::-1], axis=1)[:, ::-1]


class Table(Memories):
    """A table's memories scaled to a process."""

    def __init__(self, text: str, scaling: Scaling) -> None:
        """text: the table's JSON. Raises BadInput for one that is malformed or lacks the process scaled from."""
        super().__init__()
        found = processes(text)
        if scaling.feature_nm not in found:
            raise BadInput(f"The memory table has {', '.join(map(str, found))} nm; got {scaling.feature_nm} nm to scale from.")
        self.process, self.scaling, self._text = found[scaling.feature_nm], scaling, text
        data = json.loads(text)
        self.source = data["source"]
        self.note = f"{data['name']} at {self.process.feature_nm} nm, cited and scaled: {self.rule}"

    @property
    def length(self) -> float:
        return self.scaling.length_nm / self.process.feature_nm

    @property
    def energy(self) -> float:
        return self.length * (self.scaling.voltage / self.process.voltage) ** 2 * self.scaling.anchor

    @property
    def rule(self) -> str:
        """The scaling in words and numbers."""
        s, p = self.scaling, self.process
        anchored = f" x {s.anchor:g} ({s.anchored})" if s.anchor != 1 else ""
        energy = f"{self.energy:.3g} = {s.length_nm:g}/{p.feature_nm} nm x ({s.voltage:g}/{p.voltage:g} V)^2{anchored}"
        return f"energy x {energy}, area x {self.length**2:.3g}, time x {self.length:.3g}"

    def tilings(self, depth: int, width: int, ports: Ports) -> list[MemoryCost]:
        """One array, or a power of two of them side by side, not narrower than a byte."""
        least = -(-width // int(8 * self.process.words[-1]))
        slices = [1 << (least - 1).bit_length()]
        while width >= 16 * slices[-1]:
            slices.append(2 * slices[-1])
        return [self._tiling(depth, width, ports, number) for number in slices]

    def _tiling(self, depth: int, width: int, ports: Ports, slices: int) -> MemoryCost:
        s, p = self.scaling, self.process
        bits = max(8, -(-width // slices))
        banks = -(-depth * bits // int(8 * p.capacities[-1]))
        words = -(-depth // banks)
        read, write, access, area = (p.at(name, words * bits / 8, bits / 8) for name in FIGURES)
        arrays, two = banks * slices, ports == "1r1w"
        return MemoryCost(
            depth=depth,
            width=width,
            ports=ports,
            area_um2=arrays * area * self.length**2 * (s.second_port_area if two else 1.0),
            read_pj=slices * read * self.energy,
            write_pj=slices * write * self.energy,
            idle_pj=0.0,
            leakage_nw=arrays * words * bits * s.leakage_nw_per_bit * (s.second_port_leakage if two else 1.0),
            access_ns=access * self.length,
            setup_ns=0.0,
            macros=(f"{words} x {bits}",) * arrays,
            provenance=f"cited, scaled: {self.rule}",
        )

    def figures(self) -> list[str]:
        return [self._text, self.scaling.to_json()]


BIT_LEAKAGE = 0.192  # of a bit of IHP's one-port macros, in leakages of its process's smallest inverter
SECOND_PORT = {"second_port_area": 1.95, "second_port_leakage": 1.61}  # of IHP's two-port macros over its one-port macros of equal size
SCALINGS = {
    "sky130": Scaling(
        feature_nm=90,
        length_nm=130,
        voltage=1.8,
        anchor=3.45,
        anchored="IHP's macros",
        leakage_nw_per_bit=BIT_LEAKAGE * 0.001568,
        **SECOND_PORT,
    ),
    "asap7": Scaling(
        feature_nm=22,
        length_nm=13.6,  # the cell of a 7 nm process has 0.027 um2 (Chang, ISSCC 2017, 12.1) = 146 x (13.6 nm)^2
        voltage=0.7,
        leakage_nw_per_bit=BIT_LEAKAGE * 0.051159,
        **SECOND_PORT,
    ),
}


@lru_cache
def scaled_memories(technology: str) -> Table:
    """The embedded table scaled to an embedded technology without macros: sky130 or asap7."""
    return Table(DATA.read_text(), SCALINGS[technology])
