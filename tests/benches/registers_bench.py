"""Instruction registers: words written in any order, shown as the layout's fields."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
IDLE = {"write": 0, "index": None, "data": None}


def fields(words: list[int]) -> dict[str, int]:
    return {f"field_{name}": words[word] >> bit & (1 << bits) - 1 for name, (word, bit, bits) in BLOCK.layout.places.items()}


async def writes(bench: Bench, words: list[int], cycles: int) -> None:
    per = BLOCK.operand_bits // 32
    for _ in range(cycles):
        index, data, write = bench.random.randrange(len(words) // per + 3), bench.bits(BLOCK.operand_bits), not bench.pause()
        await bench.cycle({"write": write, "index": index, "data": data}, **fields(words))
        for i in range(per):
            if write and index * per + i < len(words):
                words[index * per + i] = data >> 32 * i & 0xFFFFFFFF
    await bench.cycle({"index": 63, "write": 1}, **fields(words))
    await bench.cycle({}, **fields(words))


@cocotb.test()
async def hold_what_was_written(dut: Any) -> None:
    await writes(await Bench(dut, 1, IDLE).start(), [0] * BLOCK.layout.words, 150)


@cocotb.test()
async def reset_clears(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for cycles in (1, 60, 3):
        await writes(bench, [0] * BLOCK.layout.words, cycles)
        await bench.reset()
