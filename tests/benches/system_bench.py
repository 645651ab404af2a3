"""The cocotb side: a host that talks by the command stream alone, and an external memory, both with random pauses on demand."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from gatewright.hw.instructions import ADDRESS_BITS
from gatewright.hw.system import READ, RUN, WRITE
from gatewright.sw import golden
from tests.benches.designs import CONFIGS, case, cases, cycles, moved
from tests.generators import Case

DESIGN = os.environ["BENCH_DESIGN"]
CONFIG = CONFIGS[DESIGN]
SPARE = 16  # words beyond the program's memory that nothing may touch
HIGHEST = (1 << ADDRESS_BITS) - 10_000  # where a program may begin


class Job:
    """A program at some address, its two batches of images, and the cycles predicted for each."""

    def __init__(self, case: Case, base: int = 0) -> None:
        case, self.image = moved(case, base)
        self.base, self.program, self.schedule, self.cycles = base, case.program, case.program.schedule, cycles(case)
        self.batches = case.codes.reshape(2, self.schedule.images, *case.codes.shape[1:])

    @property
    def places(self) -> range:
        """Addresses that may be used."""
        return range(self.base, self.schedule.memory_words + SPARE)

    def results(self, batch: np.ndarray) -> list[np.ndarray]:
        """Every layer's, by the golden model."""
        return golden.forward(self.program.network, batch)


SHORT = Job(case(DESIGN))
JOBS = [Job(each, base) for each, base in zip(cases(DESIGN), Random(1).choices(range(HIGHEST), k=99), strict=False)]
PATIENCE = 20 * max(job.cycles for job in (SHORT, *JOBS)) + 5000


@dataclass
class Memory:
    """External memory: a request when no burst is open, a word every `interval` cycles, held until it is taken; writes apart.

    `pause` says, each cycle and channel, whether to hold back; the declared memory never does.
    """

    pause: Callable[[], bool]
    words: dict[int, int] = field(default_factory=dict)
    interval: int = CONFIG.memory_interval
    places: range = SHORT.places
    address: int = 0
    left: int = 0
    read_wait: int = 0
    write_wait: int = 0
    offered: bool = False

    def abandon(self) -> None:
        """Reset: an open burst is forgotten."""
        self.left = self.read_wait = self.write_wait = 0
        self.offered = False

    def drive(self, dut: Any) -> None:
        self.offered = self.left > 0 and self.read_wait == 0 and (self.offered or not self.pause())
        dut.request_ready.value = int(self.left == 0 and not self.pause())
        dut.data_valid.value = int(self.offered)
        dut.data.value = self.words.get(self.address, 0) if self.offered else 0x0BAD
        dut.write_ready.value = int(self.write_wait == 0 and not self.pause())

    def observe(self, dut: Any) -> None:
        self.read_wait, self.write_wait = max(0, self.read_wait - 1), max(0, self.write_wait - 1)
        if self.offered and dut.data_ready.value:
            self.address, self.left, self.offered = self.address + 1, self.left - 1, False
            self.read_wait = self.interval - 1
        if dut.request_ready.value and dut.request_valid.value:
            self.address, self.left = int(dut.request_address.value), int(dut.request_length.value)
            assert self.left > 0, "an empty burst"
            last = self.address + self.left - 1
            assert self.address in self.places, f"a burst at {self.address}"
            assert last in self.places, f"a burst up to {last}"
            self.read_wait = self.interval - 1
        if dut.write_ready.value and dut.write_valid.value:
            address = int(dut.write_address.value)
            assert address in self.places, f"a write to {address}"
            self.words[address] = int(dut.write_data.value)
            self.write_wait = self.interval - 1


HELD = {
    "request_valid": ("request_ready", ("request_address", "request_length")),
    "write_valid": ("write_ready", ("write_address", "write_data")),
}


class Bench:
    """One simulation: clock, reset, memory and host. Checks in every cycle that what is offered stays until it is taken."""

    def __init__(self, dut: Any, seed: int, pauses: bool) -> None:
        self.dut, self.random = dut, Random(seed)
        self.pauses = pauses
        self.memory, self.job = Memory(self.pause), SHORT
        self.waiting: dict[str, tuple[int, ...]] = {}
        self.cycle = 0

    def pause(self) -> bool:
        return self.pauses and self.random.random() < 0.3

    async def step(self) -> dict[str, int]:
        """One cycle: inputs were set by the caller; what the host port showed, once settled."""
        dut = self.dut
        self.memory.drive(dut)
        await FallingEdge(dut.clk)
        self.check_held()
        self.memory.observe(dut)
        shown = {name: int(getattr(dut, name).value) for name in ("in_ready", "out_valid", "out_data")}
        await RisingEdge(dut.clk)
        self.cycle += 1
        assert self.cycle < PATIENCE * 20, "the simulation does not end"
        return shown

    def check_held(self) -> None:
        for valid, (ready, names) in HELD.items():
            port = getattr(self.dut, valid)
            now = tuple(int(getattr(self.dut, name).value) for name in names) if port.value else None
            if valid in self.waiting and not self.dut.rst.value:
                assert now == self.waiting[valid], f"{valid} was withdrawn or changed before {ready}"
            self.waiting.pop(valid, None)
            if now is not None and not getattr(self.dut, ready).value:
                self.waiting[valid] = now

    async def reset(self, cycles: int = 2) -> None:
        self.dut.rst.value, self.dut.in_valid.value, self.dut.out_ready.value, self.dut.in_data.value = 1, 0, 0, 0
        for _ in range(cycles):
            await self.step()
        self.memory.abandon()
        self.waiting.clear()
        self.dut.rst.value = 0

    async def send(self, words: list[int]) -> None:
        for word in words:
            while self.pause():
                await self.step()
            self.dut.in_valid.value, self.dut.in_data.value = 1, int(word)
            for _ in range(PATIENCE):
                if (await self.step())["in_ready"]:
                    break
            else:
                raise AssertionError("the host's word was not taken")
            self.dut.in_valid.value = 0

    async def receive(self, number: int) -> list[int]:
        words: list[int] = []
        for _ in range(PATIENCE):
            ready = not self.pause()
            self.dut.out_ready.value = int(ready)
            shown = await self.step()
            words += [shown["out_data"]] * (ready and shown["out_valid"])
            if len(words) == number:
                self.dut.out_ready.value = 0
                return words
        raise AssertionError(f"{len(words)} of {number} words came")

    async def command(self, operation: int, length: int, address: int) -> None:
        low = operation | length << 8
        await self.send([low, address] if CONFIG.operand_bits == 32 else [low | address << 32])

    async def write(self, address: int, words: np.ndarray) -> None:
        await self.command(WRITE, len(words), address)
        await self.send([int(word) for word in words])

    async def read(self, address: int, number: int) -> np.ndarray:
        await self.command(READ, number, address)
        return np.array(await self.receive(number), dtype=np.uint64)

    async def load(self, job: Job = SHORT) -> None:
        self.job, self.memory.places = job, job.places
        await self.write(job.base, job.image)

    async def run(self) -> int:
        """The program from its start; returns the cycles that RUN answers."""
        await self.command(RUN, self.job.program.entry_words, self.job.base)
        return (await self.receive(1))[0]

    async def infer(self, batch: np.ndarray) -> int:
        """Images in, RUN, logits out; every layer's results compared, and all else in memory as it was. Returns RUN's cycles."""
        first, *maps = self.job.schedule.maps
        await self.write(first.address, self.job.program.pack_input(batch))
        before = dict(self.memory.words)
        cycles = await self.run()
        logits = await self.read(maps[-1].address, maps[-1].words)
        for i, (region, expected) in enumerate(zip(maps, self.job.results(batch), strict=True)):
            places = range(region.address, region.address + region.words)
            words = np.array([self.memory.words[place] for place in places], dtype=np.uint64)
            np.testing.assert_array_equal(self.job.program.unpack_output(words, i), expected)
            before |= {place: self.memory.words[place] for place in places}
        np.testing.assert_array_equal(logits, words)
        assert self.memory.words == before, "memory changed that holds no results"
        return cycles


async def started(dut: Any, seed: int, pauses: bool) -> Bench:
    bench = Bench(dut, seed, pauses)
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    await bench.reset()
    return bench


@cocotb.test()
async def memory_reads_back_what_was_written(dut: Any) -> None:
    """WRITE and READ of several lengths through the host port, with pauses on every stream."""
    bench = await started(dut, 1, pauses=True)
    for length in (1, 2, 7, 33):
        words = np.array([bench.random.getrandbits(CONFIG.operand_bits) for _ in range(length)], dtype=np.uint64)
        address = bench.random.randrange(SHORT.schedule.memory_words - length)
        await bench.write(address, words)
        np.testing.assert_array_equal(await bench.read(address, length), words)
        assert [bench.memory.words[address + i] for i in range(length)] == words.tolist()


@cocotb.test()
async def runs_back_to_back(dut: Any) -> None:
    """Three batches one after the other under the declared memory: right logits, and the predicted cycles each time."""
    bench = await started(dut, 2, pauses=False)
    await bench.load()
    assert [await bench.infer(batch) for batch in (*SHORT.batches, SHORT.batches[0])] == [SHORT.cycles] * 3


@cocotb.test()
async def one_program_after_the_other(dut: Any) -> None:
    """Every feature of programs, without a reset in between: each layer's results, and the predicted cycles."""
    bench = await started(dut, 6, pauses=False)
    for job in JOBS:
        await bench.load(job)
        assert [await bench.infer(batch) for batch in job.batches] == [job.cycles] * 2


@cocotb.test()
async def pauses_change_no_result(dut: Any) -> None:
    """Everything pauses at random: host, memory's requests, its words, its writes."""
    bench = await started(dut, 3, pauses=True)
    await bench.load()
    for batch in SHORT.batches:
        assert await bench.infer(batch) > SHORT.cycles


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    """A reset at any moment of a run, of a WRITE or of a READ; the next run is right and takes the predicted cycles."""
    bench = await started(dut, 4, pauses=False)
    await bench.load()
    for moment in [0, 1, 2, *(bench.random.randrange(SHORT.cycles) for _ in range(8)), SHORT.cycles, SHORT.cycles + 1]:
        await bench.command(RUN, SHORT.program.entry_words, 0)
        for _ in range(moment):
            await bench.step()
        await bench.reset(1)
        assert await bench.infer(SHORT.batches[moment % 2]) == SHORT.cycles
    for operation in (WRITE, READ):
        await bench.command(operation, 9, SHORT.schedule.memory_words)
        await (bench.send([1, 2, 3]) if operation == WRITE else bench.receive(3))
        await bench.reset(1)
        assert await bench.infer(SHORT.batches[0]) == SHORT.cycles


@cocotb.test()
async def an_unknown_command_does_nothing(dut: Any) -> None:
    bench = await started(dut, 5, pauses=False)
    await bench.load()
    before = dict(bench.memory.words)
    await bench.command(0, 5, 3)
    for _ in range(20):
        assert not (await bench.step())["out_valid"]
    assert bench.memory.words == before
    assert await bench.infer(SHORT.batches[0]) == SHORT.cycles
