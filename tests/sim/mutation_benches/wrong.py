"""Expects what the counter does not promise."""

from typing import Any

import cocotb

from tests.benches.base import Bench


@cocotb.test()
async def expects_too_much(dut: Any) -> None:
    await (await Bench(dut, 1, {"enable": 0}).start()).cycle(count=1)
