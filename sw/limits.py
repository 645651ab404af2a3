"""What the instruction set can say of a tiling: the widths of the fields that legal sizes could exceed, and the reach of addresses.

All other fields are bounded by the configuration, by the mapping's other rules, or by these: strides and addresses lie inside the
memory that the layer takes, deltas wrap.
"""

from collections import Counter
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from gatewright.hw.instructions import ADDRESS_BITS, COUNT_BITS, LAYOUTS, LENGTH_BITS, Opcode

if TYPE_CHECKING:
    from gatewright.sw.mapping import Tiling

ADDRESSES = 1 << ADDRESS_BITS
COUNTS = 1 << COUNT_BITS
LONGEST_LOAD = (1 << LENGTH_BITS) - 1
Rows = tuple[int, int, int]


@dataclass(frozen=True)
class Axis:
    """The rows, or the columns, of a layer's input as its tiles take them."""

    tiles: int
    grid: int
    size: int  # output pixels of a grid row
    outputs: int
    window: int  # input pixels of a grid row
    pitch: int  # input pixels from one grid row's first to the next one's
    padding: int
    limit: int  # input pixels

    def used(self, i: int) -> int:
        """Grid rows that tile i has work for."""
        return min(self.grid, ceil((self.outputs - i * self.grid * self.size) / self.size))

    def length(self, i: int) -> int:
        """Input pixels of tile i with padding."""
        return (self.used(i) - 1) * self.pitch + self.window

    def inside(self, i: int) -> int:
        """Input pixels of tile i without padding."""
        start = i * self.grid * self.pitch - self.padding
        return max(0, min(start + self.length(i), self.limit) - max(0, start))

    @property
    def most_inside(self) -> int:
        """The greatest of all tiles: of the two around the image's first pixel, since all but the last are equally long, or of the last."""
        near, whole = self.padding // (self.grid * self.pitch), max(0, self.tiles - 2)
        return max(self.inside(i) for i in (min(near, whole), min(near + 1, whole), self.tiles - 1))


def axes(t: "Tiling") -> tuple[Axis, Axis]:
    """Rows and columns."""
    layer, m, step = t.layer, t.mapping, t.layer.pool_stride * t.layer.stride
    _, tiles_y, tiles_x, _ = t.tiles
    window_y, window_x = t.window
    return (
        Axis(tiles_y, m.grid_y, m.y, layer.out_h, window_y, m.y * step, layer.padding, layer.H),
        Axis(tiles_x, m.grid_x, m.x, layer.out_w, window_x, m.x * step, layer.padding, layer.W),
    )


def broken_limit(t: "Tiling") -> str | None:
    """Which limit of the instruction set a tiling exceeds, with its value. Its sizes must keep the mapping's other rules."""
    if t.longest_load > LONGEST_LOAD:
        return f"a load of {t.longest_load} words exceeds {LONGEST_LOAD}"
    rows, columns = axes(t)
    for name, axis in (("rows", rows), ("columns", columns)):
        if axis.window >= COUNTS:
            return f"a grid row's input window of {axis.window} {name} exceeds {COUNTS - 1}"
        if axis.length(0) > COUNTS:
            return f"a tile's input of {axis.length(0)} {name} exceeds {COUNTS}"
        if axis.most_inside >= COUNTS:
            return f"a tile's {axis.most_inside} {name} of the image exceed {COUNTS - 1}"
    if (words := columns.most_inside * t.words) > LONGEST_LOAD:
        return f"a row of {words} words in a tile's input exceeds {LONGEST_LOAD}"
    if (words := resident_pixel_words(t)) > COUNTS:
        return f"an output pixel's {words} words of resident channels exceed {COUNTS}"
    if (words := max(t.mapping.y * t.layer.out_w, t.mapping.x) * t.pixel_words) >= ADDRESSES:
        return f"a step of {words} words between the outputs of grid rows exceeds {ADDRESSES - 1}"
    if (words := memory_words(t)) >= ADDRESSES:
        return f"instructions, constants and feature maps of {words} memory words exceed {ADDRESSES - 1}"
    return None


def resident_pixel_words(t: "Tiling") -> int:
    """Memory words that one tile stores of one output pixel, at most."""
    channels = t.mapping.channels * t.config.cols
    values = channels * 4 if t.output is None else min(channels, t.layer.K)
    return ceil(values * t.output_width / t.config.operand_bits)


def map_words(t: "Tiling") -> int:
    """Memory words of the layer's input and output."""
    return t.images * (t.layer.H * t.layer.W * t.words * len(t.inputs) + t.layer.out_h * t.layer.out_w * t.pixel_words)


def memory_words(t: "Tiling") -> int:
    """External memory that the layer takes in any program: its instructions, weights, parameters, windows, input and output."""
    config, (*tiles, tiles_k) = t.config, t.tiles
    pixels, outside = prod(tiles), t.mapping.order == "pixels_outside"
    pixel_passes = tiles_k if pixels > 1 and not outside else 1
    channel_passes = pixels if tiles_k > 1 and outside else 1
    last_groups = t.channel_groups - (tiles_k - 1) * t.mapping.channels
    window_loads, window_words = windows(t, pixel_passes)
    number = {
        Opcode.LOAD_WINDOWS: window_loads,
        Opcode.LOAD_WEIGHTS: channel_passes * (tiles_k + (t.layer.K % config.cols > 0 and last_groups > 1)),
        Opcode.LOAD_PARAMETERS: channel_passes * tiles_k,
        Opcode.LOAD_ACTIVATIONS: pixel_passes * pixels * len(t.inputs),
        Opcode.COMPUTE: pixels * tiles_k,
        Opcode.STORE: pixels * tiles_k,
        Opcode.END: t.output is None,
    }
    instructions = sum(count * LAYOUTS[opcode].memory_words(config.operand_bits) for opcode, count in number.items())
    parameters = t.channel_groups * config.cols * (64 // config.operand_bits)
    return instructions + t.reduction * t.layer.K + parameters + window_words + map_words(t)


def windows(t: "Tiling", passes: int) -> tuple[int, int]:
    """How often the windows are loaded in so many passes over all pixels, and the words of all tables that differ.

    A table follows from the grid rows in use over images, rows and columns, which only an axis's last tile changes, and has an entry for
    each row in use before.
    """
    (tiles_n, tiles_y, tiles_x, _), (rows, columns) = t.tiles, axes(t)
    last_n, last_y, last_x = t.images - (tiles_n - 1) * t.mapping.grid_n, rows.used(tiles_y - 1), columns.used(tiles_x - 1)
    first_n, first_y, first_x = min(t.mapping.grid_n, t.images), rows.used(0), columns.used(0)
    first, last = (first_n, first_y, first_x), (last_n, last_y, last_x)
    steps = Counter[tuple[Rows, Rows]]({(last, first): passes - 1})
    for n, number_n in ((first_n, tiles_n - 1), (last_n, 1)):
        for y, number_y in ((first_y, tiles_y - 1), (last_y, 1)):
            for a, b, number in moves(tiles_x, first_x, last_x):
                steps[(n, y, a), (n, y, b)] += passes * number_n * number_y * number
        for a, b, number in moves(tiles_y, first_y, last_y):
            steps[(n, a, last_x), (n, b, first_x)] += passes * number_n * number
    for a, b, number in moves(tiles_n, first_n, last_n):
        steps[(a, last_y, last_x), (b, first_y, first_x)] += passes * number
    loads = {(a, b): number for (a, b), number in steps.items() if number and a != b}
    tables = {(first, prod(first))} | {(b, max(prod(a), prod(b))) for a, b in loads}
    return 1 + sum(loads.values()), sum(words for _, words in tables)


def moves(tiles: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """Grid rows in use before and after a step along an axis, and how many such steps there are."""
    return [(first, first, max(0, tiles - 2)), (first, last, min(1, tiles - 1))]
