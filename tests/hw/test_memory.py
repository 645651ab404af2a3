"""On-chip memory against a dictionary, with random reads and writes of groups, every cycle."""

import random

import pytest
from amaranth.sim import Simulator

from gatewright.hw.memory import Memory


@pytest.mark.parametrize(("depth", "width", "groups"), [(1, 4, 1), (4, 8, 1), (8, 12, 3), (5, 32, 4), (16, 64, 16)])
def test_reads_give_the_old_word_and_hold_and_writes_keep_to_their_groups(depth: int, width: int, groups: int) -> None:
    memory, rng = Memory(depth, width, groups), random.Random(depth)
    words, shown, held, replaced = [0] * depth, 0, 0, 0

    async def bench(context: object) -> None:
        nonlocal shown, held, replaced
        for _ in range(600):
            enable, read = rng.randrange(1 << groups), rng.randrange(2)
            place, data, wanted = rng.randrange(depth), rng.randrange(1 << width), rng.randrange(depth)
            context.set(memory.write_enable, enable)
            context.set(memory.write_address, place)
            context.set(memory.write_data, data)
            context.set(memory.read_enable, read)
            context.set(memory.read_address, wanted)
            await context.tick()
            held += not read
            replaced += read and place == wanted and enable != 0
            shown = words[wanted] if read else shown
            part = width // groups
            mask = sum(((1 << part) - 1) << (g * part) for g in range(groups) if enable >> g & 1)
            words[place] = words[place] & ~mask | data & mask
            assert context.get(memory.read_data) == shown

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert min(held, replaced) > 10
