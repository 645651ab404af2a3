"""Post-processing of all columns: drained rows in, writes into the output buffer out."""

from dataclasses import replace
from typing import Any

import cocotb

from gatewright.hw.channel import SCALE_BITS
from gatewright.hw.instructions import OutputMode
from gatewright.hw.post import LATENCY
from tests.benches.base import Bench, Output, packed
from tests.benches.blocks import current
from tests.benches.post_model import Beat, Pool, Settings, random_layer, random_settings

BLOCK = current()
CONFIG = BLOCK.config
BITS, COLS = CONFIG.accumulator_bits, CONFIG.cols
INPUTS = ("plane", "row_index", "pool_first", "pool_last", "address", "bias", "scale", *(f"accumulators__{c}" for c in range(COLS)))
IDLE = dict.fromkeys(INPUTS, None) | {"beat": 0}
QUIET = {"write_enable": 0, "busy": 0}


def write(settings: Settings, address: int, results: list[int]) -> dict[str, Output]:
    """Results beside each other in their containers, in groups of `cols` bits; a write to a row's beginning clears the rest."""
    bits = 1 << settings.container
    row, place = divmod(address % (1 << len(BLOCK.address)), BLOCK.groups)
    enable = (1 << BLOCK.groups) - 1 if place == 0 else (1 << bits) - 1 << place
    mask = sum(((1 << COLS) - 1) << group * COLS for group in range(BLOCK.groups) if enable >> group & 1)
    return {"write_enable": enable, "write_address": row, "write_data": (packed(results, bits) << place * COLS, mask)}


async def layer(bench: Bench, settings: Settings, beats: list[Beat], gaps: float, stop: int | None = None) -> None:
    pool, waiting = Pool(settings), list(beats)
    travelling: list[Beat | None] = [None] * (LATENCY + 1)
    for _ in range(100 * len(beats) if stop is None else stop):
        beat = waiting.pop(0) if waiting and bench.random.random() >= gaps else None
        travelling = [beat, *travelling[:-1]]
        inputs: dict[str, int] = settings.fields() | {"field_container": settings.container, "beat": beat is not None}
        if beat:
            inputs |= {f"accumulators__{c}": beat.sums[c] % (1 << BITS) for c in range(COLS)}
            inputs |= {"plane": beat.plane, "row_index": beat.row, "address": beat.address}
            inputs |= {"pool_first": beat.first, "pool_last": beat.final}
        if b := travelling[1]:  # the parameters' memory answers a cycle after the beat
            inputs["bias"] = packed((channel.bias for channel in b.channels), BITS)
            inputs["scale"] = packed((channel.scale for channel in b.channels), SCALE_BITS)
        last = travelling[LATENCY]
        results = pool.take(last) if last else None
        expected = write(settings, last.address, results) if last and results is not None else {}
        await bench.cycle(inputs, busy=any(b is not None for b in travelling[1:]), **expected)
        if not waiting and not any(travelling[:-1]):
            return


def addressed(bench: Bench, settings: Settings, beats: list[Beat]) -> list[Beat]:
    """Addresses that a container may have: multiples of its size; every window's samples go to one place."""
    places = (1 << len(BLOCK.address)) >> settings.container
    place = dict.fromkeys(range(CONFIG.rows), 0)
    out = []
    for beat in beats:
        if beat.first or not CONFIG.pooling:
            place[beat.row] = bench.random.choice([0, bench.random.randrange(places)]) << settings.container
        out.append(replace(beat, address=place[beat.row]))
    return out


def random_case(bench: Bench) -> tuple[Settings, list[Beat]]:
    settings = random_settings(bench.random)
    raw, average = settings.mode == OutputMode.RAW, settings.average and CONFIG.pooling
    container = 3 if raw else bench.random.randint(0, 3)
    settings = replace(settings, container=container, average=average, pool_shift=bench.random.randint(0, 3) if average else 0)
    beats = random_layer(bench.random, settings, CONFIG.rows, COLS, BITS, CONFIG.pooling)
    return settings, addressed(bench, settings, beats)


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    for gaps in (0, 0.5) * 12:
        await layer(bench, *random_case(bench), gaps)
    await bench.rest(5)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    for _ in range(8):
        await layer(bench, *random_case(bench), 0.2, stop=bench.random.randrange(12))
        await bench.reset()
        await bench.rest(LATENCY + 1)
    await layer(bench, *random_case(bench), 0)
