"""Linear loads: every word of a burst to its bank, half and buffer address."""

from typing import Any

import cocotb

from gatewright.hw.instructions import LINEAR
from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
IDLE = {
    "instruction_write": 0,
    "instruction_index": None,
    "data": None,
    "start": 0,
    "halves": None,
    "request_ready": 0,
    "data_valid": 0,
}
QUIET = dict.fromkeys(("request_valid", "data_ready", "write", "done"), 0)


async def load(bench: Bench, length: int, banks: int, halves: int, stop: int | None = None) -> None:
    """One load; with `stop` only so many of its words."""
    fields = {"address": bench.bits(24), "length": length, "base": bench.bits(16), "last_bank": banks - 1}
    await bench.write_instruction(LINEAR, fields, BLOCK.config.operand_bits)
    await bench.cycle({"start": 1, "halves": halves})
    request = {"request_valid": 1, "request_address": fields["address"], "request_length": length}
    await bench.handshake("request_ready", {"halves": halves}, **request)
    for word in range(length if stop is None else stop):
        place = word // 2 if halves else word
        where = {"bank": place % banks, "half": word % 2 if halves else 0, "address": fields["base"] + place // banks}
        last = word == length - 1
        await bench.handshake("data_valid", {"halves": halves}, {"write": 0, "done": 0}, data_ready=1, write=1, done=last, **where)


@cocotb.test()
async def loads_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for halves in (0, 1):
        for banks in range(1, BLOCK.banks + 1):
            await load(bench, 1 + halves, banks, halves)
            await load(bench, 2 * bench.random.randint(3, 12), banks, halves)
    await bench.rest(3)


@cocotb.test()
async def long_loads(dut: Any) -> None:
    """Lengths and addresses of many bits."""
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    bench.pauses = 0.001
    for length in (0x0AB, 0x554, 0x8003):
        await load(bench, length, BLOCK.banks, 0)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for words in (0, 1, 2, 5, 6):
        await load(bench, 8, 2, bench.bits(1), words)
        await bench.reset()
        await bench.rest(3, {"request_ready": 1, "data_valid": 1})
    await load(bench, 8, 2, 1)
