"""The serial port's receiver: levels of a line in, bytes out, at random times and back to back."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

DIVISOR = current().divisor
DELAY = 2  # registers between the line and the receiver
IDLE = {"rx": 1}
QUIET = {"valid": 0}


def levels(byte: int, stop: int = 1) -> list[int]:
    """A byte on the line, a level a cycle."""
    return [level for bit in (0, *(byte >> i & 1 for i in range(8)), stop) for level in [bit] * DIVISOR]


async def line(bench: Bench, shown: list[int], byte: int | None = None) -> None:
    """These levels; `byte` comes in the cycle in which the stop bit is looked at, its middle, and in no other."""
    last = len(shown) - DIVISOR + DELAY + DIVISOR // 2
    for i, level in enumerate(shown):
        outputs = {"valid": 1, "data": byte} if byte is not None and i == last else {}
        await bench.cycle({"rx": level}, **outputs)


@cocotb.test()
async def bytes_with_and_without_gaps(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    await bench.rest(3)
    for byte in [0, 255, 0x55, 0xAA, *bench.some(12, 8)]:
        await line(bench, levels(byte), byte)
        if bench.pause():
            await bench.rest(bench.random.choice([1, 2, 3, 5 * DIVISOR]))


@cocotb.test()
async def no_byte_without_start_and_stop(dut: Any) -> None:
    """A spike is no start bit; a byte without a stop bit is dropped, with all that follows until the line is high again."""
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    for length in range(1, DIVISOR // 2 + 1):
        await bench.rest(12 * DIVISOR)
        await line(bench, [0] * length)
    await bench.rest(12 * DIVISOR)
    for byte in bench.some(3, 8):
        await line(bench, levels(byte, stop=0))
        await line(bench, [0] * bench.random.randrange(15 * DIVISOR))
        await bench.rest(DIVISOR)
        await line(bench, levels(byte ^ 0x5A), byte ^ 0x5A)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for stop in [*range(0, 10 * DIVISOR, DIVISOR), *(bench.random.randrange(10 * DIVISOR) for _ in range(4))]:
        await line(bench, levels(bench.bits(8))[: min(stop, 9 * DIVISOR)])
        await bench.reset()
        await bench.rest(DELAY)
        await line(bench, levels(0x96), 0x96)
