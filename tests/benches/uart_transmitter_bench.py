"""The serial port's transmitter: bytes at random times and back to back, a level of the line in every cycle."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

DIVISOR = current().divisor
IDLE = {"data": None, "valid": 0}
QUIET = {"tx": 1, "ready": 1}


async def send(bench: Bench, byte: int, cycles: int | None = None) -> None:
    """Taken while the line is high; then the start bit, the byte and the stop bit, whatever is offered meanwhile."""
    await bench.cycle({"data": byte, "valid": 1})
    levels = [level for bit in (0, *(byte >> i & 1 for i in range(8)), 1) for level in [bit] * DIVISOR]
    for level in levels[:cycles]:
        await bench.cycle({"valid": bench.bits(1)}, tx=level, ready=0)


@cocotb.test()
async def bytes_with_and_without_gaps(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for byte in [0, 255, 0x55, 0xAA, *bench.some(12, 8)]:
        await send(bench, byte)
        if bench.pause():
            await bench.rest(bench.random.choice([1, 2, 3 * DIVISOR]))


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    for _ in range(10):
        await send(bench, bench.bits(8), bench.random.randrange(10 * DIVISOR))
        await bench.reset()
        await bench.rest(bench.bits(1))
        await send(bench, 0x96)
