"""Image loads: a padded tile of a feature map, word by word, into the windows of the grid's rows."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import cocotb

from gatewright.hw.instructions import ACTIVATIONS, WINDOW_UNUSED
from tests.benches.base import Bench, packed
from tests.benches.blocks import current

BLOCK = current()
BITS = BLOCK.config.operand_bits
ROWS = range(BLOCK.config.rows)
IDLE = {
    "instruction_write": 0,
    "instruction_index": None,
    "data": None,
    "start": 0,
    "window_write": 0,
    "request_ready": None,
    "data_valid": None,
}
QUIET = dict.fromkeys(("request_valid", "data_ready", "done", "enable"), 0)


@dataclass(frozen=True)
class Tile:
    """Images, rows, columns and words of a pixel; padding above and to the left; image rows and columns; a window's size."""

    images: int = 1
    height: int = 1
    width: int = 1
    words: int = 1
    top: int = 0
    left: int = 0
    inside_y: int = 1
    inside_x: int = 1
    window_y: int = 1
    window_x: int = 1


class Load:
    """The windows as they were written last, and loads of tiles into them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.windows = [(WINDOW_UNUSED, 0, 0) for _ in ROWS]

    async def window(self, row: int, n: int, y: int, x: int) -> None:
        self.windows[row] = n, y, x
        await self.bench.cycle({"window_write": 1 << row, "data": packed([x, y], 12) | n << 24 | self.bench.bits(BITS) >> 32 << 32})

    async def tile(self, tile: Tile, stop: int | None = None) -> None:
        """One load; with `stop` only its first words."""
        bench = self.bench
        fields = {"address": bench.bits(24), "n_stride": bench.bits(24), "y_stride": bench.bits(24), "base": bench.bits(16)}
        fields |= {"row_words": bench.bits(16), "last_n": tile.images - 1, "last_y": tile.height - 1, "top": tile.top}
        fields |= {"inside_y": tile.inside_y, "last_x": tile.width - 1, "left": tile.left, "inside_x": tile.inside_x}
        fields |= {"last_word": tile.words - 1, "window_y": tile.window_y, "window_x": tile.window_x}
        await bench.write_instruction(ACTIVATIONS, fields, BITS)
        await bench.cycle({"start": 1})
        places = [fields["base"]] * len(ROWS)
        walk = list(product(range(tile.images), range(tile.height), range(tile.width), range(tile.words)))
        for number, (n, y, x, word) in enumerate(walk[:stop]):
            row, column = y - tile.top, x - tile.left
            inside = 0 <= row < tile.inside_y and 0 <= column < tile.inside_x
            if inside and (column, word) == (0, 0):
                address = (fields["address"] + n * fields["n_stride"] + row * fields["y_stride"]) % (1 << 24)
                request = {"request_valid": 1, "request_address": address, "request_length": fields["row_words"]}
                await bench.handshake("request_ready", **request)
            kept = [n == of_n and 0 <= y - of_y < tile.window_y and 0 <= x - of_x < tile.window_x for of_n, of_y, of_x in self.windows]
            shown = {f"address__{r}": places[r] for r in ROWS if kept[r]} | {"enable": packed(kept, 1), "done": number == len(walk) - 1}
            if inside:
                data = bench.bits(BITS)
                await bench.handshake("data_valid", {"data": data}, {"enable": 0, "done": 0}, data_ready=1, word=data, **shown)
            else:
                await bench.cycle({}, word=0, **shown)
            places = [(place + keeps) % (1 << 16) for place, keeps in zip(places, kept, strict=True)]


def random_tile(bench: Bench) -> Tile:
    size = bench.random.randint
    height, width = size(1, 5), size(1, 5)
    top, left = size(0, height), size(0, width)  # up to nothing but padding
    inside_y, inside_x = size(0, height - top), size(0, width - left)
    return Tile(size(1, 3), height, width, size(1, 3), top, left, inside_y, inside_x, size(1, 3), size(1, 3))


async def random_windows(bench: Bench, load: Load, tile: Tile) -> None:
    for row in ROWS:
        n, y, x = (bench.random.randrange(most) for most in (tile.images, tile.height, tile.width))
        await load.window(row, WINDOW_UNUSED if bench.pause() else n, y, x)


@cocotb.test()
async def tiles_back_to_back(dut: Any) -> None:
    """Random tiles, some without padding, some of padding only; windows change between some of them."""
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    load = Load(bench)
    await load.tile(Tile(images=2, height=3, width=2, inside_y=3, inside_x=2))  # no window yet: nothing is kept
    for number in range(24):
        tile = random_tile(bench)
        if number % 3:
            await random_windows(bench, load, tile)
        await load.tile(tile)


@cocotb.test()
async def long_loops(dut: Any) -> None:
    """Each loop many times around, with windows anywhere in it."""
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    bench.pauses = 0.02
    load = Load(bench)
    await load.tile(Tile(words=4095, window_y=9, window_x=9))
    for loop in ("width", "height", "images"):
        bits = 7 if loop == "images" else 11
        numbers = bench.some(3 + len(ROWS), bits)
        for flip in (0, (1 << bits) - 1):  # so that every bit is high once
            first, inside, size, *places = (number ^ flip for number in numbers)
            for row, place in zip(ROWS, places, strict=True):
                await load.window(row, *{"images": (place, 0, 0), "height": (0, place, 0), "width": (0, 0, place)}[loop])
            if loop == "width":
                await load.tile(Tile(width=4095, left=first, inside_x=inside, window_x=size))
            elif loop == "height":
                await load.tile(Tile(height=4095, top=first, inside_y=inside, window_y=size))
            else:
                await load.tile(Tile(images=200))


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for _ in range(12):
        load = Load(bench)
        tile = random_tile(bench)
        await random_windows(bench, load, tile)
        await load.tile(tile, bench.random.randrange(20))
        await bench.reset()
        await bench.rest(3)
    load = Load(bench)
    await load.tile(random_tile(bench))
