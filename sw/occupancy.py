"""What a program's cycles and its external words are for, layer by layer: exact, from the schedule alone, no cycle stepped."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.instructions import Opcode
from gatewright.sw.counts import count, layer_ends, utilisation
from gatewright.sw.cycles import load_cycles, timing
from gatewright.sw.layers import Layer
from gatewright.sw.schedule import Schedule

Span = tuple[int, int]  # cycles after the first number, up to and with the second


@dataclass(frozen=True)
class Occupancy:
    """The cycles of one layer, each counted once: `cycles` is the sum of the five that follow it.

    issuing: the grid takes operands. filling: a COMPUTE runs and the grid waits, for its first operands or for accumulators to drain.
    loading: no COMPUTE runs, and weights, parameters, windows or images are loaded. storing: neither, and results are stored.
    control: none of these; instructions are read. Beside them, `hidden`: cycles of loading while a COMPUTE runs. `utilisation` is of
    the elements, see `gatewright.sw.counts.utilisation`.
    """

    cycles: int
    issuing: int
    filling: int
    loading: int
    storing: int
    control: int
    hidden: int
    utilisation: float


@dataclass(frozen=True)
class Traffic:
    """Words that a layer moves from and to external memory: all of them, and what no schedule could leave out.

    `inputs`: every word of the input that a kernel touches, once; `constants`: weights and parameters once; `outputs`: results once.
    """

    moved: int
    inputs: int
    constants: int
    outputs: int

    @property
    def compulsory(self) -> int:
        return self.inputs + self.constants + self.outputs


def occupancy(schedule: Schedule) -> tuple[Occupancy, ...]:
    """Where the cycles of every layer go."""
    times, ends = timing(schedule), layer_ends(schedule)
    spans: dict[str, list[Span]] = {"compute": [], "load": [], "store": []}
    for instruction, dispatched, finished in zip(schedule.instructions, times.dispatched, times.finished, strict=True):
        if instruction.opcode == Opcode.COMPUTE:
            spans["compute"].append((dispatched, finished))
        elif instruction.opcode == Opcode.STORE:
            words = instruction.facts["words"]
            spans["store"].append((finished - 3 - (words - 1) * schedule.config.memory_interval, finished))
        elif instruction.opcode != Opcode.END:
            spans["load"].append((finished - load_cycles(instruction, schedule.config), finished))
    edges = np.unique([0, *ends, *(edge for some in spans.values() for span in some for edge in span)])
    lengths, layer = np.diff(edges), np.searchsorted(ends, edges[1:])
    busy = {name: _busy(edges, some) for name, some in spans.items()}

    def cycles(where: NDArray[np.bool_]) -> list[int]:
        return [int(n) for n in np.bincount(layer[where], lengths[where], minlength=len(ends))]

    computing, hidden = cycles(busy["compute"]), cycles(busy["compute"] & busy["load"])
    loading = cycles(busy["load"] & ~busy["compute"])
    storing = cycles(busy["store"] & ~busy["load"] & ~busy["compute"])
    return tuple(
        Occupancy(n.cycles, n.issues, grid - n.issues, load, store, n.cycles - grid - load - store, behind, used)
        for n, grid, load, store, behind, used in zip(
            count(schedule), computing, loading, storing, hidden, utilisation(schedule), strict=True
        )
    )


def _busy(edges: NDArray[np.int64], spans: Iterable[Span]) -> NDArray[np.bool_]:
    """Between which neighbouring edges one of the spans lies."""
    change = np.zeros(len(edges), dtype=np.int64)
    for start, end in spans:
        change[np.searchsorted(edges, start)] += 1
        change[np.searchsorted(edges, end)] -= 1
    return np.cumsum(change)[:-1] > 0


def traffic(schedule: Schedule) -> tuple[Traffic, ...]:
    """External words of every layer, over all images of the schedule."""
    result = []
    for i, (layer, n) in enumerate(zip(schedule.workload.layers, count(schedule), strict=True)):
        rows, columns = _touched(layer, layer.H, layer.R, layer.out_h), _touched(layer, layer.W, layer.S, layer.out_w)
        constants = sum(block.region.words for block in schedule.blocks if block.layer == i and block.kind != "windows")
        moved = n.instruction_words + n.linear_words + n.image_words + n.stored_words
        tile = schedule.tiling(i)
        inputs = rows * columns * tile.words * len(tile.inputs) * schedule.images
        result.append(Traffic(moved, inputs, constants, layer.out_h * layer.out_w * tile.own_words * schedule.images))
    return tuple(result)


def _touched(layer: Layer, size: int, kernel: int, outputs: int) -> int:
    """Lines of the input, along one axis, that some output needs."""
    window, step = (layer.pool_window, layer.pool_stride) if layer.pooling else (1, 1)
    convolved = {out * step + j for out in range(outputs) for j in range(window)}
    return len({y for o in convolved for r in range(kernel) if 0 <= (y := o * layer.stride - layer.padding + r) < size})
