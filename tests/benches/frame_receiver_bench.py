"""The link's receiver of frames: whole ones, damaged ones, back to back and with pauses, and deafness; every byte's place."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.boards.crc import crc32
from tests.boards.frames import escaped

WORD = current().word_bytes
HEAD, MOST = 9, 512
IDLE = {"data": None, "valid": 0, "listen": 1}
QUIET = dict.fromkeys(("complete", "damaged", "write"), 0)


def frame(bench: Bench, words: int, answers: int = 1) -> bytes:
    """A random request with its CRC; many of its bytes need an escape."""
    choices = [0x7E, 0x7D, 0x5D, 0x5E, *bench.some(4, 8)]
    body = bytes(bench.random.choices(choices, k=7)) + bytes([words, answers]) + bytes(bench.random.choices(choices, k=words * WORD))
    return body + crc32(body).to_bytes(4, "little")


async def send(bench: Bench, whole: bytes, good: bool, *, stop: int | None = None) -> None:
    """Between flags; the one at the end says whether it was good, and the head is there. `stop`: so many bytes and no end."""
    place, escape = -1, False
    sent = escaped(whole)
    for i, byte in enumerate(sent[:stop]):
        while bench.pause():
            await bench.cycle()
        outputs: dict[str, Any] = {}
        if i == len(sent) - 1:
            outputs = {"complete": int(good), "damaged": int(not good)}
            if good:
                fields = (("session", 0, 4), ("sequence", 4, 2), ("kind", 6, 1), ("words", 7, 1), ("answers", 8, 1))
                outputs |= {name: int.from_bytes(whole[at : at + size], "little") for name, at, size in fields}
        elif i and not (byte == 0x7D and not escape):
            place += 1
            if HEAD <= place < HEAD + MOST:
                outputs = {"write": 1, "place": place - HEAD, "byte": whole[place]}
        escape = byte == 0x7D and not escape
        await bench.cycle({"data": byte, "valid": 1}, **outputs)


@cocotb.test()
async def frames_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for pauses in (0.0, 0.4):
        bench.pauses = pauses
        for words in (0, 1, 2, 7):
            await send(bench, frame(bench, words, bench.random.choice([0, 1, MOST // WORD])), good=True)
            await bench.cycle({"data": 0x7E, "valid": 1})  # between frames flags mean nothing
    bench.pauses = 0.0
    await send(bench, frame(bench, MOST // WORD), good=True)


@cocotb.test()
async def damaged_frames(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    bench.pauses = 0.1
    for words in (0, 3):
        for bit in [*range(8), *(bench.random.randrange(8 * (HEAD + words * WORD + 4)) for _ in range(12))]:
            spoilt = bytearray(frame(bench, words))
            spoilt[bit // 8] ^= 1 << bit % 8
            await send(bench, bytes(spoilt), good=False)
        whole = frame(bench, words)
        for wrong in (whole[:-1], whole[1:], whole + b"x", whole[: HEAD - 2], b"x"):
            await send(bench, wrong, good=False)
        await send(bench, whole, good=True)
    for size, words, answers in ((1, 3, 1), (-1, 3, 1), (0, 3, MOST // WORD + 1)):  # a right CRC about the wrong sizes
        body = frame(bench, words, answers)[:-4]
        body += bytes(bench.some(size * WORD, 8)) if size > 0 else b""
        body = body[: size * WORD] if size < 0 else body
        await send(bench, body + crc32(body).to_bytes(4, "little"), good=False)
    bench.pauses = 0.0
    await send(bench, frame(bench, MOST // WORD + 1), good=False)  # bytes beyond the buffer are not written
    await send(bench, frame(bench, MOST // WORD)[:-5] + bytes(600), good=False)


@cocotb.test()
async def deaf_until_a_flag(dut: Any) -> None:
    """In the middle of a frame, and at its start; an escape without an end is no end."""
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for stop in (1, 5, 11, 15, 20):
        await send(bench, frame(bench, 3), good=True, stop=stop)
        for byte in bench.some(5, 8):
            await bench.cycle({"data": byte, "valid": 1, "listen": 0})
        for byte in (1, 0x7D, 2, 3):
            await bench.cycle({"data": byte, "valid": 1})
        await send(bench, frame(bench, 2), good=True)
    for end in (b"\x7d", b"\x01\x7d"):
        await send(bench, frame(bench, 1), good=True, stop=-1)
        for byte in end:
            await bench.cycle({"data": byte, "valid": 1}, write=(0, 0))
        await bench.cycle({"data": 0x7E, "valid": 1}, damaged=1)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 4, IDLE, QUIET).start()
    for stop in range(1, 25, 3):
        await send(bench, frame(bench, 3), good=True, stop=stop)
        await bench.reset()
        for byte in (1, 0x7D, 2):
            await bench.cycle({"data": byte, "valid": 1})
        await send(bench, frame(bench, 2), good=True)
