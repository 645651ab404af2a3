"""The drain: which accumulators it empties in which order, where their results go, and whose parameters it asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import cocotb

from gatewright.hw.drain import FIELDS, RAW_PLANES
from gatewright.hw.instructions import BLOCK_LEVELS, COMPUTE, LEVELS, OutputMode
from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
CONFIG = BLOCK.config
IDLE = {"initialise": 0, "token": 0} | {f"field_{name}": 0 for name in FIELDS}
QUIET = {"beat": 0, "drained": 0, "parameter_read": 0}


@dataclass
class Layer:
    """The loops of a COMPUTE outside its reduction, rows of the grid and accumulators of a block; the rest is random."""

    fields: dict[str, int]

    @classmethod
    def random(cls, bench: Bench, counts: list[int], accumulators: int, rows: int, mode: OutputMode) -> "Layer":
        fields = {name: bench.bits(COMPUTE.places[name][2]) for name in FIELDS}
        fields |= {f"last{i}": count - 1 for i, count in enumerate(counts)}
        return cls(fields | {f"last{LEVELS - 1}": accumulators - 1, "last_row": rows - 1, "mode": int(mode)})

    @property
    def inputs(self) -> dict[str, int]:
        return {f"field_{name}": value for name, value in self.fields.items()}

    def blocks(self, half: int) -> Iterator[list[dict[str, int]]]:
        """The beats of each block, as what the drain shows in them."""
        f = self.fields
        output, parameter, before = f["output_base"], f["parameter_base"], None
        planes = RAW_PLANES if f["mode"] == OutputMode.RAW else 1
        for now in product(*(range(f[f"last{i}"] + 1) for i in range(BLOCK_LEVELS))):
            if before is not None:
                moved = next(i for i in range(BLOCK_LEVELS) if now[i] != before[i])
                output, parameter = output + f[f"output_delta{moved}"], parameter + f[f"parameter_delta{moved}"]
            beats = []
            for a, row, plane in product(range(f[f"last{LEVELS - 1}"] + 1), range(f["last_row"] + 1), range(planes)):
                beats.append(
                    {
                        "beat": 1,
                        "row": 1 << row,
                        "row_index": row,
                        "index": 2 * a + half,
                        "plane": plane,
                        "pool_first": now[-2:] == (0, 0),
                        "pool_last": now[-2:] == (f[f"last{BLOCK_LEVELS - 2}"], f[f"last{BLOCK_LEVELS - 1}"]),
                        "address": output + a * f["output_stride_a"] + row * f["output_stride_row"] + 8 * plane,
                        "parameter_read": row == plane == 0,
                        "parameter_address": parameter + a * f["parameter_stride_a"],
                    }
                )
            beats[-1]["drained"] = 1
            yield beats
            before, half = now, 1 - half


class Drained:
    """Runs layers; remembers which half of the accumulators is next."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.half = bench, 0

    async def layer(self, layer: Layer, stop: int | None = None) -> None:
        """Tokens come at random, at most two blocks are in flight. With `stop` only so many cycles."""
        bench, waiting = self.bench, list(layer.blocks(self.half))
        self.half ^= len(waiting) % 2
        await bench.cycle(layer.inputs | {"initialise": 1})
        tokens = 0
        while waiting and stop != 0:
            token = tokens < min(2, len(waiting)) and not bench.pause()
            beat = waiting[0].pop(0) if tokens else {}
            await bench.cycle(layer.inputs | {"token": token}, **beat)
            tokens += token
            if not waiting[0]:
                del waiting[0]
                tokens -= 1
            stop = None if stop is None else stop - 1


def random_layer(bench: Bench) -> Layer:
    counts = [bench.random.choice([1, 1, 2, 3]) for _ in range(BLOCK_LEVELS)]
    accumulators = bench.random.randint(1, CONFIG.accumulator_depth // 2)
    mode = bench.random.choice(list(OutputMode))
    return Layer.random(bench, counts, accumulators, bench.random.randint(1, CONFIG.rows), mode)


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    drained = Drained(bench)
    for pauses in (0.0, 0.6, 0.9) * 6:
        bench.pauses = pauses
        await drained.layer(random_layer(bench))
    await bench.rest(4)


@cocotb.test()
async def long_loops(dut: Any) -> None:
    """Each loop many times around, with deltas of all bits."""
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    bench.pauses = 0.01
    drained = Drained(bench)
    for level in range(BLOCK_LEVELS):
        counts = [700 if level == i else 1 for i in range(BLOCK_LEVELS)]
        await drained.layer(Layer.random(bench, counts, 1, 1, OutputMode.SIGN))


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for stop in (0, 1, 2, *(bench.random.randrange(60) for _ in range(12))):
        bench.pauses = 0.3
        await Drained(bench).layer(random_layer(bench), stop)
        await bench.reset()
        await bench.rest(3)
    await Drained(bench).layer(random_layer(bench))
