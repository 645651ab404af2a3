"""Post-processing of one column: a pipeline of beats, back to back and with gaps."""

from dataclasses import replace
from typing import Any

import cocotb

from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.benches.post_model import Beat, Pool, Settings, random_layer, random_settings

BLOCK = current()
BITS, ROWS, POOLING = BLOCK.config.accumulator_bits, BLOCK.config.rows, BLOCK.config.pooling
STAGES = 5
IDLE = dict.fromkeys(("plane", "row", "first", "last", "accumulator", "bias", "scale"), None) | {"beat": 0}


async def layer(bench: Bench, settings: Settings, beats: list[Beat], gaps: float, stop: int | None = None) -> None:
    """All beats of a layer; `travelling[i]` is the one that stage i works on."""
    pool, travelling, waiting = Pool(settings), [None] * STAGES, list(beats)
    for _ in range(100 * len(beats) if stop is None else stop):
        beat = waiting.pop(0) if waiting and bench.random.random() >= gaps else None
        travelling = [beat, *travelling[:-1]]
        inputs = settings.fields() | {"beat": sum((b is not None) << i for i, b in enumerate(travelling))}
        if b := travelling[0]:
            inputs["accumulator"] = b.sums[0] % (1 << BITS)
        if b := travelling[1]:
            inputs |= {"bias": b.channels[0].bias % (1 << BITS), "scale": b.channels[0].scale}
        if b := travelling[3]:
            inputs["plane"] = b.plane
        expected = None
        if b := travelling[4]:
            inputs |= {"row": b.row, "first": b.first, "last": b.final}
            expected = pool.take(b)
        await bench.cycle(inputs, **({} if expected is None else {"result": expected[0]}))
        if not waiting and not any(travelling[:-1]):
            return


def settings_of(bench: Bench) -> Settings:
    chosen = random_settings(bench.random)
    return replace(chosen, pool_shift=bench.random.randint(0, 3)) if chosen.average and POOLING else replace(chosen, average=False)


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE).start()
    for gaps in (0, 0.5) * 30:
        settings = settings_of(bench)
        await layer(bench, settings, random_layer(bench.random, settings, ROWS, 1, BITS, POOLING), gaps)


@cocotb.test()
async def the_largest_average(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for low, high in ((0, 255), (-128, 127)) if POOLING else ():
        settings = Settings(0, low, high, average=True, pool_shift=6)
        beats = random_layer(bench.random, settings, ROWS, 1, BITS, POOLING, 2)
        extreme = [replace(beat, sums=[(1 if high > 127 else -1) * ((1 << BITS - 2) - 1)]) for beat in beats]
        await layer(bench, settings, beats, 0)
        await layer(bench, settings, [replace(b, channels=[replace(b.channels[0], bias=0, multiplier=255, shift=1)]) for b in extreme], 0)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE).start()
    for _ in range(6):
        settings = settings_of(bench)
        beats = random_layer(bench.random, settings, ROWS, 1, BITS, POOLING)
        await layer(bench, settings, beats, 0.2, stop=bench.random.randrange(30))
        await bench.reset()
        await layer(bench, settings, beats, 0.2)
