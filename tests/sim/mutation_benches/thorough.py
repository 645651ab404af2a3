"""Checks every output of the counter in every cycle."""

from typing import Any

import cocotb

from tests.benches.base import Bench


@cocotb.test()
async def counts(dut: Any) -> None:
    bench = await Bench(dut, 1, {"enable": 0}).start()
    for run in range(4):
        count = 0
        for _ in range(40 if run else 5):
            enable = bench.bits(1)
            await bench.cycle({"enable": enable}, count=count, full=count == 11)
            count = min(11, count + enable)
        await bench.reset()
