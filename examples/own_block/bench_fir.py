"""A cocotb bench of the filter, for `mutate`: random samples, some of them with `valid`, and what must come of them."""

from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from fir import TAPS


@cocotb.test()
async def filters(dut: Any) -> None:
    random, taken, valid = Random(1), [0] * len(TAPS), False
    dut.x.value, dut.valid.value, dut.rst.value = 0, 0, 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    for _ in range(300):
        assert dut.y.value.to_signed() == sum(tap * sample for tap, sample in zip(TAPS, reversed(taken[-len(TAPS) :]), strict=True))
        assert dut.done.value == valid
        sample, valid = random.randrange(-128, 128), random.random() < 0.7
        dut.x.value, dut.valid.value = sample, valid
        if valid:
            taken.append(sample)
        await FallingEdge(dut.clk)
