"""The window of one grid row: which words of a tile it keeps, and where."""

from typing import Any

import cocotb

from tests.benches.base import Bench, packed
from tests.benches.blocks import current

BLOCK = current()
BITS = len(BLOCK.base)
IDLE = {"write": 0, "data": None, "start": 0, "base": None, "step": 0, "size_y": 0, "size_x": 0, "n": 0, "y": 0, "x": 0}
EDGES = (0, 1, 2, 3, 4, 5, 0x7FF, 0x800, 0xFFF)


async def tile(bench: Bench, corner: tuple[int, int, int] | None, cycles: int) -> None:
    """Words about the window's corners. `corner` (image, row, column) is written; None leaves the one a reset gives."""
    if corner:
        n, y, x = corner
        await bench.cycle({"write": 1, "data": packed([x, y], 12) | n << 24}, enable=0)
    else:
        n, y, x = 255, 0, 0
    size = {"size_y": bench.random.choice(EDGES), "size_x": bench.random.choice(EDGES)}
    base = bench.bits(BITS)
    await bench.cycle({"start": 1, "base": base} | size, enable=0)
    kept = 0
    for _ in range(cycles):
        near = bench.random.choice
        place = {"n": near((n, n, n, n ^ 1 << bench.random.randrange(8)))}
        place |= {
            axis: (at + near((0, 1, size[f"size_{axis}"] - 1, size[f"size_{axis}"], -1, near(EDGES)))) % 4096
            for axis, at in (("y", y), ("x", x))
        }
        inside = [(place[axis] - at) % 4096 < size[f"size_{axis}"] for axis, at in (("y", y), ("x", x))]
        step = not bench.pause()
        enable = step and all(inside) and place["n"] == n
        await bench.cycle({"step": step} | size | place, enable=enable, address=base + kept)
        kept += enable


@cocotb.test()
async def keeps_its_rectangle(dut: Any) -> None:
    """Windows anywhere, in the corners too, one tile after the other."""
    bench = await Bench(dut, 1, IDLE).start()
    bench.pauses = 0.2
    corners = [(0, 0, 0), (0, 0xFFF, 0xFFF), (254, 0x800, 1), *((bench.bits(7), bench.bits(12), bench.bits(12)) for _ in range(25))]
    for corner in corners:
        await tile(bench, corner, 40)


@cocotb.test()
async def a_reset_leaves_no_window(dut: Any) -> None:
    """After a reset a bank keeps nothing: its image is one that no load reaches."""
    bench = await Bench(dut, 2, IDLE).start()
    for _ in range(4):
        await tile(bench, (3, 5, 6), 10)
        await bench.reset()
        await tile(bench, None, 40)


@cocotb.test()
async def a_start_comes_before_a_word(dut: Any) -> None:
    """A start takes the base, whatever the cycle's word is."""
    bench = await Bench(dut, 3, IDLE).start()
    await bench.cycle({"write": 1, "data": 0})
    for base in bench.some(8, BITS):
        await bench.cycle({"start": 1, "step": 1, "base": base, "size_y": 1, "size_x": 1}, enable=1)
        await bench.cycle({}, address=base)
