"""A flat netlist of library cells and memories, as arrays: a million cells are a few dozen of them.

Nets are numbered. Net 0 is the constant 0 and net 1 the constant 1; every other net has exactly one driver: an input port, an output
pin of a cell, or a memory's read data. Nets are called `n<number>` and cells `g<number>` wherever a text needs names.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Nets = NDArray[np.int32]
Path_ = tuple[str, ...]

ZERO, ONE, OPEN = 0, 1, -1


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells of one type: `nets[i, j]` is the net on pin `pins[j]` of cell i (or OPEN), `paths[i]` counts in `Netlist.paths`."""

    pins: tuple[str, ...]
    nets: Nets
    paths: Nets

    def __len__(self) -> int:
        return len(self.nets)

    def pin(self, name: str) -> Nets:
        """The net on one pin, for every cell."""
        return self.nets[:, self.pins.index(name)]


@dataclass(frozen=True, eq=False)
class Memory:
    """A synchronous memory with one write and one read port, kept as a macro.

    At a clock edge the word at `read_address` moves to `read_data` if `read_enable`, and holds otherwise; then the bits of
    `write_data` whose `write_enable` is 1 are stored at `write_address`. A read at the address being written gives the old word.
    `write_enable` has one net per bit; `groups` of bits share one.
    """

    path: Path_
    depth: int
    width: int
    read_enable: Nets
    read_address: Nets
    read_data: Nets
    write_enable: Nets
    write_address: Nets
    write_data: Nets

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def groups(self) -> int:
        """How many parts of a word can be written separately."""
        return len(np.unique(self.write_enable))

    @property
    def inputs(self) -> Nets:
        return np.concatenate([self.read_enable, self.read_address, self.write_enable, self.write_address, self.write_data])


@dataclass(frozen=True)
class Cell:
    """One cell, for reading and for tests; loops over many cells use `Netlist.cells`."""

    name: str
    type: str
    path: Path_
    pins: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Netlist:
    """Cells by type, memories, ports (least significant bit first) and the one clock net (OPEN where nothing is clocked).

    `paths[i]` is the chain of instance names from the top to a block; the top itself is the empty tuple.
    """

    name: str
    nets: int
    clock: int
    inputs: Mapping[str, Nets]
    outputs: Mapping[str, Nets]
    cells: Mapping[str, Cells]
    memories: tuple[Memory, ...] = ()
    paths: tuple[Path_, ...] = field(default=((),))

    @property
    def size(self) -> int:
        """Number of cells."""
        return sum(len(cells) for cells in self.cells.values())

    def each_cell(self) -> Iterator[Cell]:
        number = 0
        for kind, cells in self.cells.items():
            for nets, path in zip(cells.nets.tolist(), cells.paths.tolist(), strict=True):
                pins = {pin: net for pin, net in zip(cells.pins, nets, strict=True) if net != OPEN}
                yield Cell(f"g{number}", kind, self.paths[path], pins)
                number += 1

    @cached_property
    def first(self) -> dict[str, int]:
        """Number of the first cell of each type: cell i of a type is called `g<first + i>`."""
        starts = np.cumsum([0, *(len(cells) for cells in self.cells.values())]).tolist()
        return dict(zip(self.cells, starts, strict=False))

    def counts(self, depth: int | None = None) -> dict[Path_, dict[str, int]]:
        """How many cells of each type every block has; `depth` instance names tell blocks apart (None: all)."""
        blocks = [path[:depth] for path in self.paths]
        result: dict[Path_, dict[str, int]] = {}
        for kind, cells in self.cells.items():
            for index, number in enumerate(np.bincount(cells.paths, minlength=len(self.paths)).tolist()):
                if number:
                    block = result.setdefault(blocks[index], {})
                    block[kind] = block.get(kind, 0) + number
        return result

    def area(self, areas: Mapping[str, float], depth: int | None = None) -> dict[Path_, float]:
        """Area of every block, without memories, in the unit of `areas` (area of a cell by type)."""
        return {path: sum(areas[kind] * number for kind, number in counts.items()) for path, counts in self.counts(depth).items()}

    def save(self, path: Path) -> None:
        """Write everything to one `.npz` file."""
        arrays: dict[str, Any] = {}
        memories = []
        for kind, cells in self.cells.items():
            arrays[f"cells/{kind}/nets"], arrays[f"cells/{kind}/paths"] = cells.nets, cells.paths
        for direction, ports in (("inputs", self.inputs), ("outputs", self.outputs)):
            arrays |= {f"{direction}/{name}": nets for name, nets in ports.items()}
        for index, memory in enumerate(self.memories):
            fields = asdict(memory)
            arrays |= {f"memories/{index}/{name}": nets for name, nets in fields.items() if isinstance(nets, np.ndarray)}
            memories.append({name: item for name, item in fields.items() if not isinstance(item, np.ndarray)})
        facts = {"name": self.name, "nets": self.nets, "clock": self.clock, "paths": self.paths, "memories": memories}
        facts |= {"inputs": list(self.inputs), "outputs": list(self.outputs)}
        facts["pins"] = {kind: cells.pins for kind, cells in self.cells.items()}
        np.savez_compressed(path, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Netlist":
        with np.load(path) as arrays:
            facts = json.loads(str(arrays["facts"]))
            cells = {}
            for kind, pins in facts["pins"].items():
                cells[kind] = Cells(tuple(pins), arrays[f"cells/{kind}/nets"], arrays[f"cells/{kind}/paths"])
            memories = []
            for index, fields in enumerate(facts["memories"]):
                start = f"memories/{index}/"
                nets = {name.removeprefix(start): arrays[name] for name in arrays.files if name.startswith(start)}
                memories.append(Memory(**(fields | {"path": tuple(fields["path"])}), **nets))
            return cls(
                name=facts["name"],
                nets=facts["nets"],
                clock=facts["clock"],
                inputs={name: arrays[f"inputs/{name}"] for name in facts["inputs"]},
                outputs={name: arrays[f"outputs/{name}"] for name in facts["outputs"]},
                cells=cells,
                memories=tuple(memories),
                paths=tuple(tuple(item) for item in facts["paths"]),
            )
