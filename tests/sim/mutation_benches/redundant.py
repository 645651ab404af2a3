"""One register's output."""

from typing import Any

import cocotb

from tests.benches.base import Bench


@cocotb.test()
async def follows(dut: Any) -> None:
    bench = await Bench(dut, 1, {"bit": 0}).start()
    before = 0
    for _ in range(40):
        bit = bench.bits(1)
        await bench.cycle({"bit": bit}, seen=before)
        before = bit
