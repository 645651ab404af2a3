"""The sequencer: addresses and control of every iteration of a COMPUTE, each in its cycle, with a drain that is slow at random."""

from contextlib import suppress
from itertools import product
from typing import Any

import cocotb

from gatewright.hw.instructions import BLOCK_LEVELS, COMPUTE, LEVELS, REDUCTION
from tests.benches.base import Bench
from tests.benches.blocks import current

BLOCK = current()
CONFIG = BLOCK.config
STAGES = CONFIG.pipeline_stages
DEPTH = 2 + STAGES  # cycles from an issue to its accumulation
IDLE: dict[str, int | None] = {"start": 0, "drained": 0} | {f"field_{name}": 0 for name in COMPUTE.places}
QUIET = dict.fromkeys(("busy", "token", "activation_read", "weight_read", "edge_select", "sum_enable", "accumulate"), 0)


class Stopped(Exception):
    """The number of cycles that the bench wanted are over."""


class Issue:
    """One iteration: its indices, its step of a stream, whether it begins and ends a block and a sum."""

    def __init__(self, index: tuple[int, ...], step: int, fields: dict[str, int], half: int) -> None:
        inner = range(BLOCK_LEVELS, LEVELS)
        self.index, self.step, self.half = index, step, half
        self.begins = all(index[i] == 0 for i in inner) and step == 0
        self.ends = all(index[i] == fields[f"last{i}"] for i in inner) and step == fields["last_step"]
        self.clear = all(index[i] == 0 for i in REDUCTION) and step == 0 and not fields["accumulate"]
        self.place = 2 * index[-1] + half


class Engine:
    """COMPUTEs one after the other. `half` is the half of the accumulators that the next block fills."""

    def __init__(self, bench: Bench, stop: int | None = None) -> None:
        self.bench, self.half, self.left = bench, 0, stop

    async def compute(self, fields: dict[str, int], slow: float) -> None:
        """`slow`: how likely a finished block is not drained in a cycle."""
        bench, inputs = self.bench, {f"field_{name}": value for name, value in fields.items()}
        await self.cycle(inputs | {"start": 1})
        await self.cycle(inputs, {"busy": 1})
        waiting, reads = self.issues(fields), self.reads(fields)
        past: list[Issue | None] = [None] * (DEPTH + 1)  # past[i]: issued i cycles ago
        undrained = finished = 0
        while waiting or any(past[:-1]) or undrained:
            blocked = bool(waiting) and waiting[0].begins and undrained == 2
            issue = waiting.pop(0) if waiting and not blocked else None
            past = [issue, *past[:-1]]
            shown = self.control(fields, past) | ({} if issue is None else next(reads))
            drained = finished > 0 and bench.random.random() >= slow
            await self.cycle(inputs | {"drained": drained}, {"busy": 1} | shown)
            undrained += bool(issue and issue.begins and fields["drain"]) - drained
            finished += shown.get("token", 0) - drained

    async def cycle(self, inputs: dict[str, int], outputs: dict[str, int] | None = None) -> None:
        if self.left == 0:
            raise Stopped
        self.left = None if self.left is None else self.left - 1
        await self.bench.cycle(inputs, **outputs or {})

    def issues(self, fields: dict[str, int]) -> list[Issue]:
        issues = []
        for index in product(*(range(fields[f"last{i}"] + 1) for i in range(LEVELS))):
            for step in range(fields["last_step"] + 1):
                issues.append(Issue(index, step, fields, self.half))
                self.half ^= issues[-1].ends and fields["drain"]
        return issues

    def reads(self, fields: dict[str, int]) -> Any:
        """Of every issue: a buffer's word is read in its first step, unless it is the one that was read before."""
        addresses, before = {side: fields[f"{side}_base"] for side in ("activation", "weight")}, None
        for index in product(*(range(fields[f"last{i}"] + 1) for i in range(LEVELS))):
            moved = None if before is None else next(i for i in range(LEVELS) if index[i] != before[i])
            shown = {}
            for side, words in (("activation", CONFIG.activation_words), ("weight", CONFIG.weight_words)):
                delta = 1 if moved is None else fields[f"{side}_delta{moved}"] % words
                addresses[side] += 0 if moved is None else delta
                if delta:
                    shown |= {f"{side}_read": 1, f"{side}_address": addresses[side]}
            before = index
            yield shown
            for _ in range(fields["last_step"]):
                yield {}

    def control(self, fields: dict[str, int], past: list[Issue | None]) -> dict[str, int]:
        shown: dict[str, int] = {"operator_select": 1 << fields["operator"]}
        if at_edge := past[1]:
            shown |= {"edge_select": 1 << fields["operator"], "edge_step": at_edge.step}
        shown["sum_enable"] = sum((past[2 + i] is not None) << i for i in range(max(1, STAGES)))
        if last := past[DEPTH]:
            shown |= {"accumulate": 1, "clear": last.clear, "index": last.place, "token": int(last.ends and fields["drain"])}
        return shown


def random_fields(bench: Bench, counts: list[int], drain: int = 1) -> dict[str, int]:
    fields = {name: bench.bits(bits) for name, (_, _, bits) in COMPUTE.places.items()}
    fields |= {f"last{i}": count - 1 for i, count in enumerate(counts)}
    for name in list(fields):
        if "_delta" in name and bench.random.random() < 0.3:
            fields[name] = 0
    operator = bench.random.randrange(len(CONFIG.operators))
    steps = CONFIG.operators[operator].steps
    return fields | {"operator": operator, "last_step": steps - 1, "drain": drain, "accumulate": bench.bits(1)}


def random_counts(bench: Bench) -> list[int]:
    counts = [bench.random.choice([1, 1, 2, 3]) for _ in range(LEVELS - 1)]
    return [*counts, bench.random.randint(1, CONFIG.accumulator_depth // 2)]


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    engine = Engine(bench)
    for number, slow in enumerate((0.0, 0.5, 0.95) * 4):
        counts = random_counts(bench)
        await engine.compute(random_fields(bench, counts, drain=int(number % 5 != 4)), slow)
    await bench.rest(DEPTH + 2)


@cocotb.test()
async def long_loops(dut: Any) -> None:
    """Each loop many times around."""
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    engine = Engine(bench)
    for level in range(LEVELS - 1):
        fields = random_fields(bench, [0x156 if i == level else 1 for i in range(LEVELS)])
        await engine.compute(fields | {"last_step": 0}, 0.0)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 3, IDLE, QUIET).start()
    for stop in (1, 2, 3, 4, 5, *(bench.random.randrange(1, 80) for _ in range(12))):
        with suppress(Stopped):
            await Engine(bench, stop).compute(random_fields(bench, random_counts(bench)), 0.7)
        await bench.reset()
        await bench.rest(DEPTH + 2)
    await Engine(bench).compute(random_fields(bench, random_counts(bench)), 0.5)
