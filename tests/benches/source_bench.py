"""Number sources: the sequences of docs/hardware.md, `width` numbers a cycle, restarted with step 0."""

from itertools import product
from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
BITS = BLOCK.bits
IDLE = {"step": None, "advance": 0}
TAPS = {5: (5, 3), 8: (8, 6, 5, 4)}  # XAPP 052
if BLOCK.side == "weight":  # the reciprocal polynomial
    TAPS = {bits: (bits, *(bits - tap for tap in taps[1:])) for bits, taps in TAPS.items()}


def register() -> list[int]:
    """States of a Fibonacci register from 1 on."""
    states = [1]
    while len(states) < BLOCK.width * BLOCK.steps:
        state = states[-1]
        parity = sum(state >> tap - 1 & 1 for tap in TAPS[BITS]) % 2
        states.append((state << 1 | parity) % (1 << BITS))
    return states


def sobol() -> list[int]:
    """Bits reversed; for weights the second dimension, by its matrix: binomial coefficients modulo two."""
    pascal = [[int(column & row == row) for column in range(BITS)] for row in range(BITS)]
    numbers = []
    for t in range(BLOCK.width * BLOCK.steps):
        digits = [t >> i & 1 for i in range(BITS)]
        if BLOCK.side == "weight":
            digits = [sum(a * b for a, b in zip(row, digits, strict=True)) % 2 for row in pascal]
        numbers.append(sum(digit << BITS - 1 - i for i, digit in enumerate(digits)))
    return numbers


NUMBERS = register() if BLOCK.source == "lfsr" else sobol()  # a register's comparators take its state, one more than the number


async def stream(bench: Bench, steps: int) -> None:
    for step in range(steps):
        now = NUMBERS[step * BLOCK.width : (step + 1) * BLOCK.width]
        await bench.cycle({"step": step, "advance": 1}, **{f"numbers__{j}": number for j, number in enumerate(now)})
        if bench.pause():  # the operator's edge is not at work
            await bench.cycle({"step": 0, "advance": 0})


@cocotb.test()
async def streams_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE).start()
    for pauses in (0.0, 0.3, 0.0):
        bench.pauses = pauses
        await stream(bench, BLOCK.steps)


@cocotb.test()
async def restarts_at_step_0(dut: Any) -> None:
    """Shorter streams, and resets within one."""
    bench = await Bench(dut, 2, IDLE).start()
    for steps, reset in product((1, 2, BLOCK.steps // 2, BLOCK.steps), (True, False)):
        await stream(bench, steps)
        if reset:
            await bench.reset()
