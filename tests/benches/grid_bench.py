"""The grid: operand words at its edges, the products of the operators' arithmetic in its accumulators."""

from typing import Any

import cocotb
import numpy as np

from gatewright.hw.config import Operator
from gatewright.sw.operators import arithmetic
from tests.benches.base import Bench, packed
from tests.benches.blocks import current

BLOCK = current()
CONFIG = BLOCK.config
ROWS, COLS, DEPTH, STAGES = CONFIG.rows, CONFIG.cols, CONFIG.accumulator_depth, CONFIG.pipeline_stages
WORDS = [*(f"activations__{r}" for r in range(ROWS)), *(f"weights__{c}" for c in range(COLS))]
CONTROL = ("edge_select", "operator_select", "sum_enable", "accumulate", "drain_row")
IDLE: dict[str, int | None] = dict.fromkeys((*WORDS, "edge_step", "clear", "index", "drain_index"), None) | dict.fromkeys(CONTROL, 0)
QUIET = {f"drained__{c}": 0 for c in range(COLS)}


class Layers:
    """The accumulators [row, column, index] as they are to be."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.sums = bench, np.zeros((ROWS, COLS, DEPTH), dtype=np.int64)

    async def layer(self, operator: Operator, pairs: int) -> None:
        """Every pair stays for the steps of its stream; what travels behind: at the edge, then `pipeline_stages`, then accumulation."""
        select = 1 << CONFIG.operators.index(operator)
        past: list[dict[str, int] | None] = [None] * (2 + STAGES)
        for _ in range(pairs):
            words, products = self.pair(operator)
            index, clear = self.bench.random.randrange(DEPTH), self.bench.pause()
            for step in range(operator.steps):
                while self.bench.pause():
                    past = [None, *past[:-1]]
                    await self.bench.cycle(self.behind(past, select))
                past = [{"clear": clear and step == 0, "index": index}, *past[:-1]]
                await self.bench.cycle({"edge_select": select, "edge_step": step} | words | self.behind(past, select))
            self.sums[:, :, index] = products + (0 if clear else self.sums[:, :, index])
        for _ in range(1 + STAGES):
            past = [None, *past[:-1]]
            await self.bench.cycle(self.behind(past, select))
        await self.drain()

    def behind(self, past: list[dict[str, int] | None], select: int) -> dict[str, int]:
        enables = [pair is not None for pair in past[1 : 1 + max(1, STAGES)]]
        last = past[1 + STAGES]
        return {"operator_select": select, "sum_enable": packed(enables, 1)} | ({} if last is None else {"accumulate": 1, **last})

    def pair(self, operator: Operator) -> tuple[dict[str, int], np.ndarray]:
        """Random words of a row's activations and a column's weights, and the sums of their products [row, column]."""
        rng, lanes = np.random.default_rng(self.bench.bits(32)), CONFIG.lanes(operator)
        low, high = operator.activation_range
        activations = rng.integers(low, high + 1, (ROWS, 1, lanes))
        most = 1 << operator.weight_bits - 1
        least = 1 - most if operator.coding == "sign_magnitude" else -most
        weights = rng.integers(0, 2, (1, COLS, lanes)) if operator.weight_bits == 1 else rng.integers(least, most, (1, COLS, lanes))
        rules = arithmetic(operator)
        packings = (
            ("activations", rules.pack_activations(activations).reshape(ROWS, lanes), operator.activation_width),
            ("weights", rules.pack_weights(weights).reshape(COLS, lanes), operator.weight_width),
        )
        words = {f"{name}__{i}": packed(map(int, codes), width) for name, rows, width in packings for i, codes in enumerate(rows)}
        return words, rules.product(activations, weights).sum(axis=2)

    async def drain(self) -> None:
        for row in range(ROWS):
            for index in range(DEPTH):
                shown = {f"drained__{c}": int(self.sums[row, c, index]) for c in range(COLS)}
                await self.bench.cycle({"drain_row": 1 << row, "drain_index": index}, **shown)


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE, QUIET).start()
    layers = Layers(bench)
    for pauses in (0.0, 0.3):
        bench.pauses = pauses
        for operator in CONFIG.operators:
            await layers.layer(operator, 25)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE, QUIET).start()
    for operator in CONFIG.operators:
        layers = Layers(bench)
        await layers.layer(operator, 4)
        await bench.rest(1, {"edge_select": 1 << CONFIG.operators.index(operator)})
        await bench.reset()
        await Layers(bench).drain()
