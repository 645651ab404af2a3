"""The processing element: lane products of operand pairs, summed into accumulators, with idle cycles and drains in between."""

from collections import deque
from typing import Any

import cocotb

from gatewright.hw.config import Operator
from gatewright.hw.split import mode_of
from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.benches.lane_model import lane_sum, weight_word

BLOCK = current()
CONFIG = BLOCK.config
PATHS, STAGES = BLOCK.paths, CONFIG.pipeline_stages
MODES = [mode for path in PATHS for mode in path.modes]
WIDEST = max((mode.width for mode in MODES), default=0)
OPERANDS = [f"{side}{i}" for i in range(len(PATHS)) for side in ("activation", "weight")]
IDLE: dict[str, int | None] = dict.fromkeys(OPERANDS, None)
IDLE |= {"sum_enable": 0, "sum_select": 0, "valid": 0, "clear": None, "index": None, "drain": 0, "drain_index": None}
IDLE |= {"mode": 0} if MODES else {}


class Layers:
    """The accumulators as they are to be, and layers of random operand pairs."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.accumulators = bench, [0] * CONFIG.accumulator_depth

    async def layer(self, operator: Operator, pairs: int) -> None:
        """A pair's sum is added, or replaces, `pipeline_stages` cycles after its operands; every cycle shows some accumulator."""
        bench, path = self.bench, next(i for i, path in enumerate(PATHS) if operator in path.operators)
        constant = {"sum_select": 1 << path} | ({"mode": self.mode(operator)} if MODES else {})
        travelling: deque[tuple[int, int, int] | None] = deque([None] * (STAGES + 1), maxlen=STAGES + 1)
        while pairs or any(travelling):
            inputs: dict[str, int] = dict(constant)
            travelling.appendleft(None)
            if pairs and not bench.pause():
                pairs -= 1
                activation, weight = self.words(operator)
                spread = weight_word(operator, weight, CONFIG.operand_bits, WIDEST) if PATHS[path].modes else weight
                inputs |= {f"activation{path}": activation, f"weight{path}": spread}
                total = lane_sum(operator, activation, weight, CONFIG.operand_bits)
                travelling[0] = total, bench.random.random() < 0.2, bench.random.randrange(CONFIG.accumulator_depth)
            inputs["sum_enable"] = sum((pair is not None) << i for i, pair in enumerate(list(travelling)[: max(1, STAGES)]))
            drain, shown = bench.bits(1), bench.random.randrange(CONFIG.accumulator_depth)
            inputs |= {"drain": drain, "drain_index": shown}
            expected = self.accumulators[shown] if drain else 0
            if last := travelling[-1]:
                total, clear, index = last
                inputs |= {"valid": 1, "clear": clear, "index": index}
                self.accumulators[index] = total + (0 if clear else self.accumulators[index])
            await bench.cycle(inputs, drained=expected)

    def words(self, operator: Operator) -> tuple[int, int]:
        """Random operand words; now and then the extremes."""
        ones = (1 << CONFIG.operand_bits) - 1
        activation, weight = (self.bench.random.choice([0, ones, *self.bench.some(6, CONFIG.operand_bits)]) for _ in range(2))
        return activation, weight

    def mode(self, operator: Operator) -> int:
        mine = mode_of(operator)
        return sum((mode == mine) << i for i, mode in enumerate(MODES))


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE).start()
    layers = Layers(bench)
    for pauses in (0.0, 0.5, 0.2):
        bench.pauses = pauses
        for operator in CONFIG.operators:
            await layers.layer(operator, 60)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for operator in CONFIG.operators * 2:
        await Layers(bench).layer(operator, 12)
        await bench.rest(bench.bits(1), {"sum_select": 1, "sum_enable": 1, "valid": 1})
        await bench.reset()
        for index in range(CONFIG.accumulator_depth):
            await bench.cycle({"drain": 1, "drain_index": index}, drained=0)
