"""The loop nest against nested loops."""

from itertools import product
from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
LEVELS = range(BLOCK.levels)
IDLE = {"advance": 0} | {f"last__{i}": 0 for i in LEVELS}


def shown(now: tuple[int, ...], counts: list[int]) -> dict[str, int]:
    """Indices, which loops are at their last, and which will move: the first in which the following index differs."""
    at_last = [now[i] == counts[i] - 1 for i in LEVELS]
    moving = max((i for i in LEVELS if not at_last[i]), default=None)
    return {f"index__{i}": now[i] for i in LEVELS} | {
        "at_last": sum(high << i for i, high in enumerate(at_last)),
        "level": 0 if moving is None else 1 << moving,
        "done": all(at_last),
    }


async def walk(bench: Bench, counts: list[int], steps: int | None = None) -> None:
    """Through all loops (or some steps of them)."""
    lasts = {f"last__{i}": count - 1 for i, count in enumerate(counts)}
    for now in list(product(*map(range, counts)))[:steps]:
        await bench.handshake("advance", lasts, **shown(now, counts))


@cocotb.test()
async def walks_back_to_back(dut: Any) -> None:
    """Every loop long once, several random nests; each begins in the cycle after the last ended."""
    bench = await Bench(dut, 1, IDLE).start()
    nests = [[1 << BLOCK.bits if i == level else 1 for i in LEVELS] for level in LEVELS]
    for counts in [*nests, *([bench.random.randint(1, 4) for _ in LEVELS] for _ in range(8))]:
        await walk(bench, counts)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for _ in range(12):
        counts = [bench.random.randint(2, 9) for _ in LEVELS]
        await walk(bench, counts, bench.random.randrange(200))
        await bench.reset()
    await walk(bench, [2] * BLOCK.levels)
