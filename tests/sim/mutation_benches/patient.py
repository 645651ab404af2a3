"""Waits until the counter is full, for ever if need be; in the background, as benches do."""

from typing import Any

import cocotb

from tests.benches.base import Bench


@cocotb.test()
async def fills(dut: Any) -> None:
    bench = await Bench(dut, 1, {"enable": 1}).start()

    async def full() -> None:
        while not bench.read("full"):
            await bench.cycle()

    await cocotb.start_soon(full())
