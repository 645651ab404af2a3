"""The link's circuit, byte by byte: frames written out here, a host stream that stalls, and everything that must be refused."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from amaranth.sim import Simulator

from gatewright.hw.link import Link
from tests.boards.crc import crc32
from tests.boards.frames import COMMAND, DAMAGED, DONE, HELLO, IDENTITY, NO_SESSION, OUT_OF_ORDER, answer, request, wire

NAME, MEMORY = 0x0123_4567_89AB_7E7D, 4321
SESSION = 0x7E7D_0102


@dataclass
class Bench:
    """A link whose host stream answers every word it gets with its complement, and whose line and stream stall at random."""

    operand_bits: int = 32
    seed: int = 0
    taken: list[int] = field(default_factory=list)

    def talk(self, sent: bytes, cycles: int = 900) -> bytes:
        """What the link sends in answer to `sent`, each byte some cycles after the one before."""
        link, rng, out = Link(self.operand_bits, MEMORY, NAME), random.Random(self.seed), bytearray()
        waiting = list[int]()

        async def line(context: Any) -> None:
            for byte in sent:
                context.set(link.rx_data, byte)
                context.set(link.rx_valid, 1)
                await context.tick()
                context.set(link.rx_valid, 0)
                await context.tick().repeat(rng.randrange(1, 10))
            await context.tick().repeat(cycles)

        async def stream(context: Any) -> None:
            while True:
                ready, valid, give = rng.randrange(2), bool(waiting) and rng.randrange(2), rng.randrange(3) > 0
                context.set(link.in_ready, ready)
                context.set(link.out_valid, valid)
                context.set(link.out_data, waiting[0] if valid else rng.randrange(1 << 32))
                context.set(link.tx_ready, give)
                took, given, said = context.get(link.in_valid), context.get(link.out_ready), context.get(link.tx_valid)
                word, byte = context.get(link.in_data), context.get(link.tx_data)
                await context.tick()
                if ready and took:
                    self.taken.append(word)
                    waiting.append(word ^ (1 << self.operand_bits) - 1)
                if valid and given:
                    waiting.pop(0)
                if give and said:
                    out.append(byte)

        simulator = Simulator(link)
        simulator.add_clock(1e-6)
        simulator.add_testbench(line)
        simulator.add_testbench(stream, background=True)
        simulator.run()
        return bytes(out)


def identity(operand_bits: int) -> bytes:
    facts = bytes([1, operand_bits, 4096 // operand_bits, 0]) + MEMORY.to_bytes(4, "little") + NAME.to_bytes(8, "little")
    return answer(SESSION, 0, IDENTITY, facts, 128 // operand_bits)


WORDS = bytes(range(0x78, 0x80)) * 2  # flags and escapes among them
FLIPPED = bytes(255 - byte for byte in WORDS)
GAP = b"\x7e" * 100  # the link is deaf while it answers
GREETING = request(SESSION, 0, HELLO)


def test_the_reference_is_the_catalogues() -> None:
    assert crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("operand_bits", [32, 64])
@pytest.mark.parametrize("seed", [1, 2])
def test_commands_are_executed_once_and_answered_from_memory(operand_bits: int, seed: int) -> None:
    words = 128 // operand_bits
    first = request(SESSION, 1, COMMAND, WORDS, words, words)
    second = request(SESSION, 2, COMMAND, WORDS[:8], 64 // operand_bits, 64 // operand_bits)
    bench = Bench(operand_bits, seed)
    got = bench.talk(GREETING + GAP + first + GAP + first + GAP + second + GAP + second)
    expected = [answer(SESSION, 1, DONE, FLIPPED, words)] * 2 + [answer(SESSION, 2, DONE, FLIPPED[:8], 64 // operand_bits)] * 2
    assert got == identity(operand_bits) + b"".join(expected)
    size = operand_bits // 8
    assert bench.taken == [int.from_bytes(data[i : i + size], "little") for data in (WORDS, WORDS[:8]) for i in range(0, len(data), size)]


def test_the_longest_frame() -> None:
    rng = random.Random(3)
    data = rng.randbytes(512)
    bench = Bench(32, 5)
    got = bench.talk(GREETING + GAP + request(SESSION, 1, COMMAND, data, 128, 128), 7000)
    assert got == identity(32) + answer(SESSION, 1, DONE, bytes(255 - byte for byte in data), 128)


def _spoilt(change: Callable[[bytearray], None]) -> bytes:
    data = bytearray(request(SESSION, 1, COMMAND, WORDS, 4, 0))
    change(data)
    return bytes(data)


REFUSED = {
    "a bit turned in the words": (_spoilt(lambda d: d.__setitem__(16, d[16] ^ 1)), answer(SESSION, 0, DAMAGED)),
    "a byte lost": (_spoilt(lambda d: d.pop(17)), answer(SESSION, 0, DAMAGED)),
    "a byte doubled": (_spoilt(lambda d: d.insert(16, d[16])), answer(SESSION, 0, DAMAGED)),
    "an escape before the closing flag": (_spoilt(lambda d: d.insert(len(d) - 1, 0x7D)), answer(SESSION, 0, DAMAGED)),
    "a right CRC and a wrong length": (request(SESSION, 1, COMMAND, WORDS, 3, 0), answer(SESSION, 0, DAMAGED)),
    "more words than a frame has": (request(SESSION, 1, COMMAND, bytes(516), 129, 0), answer(SESSION, 0, DAMAGED)),
    "more answers than a frame has": (request(SESSION, 1, COMMAND, WORDS, 4, 129), answer(SESSION, 0, DAMAGED)),
    "another session": (request(SESSION ^ 1, 1, COMMAND, WORDS, 4, 0), answer(SESSION, 0, NO_SESSION)),
    "a sequence number too far": (request(SESSION, 2, COMMAND, WORDS, 4, 0), answer(SESSION, 0, OUT_OF_ORDER)),
    "sequence number 0": (request(SESSION, 0, COMMAND, WORDS, 4, 0), answer(SESSION, 0, OUT_OF_ORDER)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_nothing_executed(name: str) -> None:
    frame, refusal = REFUSED[name]
    bench = Bench(32, 7)
    assert bench.talk(GREETING + GAP + frame) == identity(32) + refusal
    assert bench.taken == []


def test_nothing_is_executed_before_a_session() -> None:
    bench = Bench(32, 1)
    assert bench.talk(request(0, 1, COMMAND, WORDS, 4, 0)) == answer(0, 0, NO_SESSION)
    assert bench.taken == []


def test_a_late_copy_of_the_greeting_changes_nothing() -> None:
    command = request(SESSION, 1, COMMAND, WORDS, 4, 0)
    bench = Bench(32, 2)
    got = bench.talk(GREETING + GAP + command + GAP + GREETING + GAP + command)
    done = answer(SESSION, 1, DONE)
    again = wire(SESSION.to_bytes(4, "little") + (1).to_bytes(2, "little") + identity_body())
    assert got == identity(32) + done + again + done
    assert len(bench.taken) == 4


def identity_body() -> bytes:
    facts = bytes([1, 32, 128, 0]) + MEMORY.to_bytes(4, "little") + NAME.to_bytes(8, "little")
    return bytes([IDENTITY, 4]) + facts


def test_a_lost_flag_costs_one_frame_only() -> None:
    """The frame that never ended is refused while its repetition, which follows at once, is received."""
    command = request(SESSION, 1, COMMAND, WORDS, 4, 0)
    bench = Bench(32, 4)
    got = bench.talk(GREETING + GAP + command[:-3] + command)
    assert got == identity(32) + answer(SESSION, 0, DAMAGED) + answer(SESSION, 1, DONE)
    assert len(bench.taken) == 4
