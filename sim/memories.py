"""On-chip SRAM, and external memory: cited figures, not synthesised ones.

A technology's memories are `Memories`: macros of its own process (`Macros`, here) or a cited table scaled to it
(`gatewright.sim.memory_table`). A macro's energy per access is what its Liberty file gives for the clock edge in that mode, plus its
address and data pins at 50% toggling. Energies are pJ, areas um2, leakage nW. Banks share an address bus and only the addressed bank is
enabled; the multiplexer between banks, a few gates a bit, is left out.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun

Ports = Literal["1r1w", "1rw"]

DATA = Path(__file__).parent / "data" / "ihp130_sram.json"


class Macro(Noun):
    """A published memory macro: `words` of `bits`; two ports (each reads or writes) or one."""

    name: str
    words: int = Field(ge=1)
    bits: int = Field(ge=1)
    port_count: Literal[1, 2]
    area_um2: float = Field(gt=0)
    leakage_nw: float = Field(ge=0)
    read_clock_pj: float = Field(ge=0)  # one clock edge that reads, without pins
    write_clock_pj: float = Field(ge=0)
    address_toggle_pj: float = Field(ge=0)  # one toggle of one address pin, its capacitance included
    data_toggle_pj: float = Field(ge=0)  # one toggle of one data input, its capacitance included
    idle_pj: float = Field(ge=0)  # one clock cycle of one port that is not enabled
    access_ns: float = Field(ge=0)  # clock to data, typical slew and small load
    setup_ns: float

    @property
    def address_bits(self) -> int:
        return (self.words - 1).bit_length()

    @property
    def read_pj(self) -> float:
        """One read; half of the address pins toggle."""
        return self.read_clock_pj + self.address_bits / 2 * self.address_toggle_pj + self.idle_pj

    @property
    def write_pj(self) -> float:
        """One write; half of the address and of the data pins toggle."""
        return self.write_clock_pj + self.address_bits / 2 * self.address_toggle_pj + self.bits / 2 * self.data_toggle_pj + self.idle_pj


class MemoryCost(Noun):
    """What one logical memory of `depth` words of `width` bits costs. Energies per access of a full word."""

    depth: int
    width: int
    ports: Ports
    area_um2: float
    read_pj: float
    write_pj: float
    idle_pj: float  # each clock cycle, all ports of all macros not enabled
    leakage_nw: float
    access_ns: float
    setup_ns: float
    macros: tuple[str, ...]  # one name for each macro, banks one after another
    provenance: str = "cited"  # or "cited, scaled: " and the rule


class ExternalMemory(Noun):
    """Memory off the chip: a price for each bit moved."""

    name: str
    pj_per_bit: float = Field(gt=0)
    source: str


DRAM = ExternalMemory(
    name="LPDDR4",
    pj_per_bit=4.0,
    source="vendor and survey figures, about 4 pJ a bit; for comparison HBM2 about 3.9 pJ a bit, "
    "DDR3 20 to 41 pJ a bit (1.3 to 2.6 nJ per 64 bits: Horowitz, ISSCC 2014)",
)


class Memories(ABC):
    """The on-chip memories of a technology. `source`: where the figures are from; `note`: in one phrase, for reports."""

    source: str
    note: str

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, Ports], MemoryCost] = {}

    def macro_for(self, depth: int, width: int, ports: Ports = "1r1w") -> MemoryCost:
        """The tiling of least area that holds `depth` words of `width` bits; ties go to the lower read energy, then the name.

        `1r1w` writes on one port and reads on the other in the same cycle (two ports), `1rw` does one or the other.
        Raises BadInput for a size below 1 and for ports that are not offered.
        """
        key = (depth, width, ports)
        if key not in self._known:
            if depth < 1 or width < 1:
                raise BadInput(f"A memory has at least one word of one bit, got {depth} words of {width} bits.")
            if ports not in ("1r1w", "1rw"):
                raise BadInput(f"A memory's ports are '1r1w' or '1rw', got {ports!r}.")
            self._known[key] = least_area(self.tilings(depth, width, ports))
        return self._known[key]

    @abstractmethod
    def tilings(self, depth: int, width: int, ports: Ports) -> Iterable[MemoryCost]:
        """The ways there are to make a memory."""

    @abstractmethod
    def figures(self) -> list[str]:
        """Everything that costs rest on, as text: for keys of caches."""


def least_area(costs: Iterable[MemoryCost]) -> MemoryCost:
    """The cheapest of several ways to make one memory."""
    return min(costs, key=lambda cost: (cost.area_um2, cost.read_pj, cost.macros))


class Macros(Memories):
    """The published macros of a process."""

    def __init__(self, macros: Iterable[Macro], source: str, note: str) -> None:
        super().__init__()
        self.macros = tuple(macros)
        self.source = source
        self.note = note

    def tilings(self, depth: int, width: int, ports: Ports) -> list[MemoryCost]:
        """For each depth of macro the least area, banks one after another and macros side by side."""
        fitting = [macro for macro in self.macros if macro.port_count == (2 if ports == "1r1w" else 1)]
        choices = []
        for words in sorted({macro.words for macro in fitting}):
            bank = _cover(width, [macro for macro in fitting if macro.words == words])
            choices.append(_cost(depth, width, ports, bank, -(-depth // words)))
        return choices

    def figures(self) -> list[str]:
        return [macro.to_json() for macro in self.macros]


def _cover(width: int, macros: Sequence[Macro]) -> tuple[Macro, ...]:
    """The macros of equal depth that cover `width` bits with least area, side by side."""
    best: list[tuple[float, float, tuple[Macro, ...]]] = [(0.0, 0.0, ())]
    for bits in range(1, width + 1):
        options = []
        for macro in macros:
            area, energy, rest = best[max(0, bits - macro.bits)]
            options.append((area + macro.area_um2, energy + macro.read_pj, (*rest, macro)))
        best.append(min(options, key=lambda option: (option[0], option[1], [macro.name for macro in option[2]])))
    return best[width][2]


def _cost(depth: int, width: int, ports: Ports, bank: tuple[Macro, ...], banks: int) -> MemoryCost:
    """Costs of `banks` equal banks, one of them enabled at an access."""
    return MemoryCost(
        depth=depth,
        width=width,
        ports=ports,
        area_um2=banks * sum(macro.area_um2 for macro in bank),
        read_pj=sum(macro.read_pj for macro in bank),
        write_pj=sum(macro.write_pj for macro in bank),
        idle_pj=banks * sum(macro.port_count * macro.idle_pj for macro in bank),
        leakage_nw=banks * sum(macro.leakage_nw for macro in bank),
        access_ns=max(macro.access_ns for macro in bank),
        setup_ns=max(macro.setup_ns for macro in bank),
        macros=tuple(macro.name for macro in bank) * banks,
    )


@lru_cache(maxsize=1)
def ihp130_memories() -> Macros:
    """The SRAM macros of IHP SG13G2 (130 nm, 1.2 V, typical), embedded."""
    data = json.loads(DATA.read_text())
    return Macros((Macro(**fields) for fields in data["macros"]), data["source"], "IHP SG13G2 SRAM macros, cited")
