"""How one layer is laid over the grid and cut into tiles: the `Mapping`, its rules, and the list of all that are legal."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise, product
from math import ceil, prod
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.layers import Context, Layer
from gatewright.sw.limits import COUNTS, broken_limit
from gatewright.sw.operators import arithmetic

Order = Literal["channels_outside", "pixels_outside"]
Inner = Literal["none", "x", "channels"]


class Mapping(Noun):
    """Where a layer's loops run.

    Grid rows are `grid_n` images x `grid_y` x `grid_x` rectangles of `y` x `x` output pixels (after pooling), walked in time; `channels`
    groups of `cols` output channels are resident at once. `order` is the order of the loops over tiles and inside a tile.
    `inner` names the loop inside the reduction, which needs an accumulator for each of its indices: it holds one operand still.
    """

    grid_n: int = Field(default=1, ge=1)
    grid_y: int = Field(default=1, ge=1)
    grid_x: int = Field(default=1, ge=1)
    y: int = Field(default=1, ge=1)
    x: int = Field(default=1, ge=1)
    channels: int = Field(default=1, ge=1)
    order: Order = "channels_outside"
    inner: Inner = "none"


@dataclass(frozen=True)
class Reach:
    """Words of a pixel that the columns read: the first one of each column group, how many, and the step between groups."""

    firsts: tuple[int, ...]
    words: int
    stride: int


@lru_cache(4096)
def _lanes_of(inputs: tuple[tuple[int, ...], ...], gather: tuple[int, ...], lanes: int) -> np.ndarray:
    """See `Tiling.lanes_of`."""
    places: list[np.ndarray] = []
    word = 0
    for channels in (part for parts in inputs for part in parts):
        places.append(word * lanes + np.arange(channels))
        word += ceil(channels / lanes)
    every = np.concatenate(places)
    found = every[list(gather)] if gather else every
    found.flags.writeable = False
    return found


@lru_cache(4096)
def _spans(
    inputs: tuple[tuple[int, ...], ...], gather: tuple[int, ...], lanes: int, outputs: int, groups: int, cols: int
) -> tuple[tuple[int, ...], int]:
    """Of each column group the first word of a pixel that its columns need; and how many words the one that needs most spans."""
    words_in_map = sum(ceil(channels / lanes) for channels in inputs[0])
    words = (_lanes_of(inputs, gather, lanes) // lanes % words_in_map).reshape(groups, -1)
    least, most = words.min(axis=1), words.max(axis=1)  # of each group of channels
    group = np.arange(outputs) // (outputs // groups)
    starts = range(0, outputs, cols)
    firsts = tuple(int(least[group[k : k + cols]].min()) for k in starts)
    ends = (int(most[group[k : k + cols]].max()) + 1 for k in starts)
    return firsts, max(end - first for first, end in zip(firsts, ends, strict=True))


@dataclass(frozen=True)
class Tiling:
    """The numbers that follow from a layer, its place in the network, a configuration and a mapping."""

    layer: Layer
    config: AcceleratorConfig
    mapping: Mapping
    images: int
    context: Context

    @property
    def output(self) -> Operator | None:
        """The operator that reads the results; None for the last layer, whose results are raw."""
        return self.context.output

    @cached_property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """Of each map the layer reads the channels of each of its parts, which begin with a word."""
        return self.context.inputs or ((self.layer.C,),)

    @cached_property
    def lanes(self) -> int:
        return self.config.lanes(self.layer.operator)

    @cached_property
    def words(self) -> int:
        """Activation words of a pixel of each map read."""
        return sum(ceil(channels / self.lanes) for channels in self.inputs[0])

    @property
    def block(self) -> int:
        """Activation words of a grid row's window of each map read: where in the buffer the next one's begins."""
        return self.window[0] * self.window[1] * self.words

    @property
    def kernel_rows(self) -> int:
        """Rows of the kernel; where several maps are read, each stands for a row of a kernel of one column."""
        return len(self.inputs) if len(self.inputs) > 1 else self.layer.R

    @property
    def lanes_of(self) -> np.ndarray:
        """Of each input channel the lane it lies in, counted over all words of a pixel and from map to map, int64 [C]."""
        return _lanes_of(self.inputs, self.layer.gather, self.lanes)

    @property
    def channel_groups(self) -> int:
        return ceil(self.layer.K / self.config.cols)

    @cached_property
    def reach(self) -> "Reach":
        """The words a column group reads of each pixel of each map: those from its columns' first channel to their last.

        Several resident column groups are walked by a loop of one stride; where their words do not lie so, all words are read.
        """
        layer = self.layer
        firsts, most = _spans(self.inputs, layer.gather, self.lanes, layer.K, layer.groups, self.config.cols)
        strides = {b - a for a, b in pairwise(firsts)}
        if self.mapping.channels == 1 or len(strides) <= 1:
            return Reach(firsts, most, strides.pop() if len(strides) == 1 else 0)
        return Reach((0,) * len(firsts), self.words, 0)

    @property
    def reduction(self) -> int:
        """Operand pairs of one sum."""
        return self.kernel_rows * self.layer.S * self.reach.words

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of input pixels one grid row needs."""
        layer, m = self.layer, self.mapping
        rows, cols = (((n - 1) * layer.pool_stride + layer.pool_window - 1) * layer.stride for n in (m.y, m.x))
        return rows + layer.R, cols + layer.S

    @property
    def window_words(self) -> int:
        """Activation words a grid row's buffer holds."""
        return len(self.inputs) * self.block

    @property
    def weight_rows(self) -> int:
        """Weight buffer addresses of one resident set of channels."""
        return self.mapping.channels * self.reduction

    @property
    def longest_load(self) -> int:
        """Memory words of the longest linear load: parameters, or weights of a resident set of channels, a ragged last group apart."""
        cols, groups, ragged = self.config.cols, self.mapping.channels, self.layer.K % self.config.cols
        columns = max((groups - 1) * cols, ragged) if ragged and groups == self.channel_groups else groups * cols
        return max(self.reduction * columns, groups * cols * 64 // self.config.operand_bits)

    @property
    def output_width(self) -> int:
        """Bits of a stored result; a raw result is four bytes."""
        return 8 if self.output is None else self.output.activation_width

    @property
    def group_span(self) -> int:
        """Groups of `cols` bits that one group of channels takes in the output buffer."""
        return 32 if self.output is None else self.output_width

    @property
    def pixel_rows(self) -> int:
        """Output buffer rows of one pixel's resident channels."""
        return ceil(self.mapping.channels * self.group_span * self.config.cols / self.config.output_bits)

    @property
    def output_rows(self) -> int:
        m = self.mapping
        return m.grid_n * m.grid_y * m.grid_x * m.y * m.x * self.pixel_rows

    def stored_words(self, channels: int) -> int:
        """Memory words of so many channels of one output pixel."""
        return ceil(channels * self.output_width / self.config.operand_bits)

    @property
    def own_words(self) -> int:
        """Memory words of the layer's channels of one output pixel."""
        return self.stored_words(self.channel_groups * self.config.cols * 4 if self.output is None else self.layer.K)

    @property
    def words_before(self) -> int:
        """Memory words of an output pixel that other layers write before the layer's."""
        return sum(self.stored_words(channels) for channels in self.context.before)

    @property
    def pixel_words(self) -> int:
        """Memory words of one output pixel, with the channels of all layers that write into the map."""
        return self.words_before + self.own_words + sum(self.stored_words(channels) for channels in self.context.after)

    @property
    def accumulators(self) -> int:
        """Sums of a block."""
        return {"none": 1, "x": self.mapping.x, "channels": self.mapping.channels}[self.mapping.inner]

    @property
    def tiles(self) -> tuple[int, int, int, int]:
        """Tiles over images, output rows, output columns, channels."""
        m = self.mapping
        return (
            ceil(self.images / m.grid_n),
            ceil(self.layer.out_h / (m.grid_y * m.y)),
            ceil(self.layer.out_w / (m.grid_x * m.x)),
            ceil(self.channel_groups / m.channels),
        )

    def broken_rule(self) -> str | None:
        """Which rule this mapping breaks, with its values; None if it is legal."""
        return self.mapping_rule() or self.layer_rule()

    def mapping_rule(self) -> str | None:
        """Which rule the mapping's sizes break."""
        c, m = self.config, self.mapping
        rows = m.grid_n * m.grid_y * m.grid_x
        checks = [
            (rows <= c.rows, f"grid_n * grid_y * grid_x = {rows} exceeds the grid's {c.rows} rows"),
            (
                self.window_words <= c.activation_words,
                f"a row's input window of {self.window_words} words exceeds activation_words {c.activation_words}",
            ),
            (self.weight_rows <= c.weight_words, f"{self.weight_rows} weight words a column exceed weight_words {c.weight_words}"),
            (m.channels <= c.parameter_words // 2, f"{m.channels} channel groups exceed half of parameter_words {c.parameter_words}"),
            (
                self.output_rows <= c.output_words // 2,
                f"a tile's {self.output_rows} output rows exceed half of output_words {c.output_words}",
            ),
            (
                self.accumulators <= c.block_capacity,
                f"a block of {self.accumulators} sums exceeds half of accumulator_depth {c.accumulator_depth}",
            ),
            (self.layer.pooling is None or m.inner == "none", "a layer with pooling needs inner = 'none'"),
            (m.channels <= self.channel_groups, f"{m.channels} resident channel groups exceed the layer's {self.channel_groups}"),
            (self.output_alignment, "a resident set of channels must fill whole memory words of the output"),
        ]
        return next((message for legal, message in checks if not legal), None) or broken_limit(self)

    def layer_rule(self) -> str | None:
        """Which rule the layer itself breaks on this configuration, whatever its mapping."""
        c = self.config
        kind = arithmetic(self.layer.operator)
        silent = kind.table[:, kind.unused_weight_bits]  # what a lane of another group adds
        unread = self.layer.groups == 1 and len({*self.layer.gather}) < sum(map(sum, self.inputs)) and bool(self.layer.gather)
        in_order = not self.layer.gather and all(len(parts) == 1 for parts in self.inputs)
        checks = [
            (
                len(self.inputs) == 1 or self.layer.R == self.layer.S == 1,
                f"a layer that reads {len(self.inputs)} maps must have a 1 x 1 kernel; got {self.layer.R} x {self.layer.S}",
            ),
            (
                len({sum(ceil(n / self.lanes) for n in parts) for parts in self.inputs}) == 1,
                f"maps read side by side must have equally many words a pixel; got maps of {self.inputs} channels",
            ),
            (
                all(len({*group}) == len(group) for group in self.lanes_of.reshape(self.layer.groups, -1).tolist()),
                "gather names a channel twice for one sum, and a channel has one lane",
            ),
            (
                kind.lane_period == kind.joined_lanes == 1 or in_order,
                f"lanes of {self.layer.operator.name} differ, so it reads the channels of a map in order and all of them",
            ),
            (
                not unread or not silent.any(),
                f"unread channels need an operator with a weight that adds nothing to any activation; {self.layer.operator.name} has none",
            ),
            (self.words <= COUNTS, f"a pixel's {self.words} words exceed {COUNTS}"),
            (
                self.layer.groups == 1 or not silent.any(),
                f"groups need an operator with a weight that adds nothing to any activation, and {self.layer.operator.name} has none",
            ),
            (self.layer.pooling is None or c.pooling, "the layer pools, but the accelerator has pooling = false"),
            (self.layer.pooling is None or self.output is not None, "the last layer's raw results cannot be pooled"),
        ]
        return next((message for legal, message in checks if not legal), None)

    @property
    def least_words(self) -> dict[str, int]:
        """The sizes of buffers below which `mapping_rule` is broken; a power of two that is no less keeps it."""
        return {
            "activation_words": self.window_words,
            "weight_words": self.weight_rows,
            "output_words": 2 * self.output_rows,
            "parameter_words": 2 * self.mapping.channels,
        }

    @property
    def output_alignment(self) -> bool:
        m = self.mapping
        return m.channels >= self.channel_groups or m.channels * self.group_span * self.config.cols % self.config.operand_bits == 0

    def check(self) -> "Tiling":
        rule = self.broken_rule()
        if rule:
            raise BadInput(f"Layer {self.layer.name} cannot be mapped so: {rule}. Choose another mapping or a larger accelerator.")
        return self


def mappings(layer: Layer, config: AcceleratorConfig, images: int, context: Context) -> Iterator[Mapping]:
    """Every legal mapping whose spatial split fits and whose tiles are not larger than the layer, in a fixed order."""
    groups = ceil(layer.K / config.cols)
    if Tiling(layer, config, Mapping(), images, context).layer_rule():
        return
    for grid_n in range(1, min(images, config.rows) + 1):
        for grid_y in range(1, min(layer.out_h, config.rows // grid_n) + 1):
            for grid_x in range(1, min(layer.out_w, config.rows // (grid_n * grid_y)) + 1):
                for y in tile_sizes(layer.out_h, grid_y):
                    for x in tile_sizes(layer.out_w, grid_x):
                        for channels in channel_choices(groups):
                            inners: list[Inner] = ["none"]
                            if layer.pooling is None:
                                inners += [i for i, n in (("x", x), ("channels", channels)) if 1 < n <= config.block_capacity]  # type: ignore[misc]
                            for inner in inners:
                                orders: tuple[Order, ...] = ("channels_outside", "pixels_outside")
                                single = inner == "channels" and channels == groups
                                for order in orders[: 1 if groups == 1 or single else 2]:
                                    mapping = Mapping(
                                        grid_n=grid_n, grid_y=grid_y, grid_x=grid_x, y=y, x=x, channels=channels, order=order, inner=inner
                                    )
                                    if Tiling(layer, config, mapping, images, context).mapping_rule() is None:
                                        yield mapping


def tile_sizes(extent: int, grid: int) -> list[int]:
    """Pixels of a grid row in time: for each number of tiles, the least that covers the extent."""
    return sorted({ceil(extent / (grid * tiles)) for tiles in range(1, ceil(extent / grid) + 1)}, reverse=True)


def channel_choices(groups: int) -> list[int]:
    """Resident column groups: for each number of tiles, the least that covers all groups."""
    return sorted({ceil(groups / n) for n in range(1, groups + 1)}, reverse=True)


def no_mapping(layer: Layer, config: AcceleratorConfig, images: int, context: Context) -> str:
    """Why a layer has no mapping, and the keys to raise: the fewest, then the least growth, that make a tile of one pixel legal."""
    failures: list[str] = []
    cures: list[tuple[int, float, str]] = []
    for channels, order in product(reversed(channel_choices(ceil(layer.K / config.cols))), get_args(Order)):
        tile = Tiling(layer, config, Mapping(channels=channels, order=order), images, context)
        rule = tile.broken_rule()
        if rule is None or not tile.output_alignment:  # which no key cures; all channels together are aligned
            continue
        keys = too_small(tile)
        try:
            failure = replace(tile, config=config.replace(**keys)).broken_rule()
        except BadInput:  # an accelerator may not have so much
            failure = rule
        if failure:
            failures.append(f"one pixel, {failure}. No allowed buffer size helps: change the layer, its operator or the grid.")
            continue
        pixel = "one pixel" if channels == 1 else f"one pixel with {channels} resident channel groups"
        raised = " and ".join(f"set {key} = true" if value is True else f"raise {key} to {value}" for key, value in keys.items())
        growth = prod(value / max(1, getattr(config, key)) for key, value in keys.items())
        cures.append((len(keys), growth, f"{pixel}, {rule}. {raised.capitalize()}, or choose a smaller layer."))
    why = min(cures)[2] if cures else failures[0]
    return f"no mapping on a grid of {config.rows} x {config.cols} with {config.operand_bits}-bit operands, since even for {why}"


def too_small(tile: Tiling) -> dict[str, int]:
    """The configuration's keys that a tile exceeds, each with the least value that would do."""
    needs = {
        "activation_words": tile.window_words,
        "weight_words": tile.weight_rows,
        "parameter_words": 2 * tile.mapping.channels,
        "output_words": 2 * tile.output_rows,
    }
    keys = {key: 1 << (words - 1).bit_length() for key, words in needs.items() if words > getattr(tile.config, key)}
    return keys if tile.layer.pooling is None or tile.config.pooling else keys | {"pooling": True}
