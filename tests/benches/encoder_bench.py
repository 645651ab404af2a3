"""The stream encoder: a pulse where a lane's value exceeds the number that its sharing group sees; docs/hardware.md has the rules."""

from typing import Any

import cocotb

from gatewright.hw.stochastic.sharing import ALL_LANES, PERIOD_BITS, rotate, rotation
from tests.benches.base import Bench, packed
from tests.benches.blocks import current
from tests.benches.lane_model import lanes

BLOCK = current()
OPERATOR, SIDE, BITS = BLOCK.operator, BLOCK.side, BLOCK.operand_bits
WIDTH, ACTIVATION, BIPOLAR = OPERATOR.width, BLOCK.side == "activation", OPERATOR.coding == "bipolar"
CODE_BITS = OPERATOR.activation_bits if ACTIVATION else OPERATOR.weight_bits
SIGNED = not ACTIVATION and not BIPOLAR  # the code's top bit stands apart
COMPARED = CODE_BITS - SIGNED
PERIOD = PERIOD_BITS // WIDTH  # lanes
SELECT = (PERIOD - 1).bit_length()
NUMBER_BITS = len(BLOCK.numbers[0])


def value(code: int) -> int:
    """A lane's operand as its stream has it: bipolar ones in offset binary, the others without sign."""
    return code % (1 << COMPARED) ^ (1 << COMPARED - 1 if BIPOLAR else 0)


def pulse(code: int, number: int, lane: int) -> int:
    """Bipolar streams of a register: it shows one more than its number."""
    group = 0 if OPERATOR.sharing == ALL_LANES else lane % PERIOD // OPERATOR.sharing
    level = rotate(number % (1 << COMPARED), COMPARED, rotation(OPERATOR.source, COMPARED, SIDE, group))
    return int(value(code) + (OPERATOR.source == "lfsr") > level)


def encoded(word: int, numbers: list[int]) -> int:
    codes = [code % (1 << CODE_BITS) for code in lanes(word, WIDTH, BITS)]
    if OPERATOR.adder == "mux":  # each number selects a lane of every period by its highest bits
        chosen = [first + (number >> NUMBER_BITS - SELECT) for first in range(0, len(codes), PERIOD) for number in numbers]
        pulses = [pulse(codes[lane], number, lane) for lane, number in zip(chosen, numbers * (len(codes) // PERIOD), strict=True)]
        signs = [codes[lane] >> COMPARED for lane in chosen]
    else:
        pulses = [pulse(code, number, lane) for lane, code in enumerate(codes) for number in numbers]
        signs = [code >> COMPARED for code in codes]
    return packed([*pulses, *(signs if SIGNED else [])], 1)


@cocotb.test()
async def words_and_numbers(dut: Any) -> None:
    """Values near the numbers among them, so that a comparison with or without equality is told apart."""
    names = [f"numbers__{j}" for j in range(WIDTH)]
    bench = await Bench(dut, 1, {"word": None} | dict.fromkeys(names, None)).start()
    for _ in range(400):
        word, numbers = bench.random.choice([0, (1 << BITS) - 1, *bench.some(9, BITS)]), bench.some(WIDTH, NUMBER_BITS)
        await bench.cycle({"word": word} | dict(zip(names, numbers, strict=True)), encoded=encoded(word, numbers))
