"""A technology: a standard-cell library, memory macros, and the assumptions energy is computed under."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim import cache
from gatewright.sim.cells import Library, Pin
from gatewright.sim.compact import from_json
from gatewright.sim.liberty import read
from gatewright.sim.liberty_writer import write
from gatewright.sim.memories import DRAM, ExternalMemory, Memories, ihp130_memories
from gatewright.sim.memory_table import SCALINGS, scaled_memories

DATA = Path(__file__).parent / "data"
EMBEDDED = ("ihp130", "sky130", "asap7")


class Conventions(Noun):
    """What energy analysis assumes where a netlist does not say.

    `slew_ns` None is the library's own typical slew (an inverter driving four). `wire_ff_per_sink` is added to a net for every
    input pin on it. `clock_high` is the probability that the clock is high when data toggles: in zero-delay simulation everything
    settles right after the rising edge, so 1.
    """

    slew_ns: float | None = Field(default=None, gt=0)
    wire_ff_per_sink: float = Field(default=0.0, ge=0)
    clock_high: float = Field(default=1.0, ge=0, le=1)


class Technology:
    """Cells, memories and conventions under one `name`; `hash` stands for all of them in cache keys."""

    def __init__(
        self,
        name: str,
        files: Callable[[], list[Path]],
        content: str,
        memories: Memories,
        memories_note: str,
        conventions: Conventions,
    ) -> None:
        self.name = name
        self.memories = memories
        self.memories_note = memories_note
        self.external: ExternalMemory = DRAM
        self.conventions = conventions
        self._files = files
        self._content = content

    def liberty_files(self) -> list[Path]:
        """The Liberty files, for Yosys and abc; of the embedded technology generated into the cache."""
        return self._files()

    @cached_property
    def library(self) -> Library:
        return read(*self.liberty_files())

    @property
    def hash(self) -> str:
        """First 16 hex digits of a SHA-256 over the cells' content, the memories and the conventions."""
        text = json.dumps([self._content, self.memories.figures(), self.external.to_json(), self.conventions.to_json()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def replace(self, conventions: Conventions) -> "Technology":
        """The same cells and memories under other assumptions."""
        return Technology(self.name, self._files, self._content, self.memories, self.memories_note, conventions)

    @cached_property
    def slew_ns(self) -> float:
        """The transition time at which tables are read."""
        return self.conventions.slew_ns or typical_slew(self.library)


def typical_slew(library: Library) -> float:
    """Slew, in ns, of the smallest inverter that drives four of itself, fed with that same slew (a fixed point).

    Raises BadInput if the library has no inverter with transition tables.
    """
    inverters = [(cell.area, cell.name, pin) for cell in library.cells.values() if (pin := _inverter(cell.outputs, len(cell.inputs)))]
    if not inverters:
        raise BadInput(f"The library {library.name} has no inverter with transition tables, so no typical slew. Set conventions.slew_ns.")
    _, name, output = min(inverters, key=lambda item: item[:2])
    load = 4 * library.cells[name].inputs[0].capacitance_ff
    slew = 0.0
    for _ in range(50):
        sides = [float(table.at(slew, load)) for arc in output.arcs for table in arc.slews]
        slew = sum(sides) / len(sides)
    return slew


def _inverter(outputs: Sequence[Pin], inputs: int) -> Pin | None:
    if len(outputs) != 1 or inputs != 1:
        return None
    pin = outputs[0]
    function = pin.expression
    inverts = function is not None and len(function.names) == 1 and function.minterms == ({function.names[0]: 0},)
    return pin if inverts and any(arc.slews for arc in pin.arcs) else None


def ihp130() -> Technology:
    """The default: 28 cells of IHP SG13G2, 130 nm, 1.2 V, typical, with its SRAM macros."""
    return technology_named("ihp130")


@lru_cache
def technology_named(name: str) -> Technology:
    """An embedded technology: ihp130, sky130 (SkyWater 130 nm, 1.8 V) or asap7 (predictive 7 nm, 0.7 V), with its memories.

    Raises BadInput for any other name.
    """
    if name not in EMBEDDED:
        raise BadInput(f"There is no embedded technology {name!r}; there are {', '.join(EMBEDDED)}. Others come from Liberty files.")
    text = (DATA / f"{name}.json").read_text()
    digest = cache.digest(text.encode())
    memories = memories_of(name)

    def files() -> list[Path]:
        key = cache.key(data=digest, writer=_WRITER)
        return [cache.folder("technology", key, lambda folder: _generate(text, folder / f"{name}.lib")) / f"{name}.lib"]

    return Technology(name, files, digest, memories, memories.note, Conventions())


def memories_of(technology: str) -> Memories:
    """The memories of a technology by its name: IHP's macros, for sky130 and asap7 a cited table scaled to them, for any other IHP's."""
    return scaled_memories(technology) if technology in SCALINGS else ihp130_memories()


_FOREIGN_MEMORIES = (
    "IHP SG13G2 130 nm SRAM macros, cited: the technology has no memories of its own, and their cost is not scaled to its process"
)
_WRITER = cache.digest(Path(__file__).with_name("liberty_writer.py").read_bytes())


def _generate(text: str, path: Path) -> None:
    data = json.loads(text)
    path.write_text(write(from_json(data), f"Generated by Gatewright. {data['source']}.\n{data['licence']}.\n{data['made_by']}."))


def from_liberty(*paths: str | Path, name: str | None = None, conventions: Conventions | None = None) -> Technology:
    """A technology from full Liberty files of one corner. Its memories are IHP's 130 nm macros, whatever the cells are: said so.

    Raises BadInput for files that are missing or malformed.
    """
    files = [Path(path).resolve() for path in paths]
    library = read(*files)
    content = ",".join(cache.digest(path) for path in files)
    technology = Technology(
        name or library.name, lambda: files, content, ihp130_memories(), _FOREIGN_MEMORIES, conventions or Conventions()
    )
    technology.library = library
    return technology
