"""The store: a tile from the output buffer to external memory, a word a cycle or as the memory takes them, ragged edges left out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb

from gatewright.hw.instructions import STORE
from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
CONFIG = BLOCK.config
BITS = CONFIG.operand_bits
PER_ROW = CONFIG.output_bits // BITS  # memory words in a row of the output buffer
IDLE = {
    "instruction_write": 0,
    "instruction_index": None,
    "data": None,
    "start": 0,
    "compute_busy": None,
    "read_data": None,
    "write_ready": None,
}
QUIET = {"busy": 0, "read": 0, "write_valid": 0}


@dataclass(frozen=True)
class Tile:
    """Grid rows as (images, rows of tiles, columns of tiles), each with y * x pixels of some words; the last valid row and column."""

    n: int = 1
    tile_y: int = 1
    tile_x: int = 1
    y: int = 1
    x: int = 1
    word: int = 1
    end_y: int = 0xFFF
    end_x: int = 0xFFF
    fields: dict[str, int] = field(default_factory=dict)

    def instruction(self) -> dict[str, int]:
        lasts = {f"last_{loop}": getattr(self, loop) - 1 for loop in ("n", "tile_y", "tile_x", "y", "x", "word")}
        return self.fields | lasts | {"end_y": self.end_y, "end_x": self.end_x}

    def words(self) -> Iterator[tuple[int, int, int]]:
        """Row of the output buffer, memory word in it, address in external memory of every word that is written."""
        f, grid_row = self.fields, 0
        for n in range(self.n):
            for tile_y in range(self.tile_y):
                for tile_x in range(self.tile_x):
                    for y in range(self.y):
                        for x in range(self.x):
                            if tile_y * self.y + y > self.end_y or tile_x * self.x + x > self.end_x:
                                continue
                            start = f["base"] + grid_row * f["buffer_row"] + y * f["buffer_y"] + x * f["buffer_x"]
                            at = f["address"] + n * f["address_n"] + tile_y * f["address_tile_y"] + tile_x * f["address_tile_x"]
                            at += y * f["address_y"] + x * f["address_x"]
                            for word in range(self.word):
                                yield start + word // PER_ROW, word % PER_ROW, at + word
                    grid_row += 1


def random_tile(bench: Bench, **loops: int) -> Tile:
    fields = {name: bench.bits(STORE.places[name][2]) for name in STORE.places if name.startswith(("address", "base", "buffer"))}
    return Tile(fields=fields, **loops)


def ragged(bench: Bench) -> Tile:
    """The last valid row and column lie in the last tile, anywhere in it."""
    loops = {loop: bench.random.randint(1, 3) for loop in ("n", "tile_y", "tile_x", "y", "x")} | {"word": bench.random.randint(1, 5)}
    ends = {f"end_{a}": loops[f"tile_{a}"] * loops[a] - bench.random.randint(1, loops[a]) for a in ("y", "x")}
    return random_tile(bench, **loops, **ends)


async def store(bench: Bench, tile: Tile, stop: int | None = None) -> None:
    """One STORE; with `stop` only its first words."""
    await bench.write_instruction(STORE, tile.instruction(), BITS)
    buffer = bench.some(CONFIG.output_words, CONFIG.output_bits)
    await bench.cycle({"start": 1})
    while bench.pause():
        await bench.cycle({"compute_busy": 1}, busy=1)
    await bench.cycle({"compute_busy": 0}, busy=1)
    held: tuple[int, int, int] | None = None  # the word that was read and is offered
    coming = list(tile.words())[:stop]
    while coming or (held and stop is None):
        ready = not bench.pause()
        read = bool(coming) and (held is None or ready)
        shown: dict[str, int] = {"read": 1, "read_address": coming[0][0]} if read else {}
        inputs = {"write_ready": ready}
        if held:
            row, lane, address = held
            inputs["read_data"] = buffer[row % CONFIG.output_words]
            shown |= {"write_valid": 1, "write_address": address, "write_data": inputs["read_data"] >> lane * BITS}
        await bench.cycle(inputs, busy=1, **shown)
        held = coming.pop(0) if read else None if ready else held


@cocotb.test()
async def tiles_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for pauses in (0.0, 0.5) * 10:
        bench.pauses = pauses
        await store(bench, ragged(bench))
    await bench.rest(4)


@cocotb.test()
async def long_loops(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    bench.pauses = 0.01
    for loop in ("y", "x", "word"):
        await store(bench, random_tile(bench, **{loop: 1366}))
    for loop in ("n", "tile_y", "tile_x"):
        await store(bench, random_tile(bench, **{loop: 64}))
    for axis in ("y", "x"):  # ragged far from the beginning
        await store(bench, random_tile(bench, **{f"tile_{axis}": 3, axis: 400, f"end_{axis}": 1023}))


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for stop in (0, 1, 2, 3, 7, 11):
        await store(bench, ragged(bench), stop)
        await bench.reset()
        await bench.rest(3)
    await store(bench, ragged(bench))
