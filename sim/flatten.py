"""Mapped modules (Yosys JSON) to one flat `Netlist`: every distinct module is read once, every instance is a few array operations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.netlist import ONE, OPEN, ZERO, Cells, Memory, Netlist, Nets, Path_

Bits = Sequence[int | str]


@dataclass(frozen=True)
class MemoryCell:
    """A module that is one memory: its ports, and the memory's pins, in the module's own bit numbers."""

    depth: int
    width: int
    ports: Mapping[str, Any]
    pins: Mapping[str, Bits]


@dataclass
class _Module:
    """A module with its nets renumbered from 0; 0 and 1 are the constants."""

    nets: int
    inputs: dict[str, Nets]
    outputs: dict[str, Nets]
    cells: dict[str, tuple[tuple[str, ...], Nets]]
    instances: list[tuple[str, str, dict[str, Nets]]]


@dataclass
class _Flat:
    """What has been placed so far."""

    nets: int = 2
    equal: list[tuple[int, int]] = field(default_factory=list)
    cells: dict[str, list[tuple[Nets, int]]] = field(default_factory=lambda: defaultdict(list))
    memories: list[tuple[Path_, MemoryCell, dict[str, Nets]]] = field(default_factory=list)
    paths: list[Path_] = field(default_factory=list)


class _Renumber:
    """Numbers a module's bits from 2 on; constants are 0 and 1, and undefined bits are 0."""

    def __init__(self) -> None:
        self.table: dict[int | str, int] = {"0": ZERO, "x": ZERO, "z": ZERO, "1": ONE}

    def bit(self, bit: int | str) -> int:
        return self.table.setdefault(bit, self.count)

    def __call__(self, bits: Bits) -> Nets:
        return np.array([self.bit(bit) for bit in bits], dtype=np.int32)

    @property
    def count(self) -> int:
        return len(self.table) - 2


_MEMORY_PINS = {
    "read_enable": "RD_EN",
    "read_address": "RD_ADDR",
    "read_data": "RD_DATA",
    "write_enable": "WR_EN",
    "write_address": "WR_ADDR",
    "write_data": "WR_DATA",
}


def flatten(modules: Mapping[str, Any], library: Mapping[str, Any], top: str, memories: Mapping[str, MemoryCell], clock: str) -> Netlist:
    """The flat netlist below `top`; modules in `memories` become macros. Cells that drive nothing of consequence are left out.

    `modules` and `library` (the cells' pins) are as Yosys writes them in JSON.
    """
    read = {name: _read(module, library) for name, module in modules.items()}
    pins = {kind: names for module in read.values() for kind, (names, _) in module.cells.items()}
    outputs = {kind: [library[kind]["ports"][pin]["direction"] == "output" for pin in names] for kind, names in pins.items()}
    flat = _Flat()
    ports: dict[str, Nets] = {}
    for name, nets in (read[top].inputs | read[top].outputs).items():
        ports[name] = np.arange(flat.nets, flat.nets + len(nets), dtype=np.int32)
        flat.nets += len(nets)
    _place(flat, read, memories, top, (), ports)

    root = _roots(flat)
    kinds = sorted(flat.cells)
    nets_of = {kind: np.concatenate([part for part, _ in flat.cells[kind]]) for kind in kinds}
    nets_of = {kind: np.where(nets == OPEN, OPEN, root[nets]) for kind, nets in nets_of.items()}
    paths_of = {kind: np.concatenate([np.full(len(part), path, np.int32) for part, path in flat.cells[kind]]) for kind in kinds}
    kept = [{pin: root[nets] for pin, nets in memory.items()} for _, _, memory in flat.memories]
    wanted = [root[ports[name]] for name in read[top].outputs] + [nets for memory in kept for nets in memory.values()]
    live = _live(len(root), nets_of, outputs, np.unique(np.concatenate([*wanted, np.zeros(1, np.int32)])))
    live[[ZERO, ONE, *(net for name in read[top].inputs for net in root[ports[name]])]] = True
    renumbered = np.append(np.cumsum(live, dtype=np.int32) - 1, np.int32(OPEN))  # index -1 (OPEN) finds OPEN
    renumbered[:-1][~live] = OPEN

    cells = {}
    for kind in kinds:
        nets = renumbered[nets_of[kind]]
        used = (nets[:, outputs[kind]] != OPEN).any(axis=1)
        if used.any():
            cells[kind] = Cells(pins[kind], nets[used], paths_of[kind][used])
    final = {name: renumbered[root[nets]] for name, nets in ports.items()}
    return Netlist(
        name=top,
        nets=int(live.sum()),
        clock=int(final[clock][0]) if clock in read[top].inputs else OPEN,
        inputs={name: final[name] for name in read[top].inputs},
        outputs={name: final[name] for name in read[top].outputs},
        cells=cells,
        memories=tuple(
            Memory(path, cell.depth, cell.width, **{pin: renumbered[nets] for pin, nets in memory.items()})
            for (path, cell, _), memory in zip(flat.memories, kept, strict=True)
        ),
        paths=tuple(flat.paths),
    )


def _read(module: Mapping[str, Any], library: Mapping[str, Any]) -> _Module:
    number = _Renumber()
    ports = {name: (port["direction"], number(port["bits"])) for name, port in module["ports"].items()}
    grouped: dict[str, list[Mapping[str, Bits]]] = defaultdict(list)
    instances = []
    for name, cell in module["cells"].items():
        kind, connections = cell["type"], cell["connections"]
        if kind in library:
            grouped[kind].append(connections)
        else:
            instances.append((name, kind, {pin: number(bits) for pin, bits in connections.items()}))
    cells = {}
    for kind, each in grouped.items():
        pins = tuple(library[kind]["ports"])
        nets = [number.bit(connections[pin][0]) if connections.get(pin) else OPEN for connections in each for pin in pins]
        cells[kind] = (pins, np.array(nets, dtype=np.int32).reshape(len(each), len(pins)))
    inputs = {name: nets for name, (direction, nets) in ports.items() if direction == "input"}
    outputs = {name: nets for name, (direction, nets) in ports.items() if direction == "output"}
    return _Module(number.count, inputs, outputs, cells, instances)


def _place(
    flat: _Flat, read: Mapping[str, _Module], memories: Mapping[str, MemoryCell], name: str, path: Path_, ports: Mapping[str, Nets]
) -> None:
    """Add one instance of module `name`; `ports` gives the flat nets outside."""
    module = read[name]
    within = module.inputs | module.outputs
    missing = {port: np.zeros(len(nets), np.int32) for port, nets in module.inputs.items() if port not in ports}  # open inputs are 0
    local = _connect(flat, module.nets, [(within[port], nets) for port, nets in (dict(ports) | missing).items()])
    flat.paths.append(path)
    here = len(flat.paths) - 1
    for kind, (_, nets) in module.cells.items():
        flat.cells[kind].append((np.where(nets == OPEN, OPEN, local[nets]), here))
    for instance, kind, connections in module.instances:
        outside = {port: local[nets] for port, nets in connections.items()}
        if kind in memories:
            _place_memory(flat, memories[kind], (*path, instance), outside)
        else:
            _place(flat, read, memories, kind, (*path, instance), outside)


def _place_memory(flat: _Flat, cell: MemoryCell, path: Path_, ports: Mapping[str, Nets]) -> None:
    number = _Renumber()
    pins = {field: number(cell.pins[pin]) for field, pin in _MEMORY_PINS.items()}
    within = {port: number(cell.ports[port]["bits"]) for port in ports}
    local = _connect(flat, number.count, [(within[port], nets) for port, nets in ports.items()])
    flat.memories.append((path, cell, {field: local[nets] for field, nets in pins.items()}))


def _connect(flat: _Flat, count: int, ports: Sequence[tuple[Nets, Nets]]) -> Nets:
    """Flat numbers of a module's `count` nets; where one net inside joins several outside, those are noted as equal."""
    local = np.full(count, OPEN, dtype=np.int32)
    local[:2] = ZERO, ONE
    for inside, outside in ports:
        for net, other in zip(inside.tolist(), outside.tolist(), strict=True):
            if local[net] == OPEN:
                local[net] = other
            elif local[net] != other:
                flat.equal.append((int(local[net]), other))
    new = np.flatnonzero(local == OPEN)
    local[new] = np.arange(flat.nets, flat.nets + len(new))
    flat.nets += len(new)
    return local


def _roots(flat: _Flat) -> Nets:
    """For every net the least net that is equal to it; so constants win."""
    parent: dict[int, int] = {}

    def find(net: int) -> int:
        while (above := parent.get(net, net)) != net:
            net = above
        return net

    for a, b in flat.equal:
        low, high = sorted((find(a), find(b)))
        if (low, high) == (ZERO, ONE):
            raise BadInput("The design joins a net that is constantly 0 with one that is constantly 1. A net may have one driver only.")
        if low != high:
            parent[high] = low
    root = np.arange(flat.nets, dtype=np.int32)
    for net in parent:
        root[net] = find(net)
    return root


def _live(count: int, nets_of: Mapping[str, Nets], outputs: Mapping[str, list[bool]], wanted: Nets) -> NDArray[np.bool_]:
    """Which nets matter to the `wanted` ones, through any number of cells: a walk from consequences to causes."""
    total, most = sum(len(nets) for nets in nets_of.values()), max((nets.shape[1] for nets in nets_of.values()), default=0)
    driver = np.full(count, -1, dtype=np.int32)
    causes = np.zeros((total, most), dtype=np.int32)  # the input nets of each cell; missing ones are the constant 0
    start = 0
    for kind, nets in nets_of.items():
        rows = np.arange(start, start + len(nets))
        drives = np.array(outputs[kind])
        for column in np.flatnonzero(drives):
            connected = nets[:, column] != OPEN
            driver[nets[connected, column]] = rows[connected]
        inputs = nets[:, ~drives]
        causes[rows, : inputs.shape[1]] = np.where(inputs == OPEN, ZERO, inputs)
        start += len(nets)
    live = np.zeros(count, dtype=np.bool_)
    front = wanted
    while len(front):
        live[front] = True
        cells = driver[front]
        front = np.unique(causes[np.unique(cells[cells >= 0])])
        front = front[~live[front]]
    return live
