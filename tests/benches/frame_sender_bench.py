"""The link's sender of frames: answers of all sizes, a line that is ready at random, bytes read when they are asked for."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.boards.frames import answer

WORD = current().word_bytes
HEAD = 0x7D7E_0102_7EFE
IDLE = {"head": HEAD, "start": 0, "new_status": None, "new_words": None, "byte": None, "ready": None}
OUTPUTS = ("idle", "read", "place", "valid", "data", "status")


async def send(bench: Bench, status: int, words: int, cycles: int | None = None) -> None:
    """The whole answer, or so many of its cycles; a byte stays until it is taken."""
    data = bytes(bench.random.choices([0x7E, 0x7D, 0x5E, 0, *bench.some(4, 8)], k=words * WORD))
    await bench.cycle({"start": 1, "new_status": status, "new_words": words}, idle=1, valid=0)
    sent, byte, held = bytearray(), 0, None
    expected = answer(HEAD & 0xFFFF_FFFF, HEAD >> 32, status, data, words)
    while cycles is None or cycles > 0:
        cycles = None if cycles is None else cycles - 1
        ready = int(not bench.pause())
        found = dict(zip(OUTPUTS, await bench.shown({"ready": ready, "byte": byte}, *OUTPUTS), strict=True))
        if found["idle"]:
            assert not found["valid"]
            break
        assert found["status"] == status
        if held is not None:
            assert (found["valid"], found["data"]) == (1, held), "a byte was withdrawn"
        held = found["data"] if found["valid"] and not ready else None
        if found["valid"] and ready:
            sent.append(found["data"])
            assert expected.startswith(sent), f"{sent.hex()} is no beginning of {expected.hex()}"
        byte = data[found["place"]] if found["read"] and found["place"] < len(data) else bench.bits(8)
    else:
        return
    assert sent == expected


@cocotb.test()
async def answers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, {"valid": 0, "idle": 1}).start()
    for pauses in (0.0, 0.4):
        bench.pauses = pauses
        for words in (0, 1, 2, 9):
            await send(bench, bench.random.choice([0, 0x7E, 0x7D, 4]), words)
            await bench.rest(bench.bits(2))
    bench.pauses = 0.1
    await send(bench, 0, 512 // WORD)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, {"valid": 0, "idle": 1}).start()
    for _ in range(12):
        await send(bench, 3, 3, cycles=bench.random.randrange(1, 110))
        await bench.reset()
        await send(bench, bench.bits(8), 1)
