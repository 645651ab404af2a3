"""The edge of a row or column: operand words registered in the selected operator's datapath, streams generated on the way."""

from typing import Any

import cocotb

from gatewright.hw.config import Operator
from gatewright.hw.operators import circuit
from tests.benches.base import Bench, packed
from tests.benches.blocks import current
from tests.benches.lane_model import lanes, weight_word

BLOCK = current()
CONFIG, SIDE = BLOCK.config, BLOCK.side
NUMBERS = [circuit(operator).number_bits(operator, SIDE) for operator in BLOCK.encoded]
IDLE = {"word": None, "select": 0} | {f"numbers{i}": None for i in range(len(NUMBERS))}


def encoded(operator: Operator, word: int, numbers: list[int]) -> int:
    """Lane after lane, a pulse for each number that the lane's value exceeds; signs of weights behind them.

    A register gives one more than its number, so a value must reach it. Bipolar codes are compared as offset binary.
    """
    bits = operator.activation_bits if SIDE == "activation" else operator.weight_bits
    codes = [code & (1 << bits) - 1 for code in lanes(word, operator.width, CONFIG.operand_bits)]
    signs: list[int] = []
    if operator.coding == "bipolar":
        codes = [code ^ 1 << bits - 1 for code in codes]
    elif SIDE == "weight":
        signs, codes = [code >> bits - 1 for code in codes], [code & (1 << bits - 1) - 1 for code in codes]
    register = operator.source == "lfsr"
    return packed([*(int(code + register > number) for code in codes for number in numbers), *signs], 1)


class Edges:
    """Each datapath's operand as it is to be."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.operands = bench, {f"operand{i}": 0 for i in range(len(BLOCK.paths))}

    async def words(self, operator: Operator | None, number: int) -> None:
        for _ in range(number):
            await self.bench.cycle(self.inputs(operator), **self.operands)
            self.operands |= self.following

    def inputs(self, operator: Operator | None) -> dict[str, int]:
        bench, word = self.bench, self.bench.random.choice([0, (1 << CONFIG.operand_bits) - 1, *self.bench.some(4, CONFIG.operand_bits)])
        numbers = [bench.some(o.width, bits) for o, bits in zip(BLOCK.encoded, NUMBERS, strict=True)]
        inputs = {"word": word, "select": 0}
        inputs |= {f"numbers{i}": packed(some, bits) for i, (some, bits) in enumerate(zip(numbers, NUMBERS, strict=True))}
        self.following: dict[str, int] = {}
        if operator and not bench.pause():
            inputs["select"] = 1 << CONFIG.operators.index(operator)
            i = next(i for i, path in enumerate(BLOCK.paths) if operator in path.operators)
            if operator in BLOCK.encoded:
                word = encoded(operator, word, numbers[BLOCK.encoded.index(operator)])
            elif SIDE == "weight" and BLOCK.paths[i].modes:
                word = weight_word(operator, word, CONFIG.operand_bits, max(mode.width for mode in BLOCK.paths[i].modes))
            self.following = {f"operand{i}": word}
        return inputs


@cocotb.test()
async def layers_back_to_back(dut: Any) -> None:
    bench = await Bench(dut, 1, IDLE).start()
    bench.pauses = 0.25
    edges = Edges(bench)
    for _ in range(3):
        for operator in (*CONFIG.operators, None):
            await edges.words(operator, 30)


@cocotb.test()
async def reset_in_flight(dut: Any) -> None:
    bench = await Bench(dut, 2, IDLE).start()
    for operator in CONFIG.operators:
        await Edges(bench).words(operator, 4)
        await bench.reset()
        await Edges(bench).words(operator, 4)
        await bench.reset()
