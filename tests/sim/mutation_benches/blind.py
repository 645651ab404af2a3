"""Drives the counter and looks at nothing."""

from typing import Any

import cocotb

from tests.benches.base import Bench


@cocotb.test()
async def drives(dut: Any) -> None:
    await (await Bench(dut, 1, {"enable": 1}).start()).rest(20)
