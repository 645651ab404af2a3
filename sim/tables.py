"""A netlist as the tables the compiled simulator reads (struct Tables of gates.hpp)."""

import ctypes
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.kernels import FlipFlop, Gate, Kernel, Kernels
from gatewright.sim.levels import Batch, levels, schedule
from gatewright.sim.netlist import ONE, OPEN, ZERO, Cells, Netlist, Nets


class _CMemory(ctypes.Structure):
    _fields_ = [
        ("depth", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("read_address_bits", ctypes.c_int32),
        ("write_address_bits", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("read_enable", "read_address", "read_data", "write_enable", "write_address", "write_data")),
    ]


class CTables(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("slots", "counted", "streams", "ports", "memories", "begin_runs", "cell_runs", "end_runs")),
        *((name, ctypes.c_void_p) for name in ("begin", "cells", "end", "index", "port_first", "port_slots", "memory")),
    ]


@dataclass(frozen=True, eq=False)
class Tables:
    """`c` points into `arrays`, which must live as long as it; `slot_of_net` says where a net is kept."""

    c: CTables
    slot_of_net: Nets
    arrays: Sequence[Any]


def tables(netlist: Netlist, kernels: Kernels, streams: int) -> Tables:
    """Order the cells and lay out nets in the order they are computed. Slots beyond the nets: one for open pins, then the states."""
    merged: dict[str, dict[int, list[tuple[Nets, Nets]]]] = {phase: defaultdict(list) for phase in ("begin", "cells", "end")}
    state = netlist.nets + 1  # net numbers from here on stand for states; netlist.nets itself for open outputs
    for kind, cells in netlist.cells.items():
        model = kernels.cells.get(kind)
        if isinstance(model, Gate):
            merged["cells"][model.kernel.number].append(_pins(cells, model.kernel, netlist.nets))
        elif isinstance(model, FlipFlop):
            _check(netlist, kind, cells, model)
            states = {model.state: np.arange(state, state + len(cells), dtype=np.int32)}
            state += len(cells)
            merged["begin"][model.present.number].append(_pins(cells, model.present, netlist.nets, states))
            merged["end"][model.advance.number].append(_pins(cells, model.advance, netlist.nets, states))
        else:
            raise BadInput(
                f"{netlist.name}: cell {kind} cannot be simulated; the library gives it no function, or it is a latch, a tristate "
                "or a falling-edge cell. Use a library whose cells have functions."
            )
    runs, parts, length = {}, [], 0
    for phase, by_kernel in merged.items():
        batches = [Batch(number, *(np.concatenate(side) for side in zip(*pairs, strict=True))) for number, pairs in by_kernel.items()]
        level = levels(batches, state) if phase == "cells" else np.zeros(sum(len(batch.inputs) for batch in batches), np.int32)
        runs[phase], table = schedule(batches, level, length)
        parts.append(table)
        length += len(table)
    nets_of_index = np.concatenate(parts).astype(np.int32)
    slot = _slots(netlist, state, nets_of_index)
    index = slot[nets_of_index]

    port_nets = [*netlist.inputs.values(), *netlist.outputs.values()]
    first = np.concatenate([[0], np.cumsum([len(nets) for nets in port_nets])]).astype(np.int32)
    port_slots = slot[np.concatenate(port_nets)].astype(np.int32)
    memories = (_CMemory * max(1, len(netlist.memories)))()
    kept: list[Any] = [index, first, port_slots, memories, *runs.values()]
    for c, memory in zip(memories, netlist.memories, strict=False):
        c.depth, c.width = memory.depth, memory.width
        c.read_address_bits, c.write_address_bits = len(memory.read_address), len(memory.write_address)
        for name in ("read_enable", "read_address", "read_data", "write_enable", "write_address", "write_data"):
            kept.append(slot[getattr(memory, name)])
            setattr(c, name, kept[-1].ctypes.data)
    c = CTables(slots=state, counted=netlist.nets, streams=streams, ports=len(port_nets), memories=len(netlist.memories))
    c.begin_runs, c.cell_runs, c.end_runs = (len(runs[phase]) for phase in ("begin", "cells", "end"))
    c.begin, c.cells, c.end = (runs[phase].ctypes.data for phase in ("begin", "cells", "end"))
    c.index, c.port_first, c.port_slots, c.memory = index.ctypes.data, first.ctypes.data, port_slots.ctypes.data, ctypes.addressof(memories)
    return Tables(c, slot[: netlist.nets], kept)


def _pins(cells: Cells, kernel: Kernel, spare: int, states: dict[str, Nets] | None = None) -> tuple[Nets, Nets]:
    """Nets on a kernel's inputs and outputs, for every cell; open inputs read the constant 0, open outputs go to net `spare`."""

    def column(pin: str, open_net: int) -> Nets:
        nets = states[pin] if states and pin in states else cells.pin(pin)
        return np.where(nets == OPEN, np.int32(open_net), nets)

    shape = (len(cells), -1)
    inputs = [column(pin, ZERO) for pin in kernel.inputs]
    outputs = [column(pin, spare) for pin in kernel.outputs]
    return (np.stack(inputs, axis=1) if inputs else np.zeros((len(cells), 0), np.int32)), np.stack(outputs, axis=1).reshape(shape)


def _check(netlist: Netlist, kind: str, cells: Cells, model: FlipFlop) -> None:
    if (cells.pin(model.clock) != netlist.clock).any():
        raise BadInput(f"{netlist.name}: every {kind} must be clocked by the input clock; gated and derived clocks are not simulated.")
    for pin, constant in model.idle.items():
        if (cells.pin(pin) != (ONE if constant else ZERO)).any():
            raise BadInput(f"{netlist.name}: pin {pin} of every {kind} must be tied to {constant}; only synchronous resets are simulated.")


def _slots(netlist: Netlist, count: int, used: Nets) -> NDArray[np.int32]:
    """Nets in order of first use in the tables, constants first; the spare and the states keep their places at the end."""
    first = np.full(count, len(used), dtype=np.int64)
    nets, where = np.unique(used, return_index=True)
    first[nets] = where
    first[[ZERO, ONE]] = -2, -1
    slot = np.arange(count, dtype=np.int32)
    slot[np.argsort(first[: netlist.nets], kind="stable")] = np.arange(netlist.nets, dtype=np.int32)
    return slot
