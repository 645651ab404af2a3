"""The host link between a line and a host stream, both of which pause: docs/boards.md's rules about each frame."""

from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.boards.frames import COMMAND, DAMAGED, DONE, HELLO, IDENTITY, NO_SESSION, OUT_OF_ORDER, answer, request

LINK = current()
WORD = LINK.operand_bits // 8
ONES = (1 << LINK.operand_bits) - 1
SESSION = 0x7E7D_0102
FACTS = bytes([1, LINK.operand_bits, 512 // WORD, 0]) + LINK.memory_words.to_bytes(4, "little") + LINK.identity.to_bytes(8, "little")
IDLE = {"rx_data": None, "rx_valid": 0, "tx_ready": 0, "in_ready": 0, "out_valid": 0, "out_data": None}
OUTPUTS = ("in_valid", "in_data", "out_ready", "tx_valid", "tx_data", "busy")
QUIET_CYCLES = 12  # that end a talk


class Ends:
    """The line's other end and the host stream's, which answers each word with its complement."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.waiting, self.taken = bench, list[int](), list[int]()

    async def talk(self, sent: bytes, cycles: int = 20_000) -> bytes:
        """What comes back until nothing happens any more, or in so many cycles."""
        bench, out, quiet, left, held = self.bench, bytearray(), 0, list(sent), {}
        for _ in range(cycles):
            rx, valid = bool(left) and not bench.pause(), bool(self.waiting) and not bench.pause()
            inputs = {"rx_valid": int(rx), "in_ready": int(not bench.pause()), "out_valid": int(valid), "tx_ready": int(not bench.pause())}
            inputs |= {"rx_data": left.pop(0)} if rx else {}
            inputs |= {"out_data": self.waiting[0]} if valid else {}
            found = dict(zip(OUTPUTS, await bench.shown(inputs, *OUTPUTS), strict=True))
            for port in ("in", "tx"):
                if port in held:
                    assert (found[f"{port}_valid"], found[f"{port}_data"]) == (1, held[port]), f"{port} was withdrawn"
            held = {port: found[f"{port}_data"] for port in ("in", "tx") if found[f"{port}_valid"] and not inputs[f"{port}_ready"]}
            if found["in_valid"] and inputs["in_ready"]:
                self.taken.append(found["in_data"])
                self.waiting.append(found["in_data"] ^ ONES)
            if valid and found["out_ready"]:
                self.waiting.pop(0)
            if found["tx_valid"] and inputs["tx_ready"]:
                out.append(found["tx_data"])
            assert found["busy"] or not found["tx_valid"]
            quiet = 0 if left or found["busy"] else quiet + 1
            if quiet == QUIET_CYCLES:
                break
        return bytes(out)

    async def greet(self, session: int = SESSION) -> None:
        assert await self.talk(request(session, 0, HELLO)) == answer(session, 0, IDENTITY, FACTS, len(FACTS) // WORD)

    def data(self, words: int) -> bytes:
        return bytes(self.bench.random.choices([0x7E, 0x7D, *self.bench.some(6, 8)], k=words * WORD))

    async def command(self, sequence: int, words: int, session: int = SESSION) -> tuple[bytes, bytes]:
        """Executed, answered, and answered again without being executed; returns both frames."""
        data, before = self.data(words), len(self.taken)
        asked = request(session, sequence, COMMAND, data, words, words)
        answered = answer(session, sequence, DONE, bytes(255 - byte for byte in data), words)
        for _ in range(2):
            assert await self.talk(asked) == answered
            assert self.taken[before:] == [int.from_bytes(data[i : i + WORD], "little") for i in range(0, len(data), WORD)]
        return asked, answered


@cocotb.test()
async def commands_once_each(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE).start()
    ends = Ends(bench)
    for session, pauses in ((SESSION, 0.0), (SESSION ^ 0xFFFF_FFFF, 0.4)):
        bench.pauses = pauses
        await ends.greet(session)
        for sequence, words in enumerate((1, 3, 0, 2), start=1):
            await ends.command(sequence, words, session)
    bench.pauses = 0.1
    await ends.command(5, 512 // WORD, session)


@cocotb.test()
async def refusals(dut: Any) -> None:
    """Nothing of a refused frame reaches the stream, and what follows it at once is received."""
    bench = await Bench(dut, 2, IDLE).start()
    bench.pauses = 0.2
    ends = Ends(bench)
    assert await ends.talk(request(0, 1, COMMAND, bytes(WORD), 1, 0)) == answer(0, 0, NO_SESSION)
    await ends.greet()
    good, answered = await ends.command(1, 2)
    taken = list(ends.taken)
    damaged = bytearray(request(SESSION, 2, COMMAND, bytes(WORD), 1, 0))
    damaged[13] ^= 1
    for frame, refusal in (
        (bytes(damaged), answer(SESSION, 1, DAMAGED)),
        (request(SESSION ^ 1, 2, COMMAND, bytes(WORD), 1, 0), answer(SESSION, 1, NO_SESSION)),
        (request(SESSION, 3, COMMAND, bytes(WORD), 1, 0), answer(SESSION, 1, OUT_OF_ORDER)),
        (request(SESSION, 0, COMMAND, bytes(WORD), 1, 0), answer(SESSION, 1, OUT_OF_ORDER)),
        (request(SESSION, 0x102, COMMAND, bytes(WORD), 1, 0), answer(SESSION, 1, OUT_OF_ORDER)),
    ):
        assert await ends.talk(frame) == refusal
        assert await ends.talk(good) == answered
    assert await ends.talk(bytes(damaged) + good) == answer(SESSION, 1, DAMAGED) + answered
    assert await ends.talk(good + good) == answered  # deaf while it answers
    late = answer(SESSION, 1, IDENTITY, FACTS, len(FACTS) // WORD)
    assert await ends.talk(request(SESSION, 0, HELLO)) == late  # a greeting of the same session begins nothing
    assert ends.taken == taken
    await ends.command(2, 1)


@cocotb.test()
async def sequence_numbers_wrap(dut: Any) -> None:
    """The low byte's carry."""
    bench = await Bench(dut, 3, IDLE).start()
    bench.pauses = 0.0
    ends = Ends(bench)
    await ends.greet()
    for sequence in range(1, 258):
        assert await ends.talk(request(SESSION, sequence, COMMAND)) == answer(SESSION, sequence, DONE)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    """The session is over, whatever the link was doing."""
    bench = await Bench(dut, 4, IDLE).start()
    ends = Ends(bench)
    for _ in range(12):
        await ends.greet()
        await ends.talk(request(SESSION, 1, COMMAND, ends.data(3), 3, 3), bench.random.randrange(20, 250))
        await bench.reset()
        ends = Ends(bench)
        assert await ends.talk(request(SESSION, 1, COMMAND)) == answer(0, 0, NO_SESSION)
