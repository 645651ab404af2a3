"""Instruction fetch: programs of random instructions, engines that are busy at random, a memory that pauses."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cocotb

from gatewright.hw.instructions import HEADER, Opcode
from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
IDLE = {
    "start": 0,
    "entry": None,
    "entry_words": None,
    "data": None,
    "data_valid": 0,
    "request_ready": 0,
    "compute_busy": None,
    "store_busy": None,
    "load_done": 0,
}
QUIET = dict.fromkeys(("busy", "request_valid", "data_ready", "fetching", "instruction_write", "dispatch"), 0)
ENGINES = {Opcode.COMPUTE: "compute_busy", Opcode.STORE: "store_busy"}
LOADS = [opcode for opcode in Opcode if opcode not in (*ENGINES, Opcode.END)]


@dataclass(frozen=True)
class Instruction:
    opcode: Opcode
    words: int  # in memory, header included
    wait_store: int = 0
    wait_compute: int = 0


END = Instruction(Opcode.END, 1)


def program(bench: Bench, length: int) -> list[Instruction]:
    """Random instructions; among them the longest there can be."""
    opcodes = bench.random.choices([opcode for opcode in Opcode if opcode != Opcode.END], k=length)
    sizes = [bench.random.choice([2, 3, bench.random.randint(2, 63)]) for _ in opcodes]
    return [Instruction(opcode, words, bench.bits(1), bench.bits(1)) for opcode, words in zip(opcodes, sizes, strict=True)] + [END]


class Stopped(Exception):
    """The number of cycles that the bench wanted are over."""


class Run:
    """One run of a program, or its first `cycles` cycles."""

    def __init__(self, bench: Bench, cycles: int | None = None) -> None:
        self.bench, self.left = bench, cycles

    async def cycle(self, inputs: dict[str, int], **outputs: int) -> None:
        if self.left == 0:
            raise Stopped
        if self.left:
            self.left -= 1
        await self.bench.cycle(inputs, **{"busy": 1} | outputs)

    async def program(self, instructions: list[Instruction], entry: int) -> None:
        await self.cycle({"start": 1, "entry": entry, "entry_words": instructions[0].words}, busy=0)
        for i, instruction in enumerate(instructions):
            following = instructions[i + 1].words if i + 1 < len(instructions) else self.bench.bits(6)
            await self.request(entry, instruction.words)
            await self.header(instruction, following)
            if instruction.opcode == Opcode.END:
                await self.end()
            else:
                await self.fields(instruction)
            if instruction.opcode in LOADS:
                await self.load(instruction)
            entry += instruction.words

    async def request(self, address: int, words: int) -> None:
        ready = False
        while not ready:
            ready = not self.bench.pause()
            await self.cycle(
                {"request_ready": ready}, fetching=1, request_valid=1, request_address=address % (1 << 24), request_length=words
            )

    async def header(self, instruction: Instruction, following: int) -> None:
        values = {"opcode": instruction.opcode, "next_words": following}
        values |= {"wait_store": instruction.wait_store, "wait_compute": instruction.wait_compute}
        places = HEADER.places
        known = sum(((1 << bits) - 1) << bit for _, bit, bits in places.values())
        word = self.bench.bits(BLOCK.config.operand_bits) & ~known | HEADER.encode(values)[0]
        valid = False
        while not valid:
            valid = not self.bench.pause()
            await self.cycle({"data_valid": valid} | ({"data": word} if valid else {}), fetching=1, data_ready=1)

    async def fields(self, instruction: Instruction) -> None:
        """Words go to the instruction registers; the engine's own are held back while it is busy."""
        engine, index = ENGINES.get(instruction.opcode), 0
        while index < instruction.words - 1:
            valid, busy = not self.bench.pause(), self.bench.pause()
            ready = not (engine and busy)
            last = index == instruction.words - 2
            await self.cycle(
                {"data_valid": valid} | ({engine: busy} if engine else {}),
                fetching=1,
                data_ready=ready,
                instruction_write=valid and ready,
                instruction_index=index,
                opcode=instruction.opcode,
                dispatch=engine is not None and valid and ready and last,
            )
            index += valid and ready

    async def load(self, instruction: Instruction) -> None:
        """One cycle or more of waiting, then the load until it is done."""
        free = False
        while not free:
            store, compute = self.bench.pause(), self.bench.pause()
            free = not (instruction.wait_store and store) and not (instruction.wait_compute and compute)
            await self.cycle(
                {"store_busy": store, "compute_busy": compute, "load_done": self.bench.bits(1)}, opcode=instruction.opcode, dispatch=free
            )
        done = False
        while not done:
            done = not self.bench.pause()
            await self.cycle({"load_done": done}, opcode=instruction.opcode)

    async def end(self) -> None:
        idle = False
        while not idle:
            store, compute = self.bench.pause(), self.bench.pause()
            idle = not store and not compute
            await self.cycle({"store_busy": store, "compute_busy": compute})


@cocotb.test()
async def programs_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for pauses in (0.0, 0.5, 0.2, 0.0):
        bench.pauses = pauses
        await Run(bench).program(program(bench, 24), bench.bits(24))
    await bench.rest(5)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    for cycles in (1, 2, 3, 4, *(bench.random.randrange(200) + 1 for _ in range(20))):
        with suppress(Stopped):
            await Run(bench, cycles).program(program(bench, 12), bench.bits(24))
        await bench.reset()
        await bench.rest(2)
    await Run(bench).program(program(bench, 4), bench.bits(24))
