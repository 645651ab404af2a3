"""An operator's lanes: a sum of products each cycle, by the operator's arithmetic; extremes among random operands."""

from typing import Any

import cocotb
import numpy as np

from tests.benches.base import Bench
from tests.benches.blocks import current
from tests.operators.circuits import expected, random_words

BLOCK = current()
OPERATOR, BITS = BLOCK.operator, BLOCK.lanes * BLOCK.operator.width


@cocotb.test()
async def sums(dut: Any) -> None:
    bench = await Bench(dut, 1, {"activation": None, "weight": None}).start()
    activations, weights = random_words(np.random.default_rng(1), 1500)
    for a, w, total in zip(activations, weights, expected(OPERATOR, BITS, activations, weights), strict=True):
        inputs = {name: int(word) % (1 << len(getattr(dut, name))) for name, word in (("activation", a), ("weight", w))}
        await bench.cycle(inputs, sum=(int(total), -1))
