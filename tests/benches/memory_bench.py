"""On-chip memory: random reads and writes of groups against a list."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
IDLE = {"write_enable": 0, "write_address": None, "write_data": None, "read_enable": 0, "read_address": None}
PART = BLOCK.width // BLOCK.groups


async def traffic(bench: Bench, cycles: int) -> None:
    """Fill, then read and write at once; what was read last stays, and a word being written is still the old one."""
    words = bench.some(BLOCK.depth, BLOCK.width)
    for address, word in enumerate(words):
        await bench.cycle({"write_enable": (1 << BLOCK.groups) - 1, "write_address": address, "write_data": word})
    await bench.cycle({"read_enable": 1, "read_address": 0})
    shown = words[0]
    for _ in range(cycles):
        enable = bench.bits(BLOCK.groups) & bench.bits(BLOCK.groups)
        place, data, wanted = bench.random.randrange(BLOCK.depth), bench.bits(BLOCK.width), bench.random.randrange(BLOCK.depth)
        read = not bench.pause()
        inputs = {"write_enable": enable, "write_address": place, "write_data": data, "read_enable": read, "read_address": wanted}
        await bench.cycle(inputs, read_data=shown)
        shown = words[wanted] if read else shown
        mask = sum(((1 << PART) - 1) << (group * PART) for group in range(BLOCK.groups) if enable >> group & 1)
        words[place] = words[place] & ~mask | data & mask


@cocotb.test()
async def reads_and_writes(dut: Any) -> None:
    await traffic(await Bench(dut, 1, IDLE).start(), 400)


@cocotb.test()
async def works_after_a_reset(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for cycles in (3, 50):
        await traffic(bench, cycles)
        await bench.reset()
    await traffic(bench, 50)
