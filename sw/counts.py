"""Exact counts of what a schedule makes every unit do, layer by layer; no tensors, no cycles stepped."""

from collections import Counter
from dataclasses import dataclass, fields
from math import prod

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import BLOCK_LEVELS, LEVELS, Opcode
from gatewright.sw.cycles import blocks, timing
from gatewright.sw.mapping import Tiling
from gatewright.sw.schedule import Instruction, Schedule


@dataclass(frozen=True)
class Counts:
    """Events of one layer (or of a program), over all images of the schedule.

    cycles: of the layer's time, see `layer_ends`. issues: cycles in which the grid took operands. products: useful multiplications.
    slots: multiplications the whole grid could have made in its issues. busy: cycles in which an element makes a useful product, summed
    over the elements. activation_reads, weight_reads: words read from each row's
    activation buffer, and from each column's weight buffer. activation_writes: words captured, summed over rows. beats: rows drained.
    output_writes: rows of columns written to the output buffer. parameter_reads. Words moved by the read channel for weights,
    parameters and windows (`linear_words`), images (`image_words`), padding made (`padding_words`), instructions
    (`instruction_words`), and by the write channel (`stored_words`).
    """

    cycles: int = 0
    issues: int = 0
    products: int = 0
    slots: int = 0
    busy: int = 0
    activation_reads: int = 0
    weight_reads: int = 0
    activation_writes: int = 0
    beats: int = 0
    output_writes: int = 0
    parameter_reads: int = 0
    linear_words: int = 0
    image_words: int = 0
    padding_words: int = 0
    instruction_words: int = 0
    stored_words: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


def count(schedule: Schedule) -> tuple[Counts, ...]:
    """Counts of every layer."""
    sums: list[Counter[str]] = [Counter() for _ in schedule.workload.layers]
    windows = 0
    for instruction in schedule.instructions:
        into = sums[instruction.layer]
        into["instruction_words"] += instruction.memory_words(schedule.config)
        if instruction.opcode == Opcode.LOAD_WINDOWS:
            windows = instruction.fields["length"]
        if instruction.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS, Opcode.LOAD_WINDOWS):
            into["linear_words"] += instruction.fields["length"]
        elif instruction.opcode == Opcode.LOAD_ACTIVATIONS:
            into.update(_image(instruction, windows))
        elif instruction.opcode == Opcode.COMPUTE:
            into.update(_compute(instruction, schedule.config))
        elif instruction.opcode == Opcode.STORE:
            into["stored_words"] += instruction.facts["words"]
    ends = layer_ends(schedule)
    starts = (0, *ends)
    for i, layer in enumerate(schedule.workload.layers):
        sums[i]["cycles"] = ends[i] - starts[i]
        sums[i]["products"] = layer.products * schedule.images
        sums[i]["slots"] = sums[i]["issues"] * schedule.config.rows * schedule.config.cols * schedule.config.lanes(layer.operator)
        sums[i]["slots"] //= layer.operator.steps
        sums[i]["busy"] = busy(schedule.tiling(i)) * schedule.images
    return tuple(Counts(**into) for into in sums)


def busy(tile: Tiling) -> int:
    """Operand pairs of one image that hold a useful product, times the steps of a stream."""
    layer = tile.layer
    words = np.sort((tile.lanes_of // tile.lanes).reshape(layer.groups, -1), axis=1)  # of all maps, of each group's channels
    pairs = (layer.groups + int((np.diff(words, axis=1) > 0).sum())) * (layer.K // layer.groups)
    return pairs * layer.R * layer.S * layer.out_h * layer.out_w * layer.pool_window**2 * layer.operator.steps


def utilisation(schedule: Schedule) -> tuple[float, ...]:
    """Of every layer, the part of all element cycles, waiting included, in which an element makes a useful product."""
    elements = schedule.config.rows * schedule.config.cols
    return tuple(counts.busy / (counts.cycles * elements) for counts in count(schedule))


def total(counts: tuple[Counts, ...]) -> Counts:
    return sum(counts[1:], counts[0])


def layer_ends(schedule: Schedule) -> tuple[int, ...]:
    """The cycle in which each layer's last result is stored; the last layer ends with the program."""
    times = timing(schedule)
    ends = [0] * len(schedule.workload.layers)
    for instruction, finished in zip(schedule.instructions, times.finished, strict=True):
        if instruction.opcode == Opcode.STORE:
            ends[instruction.layer] = finished
    return (*ends[:-1], times.cycles)


def _image(instruction: Instruction, windows: int) -> dict[str, int]:
    """Words a load moves and makes. A bank's window lies inside the tile, so each bank in use captures a whole window."""
    f = instruction.fields
    words, images = f["last_word"] + 1, f["last_n"] + 1
    moved = images * f["inside_y"] * f["row_words"]
    walked = images * (f["last_y"] + 1) * (f["last_x"] + 1) * words
    return {
        "image_words": moved,
        "padding_words": walked - moved,
        "activation_writes": instruction.facts["rows"] * f["window_y"] * f["window_x"] * words,
    }


def _compute(instruction: Instruction, config: AcceleratorConfig) -> dict[str, int]:
    f = instruction.fields
    number, cycles, beats = blocks(instruction)
    counts = [f[f"last{i}"] + 1 for i in range(LEVELS)]
    pooled = counts[BLOCK_LEVELS - 2] * counts[BLOCK_LEVELS - 1]
    return {
        "issues": number * cycles,
        "activation_reads": _reads(f, "activation", counts, config.activation_words),
        "weight_reads": _reads(f, "weight", counts, config.weight_words),
        "beats": number * beats,
        "output_writes": number * beats // pooled,
        "parameter_reads": number * counts[LEVELS - 1],
    }


def _reads(f: dict[str, int], buffer: str, counts: list[int], depth: int) -> int:
    """One read to begin with, and one at each increment of a loop that moves the address."""
    moves = (f[f"{buffer}_delta{level}"] % depth != 0 for level in range(LEVELS))
    return 1 + sum((counts[level] - 1) * prod(counts[:level]) for level, moved in enumerate(moves) if moved)
