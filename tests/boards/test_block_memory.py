"""External memory on chip against the memory that cycle counts assume, stepped side by side."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from gatewright.hw.block_memory import BlockMemory

DEPTH, WIDTH = 37, 16


class Declared:
    """The declared memory, written as its rules: a burst's first word comes `interval` cycles after its request, then one each interval."""

    def __init__(self, interval: int) -> None:
        self.interval, self.words = interval, [0] * DEPTH
        self.left, self.address, self.read_wait, self.write_wait = 0, 0, 0, 0

    def edge(self, request: tuple[int, int] | None, take: bool, write: tuple[int, int] | None) -> None:
        taken, begun = take and self.valid, request is not None and self.left == 0
        written = write is not None and self.write_wait == 0
        self.read_wait, self.write_wait = max(0, self.read_wait - 1), max(0, self.write_wait - 1)
        if taken:
            self.address, self.left, self.read_wait = self.address + 1, self.left - 1, self.interval - 1
        if begun and request:
            (self.address, self.left), self.read_wait = request, self.interval - 1
        if written and write:
            self.words[write[0]], self.write_wait = write[1], self.interval - 1

    @property
    def valid(self) -> bool:
        return self.left > 0 and self.read_wait == 0


@pytest.mark.parametrize("single_port", [False, True])
@pytest.mark.parametrize("interval", [1, 2, 3])
def test_words_and_cycles(interval: int, single_port: bool) -> None:
    """With two ports every signal is as declared in every cycle; with one, the same words in the same order, and writes no slower."""
    memory, model, rng = BlockMemory(DEPTH, WIDTH, interval, single_port), Declared(interval), random.Random(interval)
    got, bursts = list[int](), 0

    async def bench(context: Any) -> None:
        nonlocal bursts
        burst, expected = (0, 0), list[int]()
        for _ in range(3000):
            bursting = context.get(memory.request_ready) == 0
            request = (place := rng.randrange(DEPTH), rng.randrange(1, DEPTH - place + 1)) if rng.randrange(3) == 0 else None
            # A burst's words are not written while it is under way: nothing in the accelerator does that, and their order is not defined.
            low, high = (burst[0], burst[0] + burst[1]) if bursting else (request and (request[0], sum(request))) or (0, 0)
            place = rng.randrange(DEPTH)
            write = (place, rng.randrange(1 << WIDTH)) if rng.randrange(2) and not low <= place < high else None
            take = bool(rng.randrange(3))
            context.set(memory.request_valid, request is not None)
            context.set(memory.request_address, request[0] if request else 0)
            context.set(memory.request_length, request[1] if request else 0)
            context.set(memory.write_valid, write is not None)
            context.set(memory.write_address, write[0] if write else 0)
            context.set(memory.write_data, write[1] if write else 0)
            context.set(memory.data_ready, take)
            if not single_port:
                assert bool(context.get(memory.data_valid)) == model.valid
                assert bool(context.get(memory.request_ready)) == (model.left == 0)
            assert bool(context.get(memory.write_ready)) == (model.write_wait == 0)
            if context.get(memory.data_valid) and take:
                assert context.get(memory.data) == expected.pop(0)
                got.append(1)
            begun = request is not None and not bursting
            model.edge(request, take, write)
            await context.tick()
            if begun and request:
                assert not expected
                burst, bursts = request, bursts + 1
                expected = model.words[request[0] : sum(request)]

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert bursts > 20
    assert len(got) > 400
