"""Which products a layer's instructions make, by walking every address: the buffers hold names in place of numbers.

Loads fill the buffers as hw/fetch.py does, a COMPUTE adds its deltas to its addresses as hw/loop_nest.py does, results land where its
strides say, and a STORE takes them to memory. No count and no closed form of the mapper is used. Weights that add nothing, in lanes of
other groups, make no product.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from gatewright.hw.instructions import BLOCK_LEVELS, BUFFER_BITS, LEVELS, Opcode
from gatewright.sw.schedule import Instruction, Schedule

Place = tuple[int, ...]
# A product: image, output row and column, channel; row and column of the pooling window, kernel row and column, word of all maps.
Product = tuple[int, int, int, int, int, int, int, int, int]


@dataclass
class Walk:
    """A schedule's first layer, walked. `made`: how often each product went into a stored result. `read`: words of memory, by address."""

    schedule: Schedule
    made: Counter[Product] = field(default_factory=Counter)
    read: Counter[int] = field(default_factory=Counter)
    written: Counter[Place] = field(default_factory=Counter)
    weights: dict[int, list[Place]] = field(default_factory=dict)  # address: (channel group, kernel row, kernel column, word)
    windows: dict[int, Place] = field(default_factory=dict)  # grid row: image, row and column of the tile where its window starts
    activations: list[dict[int, Place]] = field(default_factory=list)  # of each grid row: address: (image, row, column, word of all maps)

    loads: int = 0

    def run(self) -> "Walk":
        """Instructions in order; stores take results at once, since the next tile uses the other half of the buffer."""
        self.activations = [{} for _ in range(self.schedule.config.rows)]
        computed: list[tuple[Instruction, dict[tuple[int, int], list[Product]]]] = []
        for instruction in self.schedule.instructions:
            if instruction.layer:
                continue
            match instruction.opcode:
                case Opcode.LOAD_WEIGHTS:
                    self.load_weights(instruction.fields)
                case Opcode.LOAD_WINDOWS:
                    self.load_windows(instruction.fields)
                case Opcode.LOAD_ACTIVATIONS:
                    self.load_activations(instruction.fields)
                case Opcode.COMPUTE:
                    computed.append((instruction, self.compute(instruction.fields)))
                case Opcode.STORE:
                    self.store(instruction.fields, *computed.pop(0))
        assert not computed
        return self

    def load_weights(self, f: dict[str, int]) -> None:
        """A block's words lie as sw/program.py packs them: channel group, kernel row, kernel column, word, column of the grid."""
        layer, t = self.schedule.workload.layers[0], self.schedule.tiling(0)
        block = next(b for b in self.schedule.blocks if b.region.address == f["address"] and b.kind == "weights")
        assert f["length"] == block.region.words
        columns, words, rows = f["last_bank"] + 1, t.reach.words, max(layer.R, len(t.inputs))
        for i in range(f["length"] // columns):
            group, pair = divmod(i, rows * layer.S * words)
            r, rest = divmod(pair, layer.S * words)
            self.weights[(f["base"] + i) % self.schedule.config.weight_words] = [
                (block.first + group, r, *divmod(rest, words), column) for column in range(columns)
            ]
        self.read.update(range(f["address"], f["address"] + f["length"]))

    def load_windows(self, f: dict[str, int]) -> None:
        block = next(b for b in self.schedule.blocks if b.region.address == f["address"] and b.kind == "windows")
        self.windows.update(dict(enumerate(block.table)))

    def load_activations(self, f: dict[str, int]) -> None:
        layer, depth = self.schedule.workload.layers[0], self.schedule.config.activation_words
        words = f["last_word"] + 1
        sources = self.schedule.workload.sources(0)
        number, self.loads = self.loads % len(sources), self.loads + 1  # a tile loads all maps, one after the other
        start = f["address"] - self.schedule.maps[sources[number]].address
        image, rest = divmod(start, f["n_stride"])
        top, left = rest // f["y_stride"] - f["top"], rest % f["y_stride"] // words - f["left"]
        for n, y, x in product(range(f["last_n"] + 1), range(f["last_y"] + 1), range(f["last_x"] + 1)):
            inside = 0 <= y - f["top"] < f["inside_y"] and 0 <= x - f["left"] < f["inside_x"]
            assert inside == (0 <= top + y < layer.H and 0 <= left + x < layer.W)
            if inside:
                first = f["address"] + n * f["n_stride"] + (y - f["top"]) * f["y_stride"] + (x - f["left"]) * words
                self.read.update(range(first, first + words))
            for row, (wn, wy, wx) in self.windows.items():
                if n == wn and 0 <= y - wy < f["window_y"] and 0 <= x - wx < f["window_x"]:
                    place = f["base"] + ((y - wy) * f["window_x"] + x - wx) * words
                    for word in range(words):
                        self.activations[row][(place + word) % depth] = (image + n, top + y, left + x, number * words + word)

    def compute(self, f: dict[str, int]) -> dict[tuple[int, int], list[Product]]:
        """What is summed for each grid row and each place (in groups of `cols` bits) of the output buffer."""
        config, t, limit = self.schedule.config, self.schedule.tiling(0), 1 << BUFFER_BITS
        maps = len(self.schedule.workload.sources(0))
        counts = [f[f"last{level}"] + 1 for level in range(LEVELS)]
        sums: dict[tuple[int, int], list[Product]] = {}
        at = {"activation": f["activation_base"], "weight": f["weight_base"], "output": f["output_base"]}
        before = [0] * LEVELS
        for index in product(*map(range, counts)):
            moved = next((level for level in range(LEVELS) if index[level] != before[level]), None)
            if moved is not None:
                for name in ("activation", "weight"):
                    at[name] = (at[name] + f[f"{name}_delta{moved}"]) % limit
                if moved < BLOCK_LEVELS:
                    at["output"] = (at["output"] + f[f"output_delta{moved}"]) % limit
            before = list(index)
            place = at["output"] + index[-1] * f["output_stride_a"]
            for row in range(f["last_row"] + 1):
                held = at["activation"] % config.activation_words
                summed = sums.setdefault((row, (place + row * f["output_stride_row"]) % limit), [])
                for group, r, s, w, column in self.weights[at["weight"] % config.weight_words]:
                    source, kernel_row = (r, 0) if maps > 1 else (0, r)
                    channel, word = group * config.cols + column, source * t.words + t.reach.firsts[group] + w
                    if word not in words_of(self.schedule, channel):
                        continue  # unread lanes, or of other groups: weights that add nothing to whatever lies there
                    n, y, x, found = self.activations[row][held]
                    assert found == word
                    summed.append((n, channel, y, x, kernel_row, s, word, *index[3:5]))
        return sums

    def store(self, f: dict[str, int], instruction: Instruction, sums: dict[tuple[int, int], list[Any]]) -> None:
        """Results of a tile to their pixels; which results these are follows from where they lie."""
        layer, t = self.schedule.workload.layers[0], self.schedule.tiling(0)
        per_row = self.schedule.config.output_bits // self.schedule.config.cols
        start = self.schedule.maps[self.schedule.workload.target(0)].address
        names = ("n", "tile_y", "tile_x", "y", "x")
        rows_yx = (f["last_tile_y"] + 1) * (f["last_tile_x"] + 1)
        for n, ty, tx, y, x in product(*(range(f[f"last_{name}"] + 1) for name in names)):
            row = n * rows_yx + ty * (f["last_tile_x"] + 1) + tx
            tile_y, tile_x = ty * (f["last_y"] + 1) + y, tx * (f["last_x"] + 1) + x
            lies = (f["base"] + row * f["buffer_row"] + y * f["buffer_y"] + x * f["buffer_x"]) * per_row
            if tile_y > f["end_y"] or tile_x > f["end_x"]:
                continue
            address = f["address"] - start + sum(i * f[f"address_{name}"] for i, name in zip((n, ty, tx, y, x), names, strict=True))
            pixel, word = divmod(address, t.pixel_words)
            image, rest = divmod(pixel, layer.out_h * layer.out_w)
            out_y, out_x = divmod(rest, layer.out_w)
            self.written.update((image, out_y, out_x, word + i) for i in range(f["last_word"] + 1))
            for group in range(instruction.facts["groups"]):
                place = (lies + group * t.group_span) % (1 << BUFFER_BITS)
                for n_in, k, in_y, in_x, r, s, c, pool_y, pool_x in sums[(row, place)]:
                    assert n_in == image
                    corner = [o * layer.pool_stride + p for o, p in ((out_y, pool_y), (out_x, pool_x))]
                    assert (in_y, in_x) == tuple(o * layer.stride + i - layer.padding for o, i in zip(corner, (r, s), strict=True))
                    self.made[(image, out_y, out_x, k, pool_y, pool_x, r, s, c)] += 1


def words_of(schedule: Schedule, channel: int) -> set[int]:
    """Words of a pixel, counted over all maps, that hold an input of an output channel."""
    layer, lanes = schedule.workload.layers[0], schedule.config.lanes(schedule.workload.layers[0].operator)
    words: list[int] = []
    start = 0
    for parts in schedule.tiling(0).inputs:
        for channels in parts:
            words += [start + c // lanes for c in range(channels)]
            start = words[-1] + 1
    first = channel // (layer.K // layer.groups) * layer.group_channels
    mine = range(first, first + layer.group_channels)
    return {words[layer.gather[c] if layer.gather else c] for c in mine}


def complaint(schedule: Schedule) -> str | None:
    """Whether a schedule's first layer makes every product once, no other, and writes every word of its results once."""
    layer, t, images = schedule.workload.layers[0], schedule.tiling(0), schedule.images
    try:
        walk = Walk(schedule).run()
    except (AssertionError, KeyError, ValueError) as error:
        return f"an address is wrong: {type(error).__name__} {error}"
    pixels = list(product(range(images), range(layer.out_h), range(layer.out_w)))
    window = list(product(range(layer.pool_window), range(layer.pool_window), range(layer.R), range(layer.S)))
    wanted = Counter(
        (*pixel, k, *place, word) for pixel in pixels for k in range(layer.K) for place in window for word in words_of(schedule, k)
    )
    if walk.made != wanted:
        return f"{len(wanted - walk.made)} products are missing, {len(walk.made - wanted)} are too many"
    if walk.written != Counter((*pixel, t.words_before + word) for pixel in pixels for word in range(t.own_words)):
        return "a word of the results is not written once"
    return None
