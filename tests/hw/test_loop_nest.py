"""The loop nest against nested loops."""

import random
from itertools import product

import pytest
from amaranth.sim import Simulator

from gatewright.hw.loop_nest import LoopNest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_walks_like_nested_loops(levels: int, seed: int) -> None:
    """Twice through, with pauses: indices, the loop that will move, and the end."""
    rng = random.Random(seed)
    counts = [rng.randint(1, 4) for _ in range(levels)]
    nest = LoopNest(levels, 4)
    walk = list(product(*(range(count) for count in counts)))

    async def bench(context: object) -> None:
        for i, count in enumerate(counts):
            context.set(nest.last[i], count - 1)
        for step in range(2 * len(walk)):
            now, after = walk[step % len(walk)], walk[(step + 1) % len(walk)]
            for pause in (*rng.choices([True, False], k=2), False):
                context.set(nest.advance, not pause)
                done = step % len(walk) == len(walk) - 1
                moved = 0 if done else 1 << next(i for i in range(levels) if now[i] != after[i])
                assert tuple(context.get(index) for index in nest.index) == now
                assert context.get(nest.at_last) == sum((now[i] == counts[i] - 1) << i for i in range(levels))
                assert (context.get(nest.done), context.get(nest.level)) == (done, moved)
                await context.tick()
                if not pause:
                    break

    simulator = Simulator(nest)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
