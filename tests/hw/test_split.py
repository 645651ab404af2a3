"""The lane array that divides: in every mode its sum equals the operators' arithmetic, lane by lane; every partial product counts."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, stochastic, xnor
from gatewright.hw.datapath import datapaths
from gatewright.hw.errors import BadInput
from gatewright.hw.split import SplitLanes, mode_of, modes, spread
from gatewright.sim import simulate
from tests.operators.circuits import expected

PAIRS = 400
SETS = {
    "8 4 2 1": (integer(8), integer(4), integer(2), xnor(), integer(4, 8), binary_weight(8), binary_weight(2)),
    "signs": (integer(8), integer(8, signed=True), integer(4, signed=True), integer(3), binary_weight(4, signed=True), binary_weight(5)),
    "4 1": (integer(4), xnor(), integer(4, signed=True)),
    "8 and bits": (integer(7, 6), xnor()),
}


class Spreading(wiring.Component):
    """The array behind the words' way through a column's edge, for every operator in turn."""

    def __init__(self, operators: tuple[Operator, ...], bits: int) -> None:
        self.operators, self.bits = operators, bits
        self.lanes = SplitLanes(operators, bits)
        total = self.lanes.signature.members["sum"].shape
        super().__init__({"select": In(len(operators)), "activation": In(bits), "weight": In(bits), "sum": Out(total)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lanes = lanes = self.lanes
        word = Signal(self.bits)
        for i, operator in enumerate(self.operators):
            with m.If(self.select[i]):
                m.d.comb += word.eq(spread(operator, self.weight, lanes.lane))
                m.d.comb += lanes.mode.eq(1 << modes(self.operators).index(mode_of(operator)))
        m.d.comb += [lanes.activation.eq(self.activation), lanes.weight.eq(word), self.sum.eq(lanes.sum)]
        return m


def words(operator: Operator, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random words whose lanes hold legal codes, and the extremes."""
    lanes = bits // operator.width
    low, high = operator.activation_range
    activations = np.zeros(PAIRS, dtype=np.uint64)
    weights = np.zeros(PAIRS, dtype=np.uint64)
    for lane in range(lanes):
        a = rng.integers(low, high + 1, PAIRS)
        a[:4] = low, low, high, high
        w = rng.integers(0, 1 << operator.weight_bits, PAIRS)
        w[:4] = [1 << (operator.weight_bits - 1), (1 << (operator.weight_bits - 1)) - 1] * 2
        activations |= (a.astype(np.int64) & ((1 << operator.width) - 1)).astype(np.uint64) << np.uint64(lane * operator.width)
        weights |= w.astype(np.uint64) << np.uint64(lane * operator.weight_width)
    return activations, weights


@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize("name", SETS)
def test_every_mode_computes_its_operator(name: str, bits: int) -> None:
    operators, rng = SETS[name], np.random.default_rng(5)
    pairs = [words(operator, bits, rng) for operator in operators]
    stimulus = {
        "select": np.repeat([1 << i for i in range(len(operators))], PAIRS),
        "activation": np.concatenate([a for a, _ in pairs]),
        "weight": np.concatenate([w for _, w in pairs]),
    }
    sums = simulate(Spreading(operators, bits), stimulus)["sum"]
    for i, operator in enumerate(operators):
        np.testing.assert_array_equal(sums[i * PAIRS : (i + 1) * PAIRS], expected(operator, bits, *pairs[i]), err_msg=operator.name)


def test_one_datapath_serves_all_that_split() -> None:
    operators = (integer(8), stochastic(64), xnor(), stochastic(64, "bipolar"), binary_weight(8))
    config = AcceleratorConfig(rows=1, cols=1, operators=operators, split=True)
    assert [(path.name, len(path.operators)) for path in datapaths(config)] == [("split", 4), ("sign_magnitude8", 1)]
    with pytest.raises(BadInput, match="split needs two or more of int, binary_weight, xnor and bipolar operators .* got int8, sc_sign"):
        config.replace(operators=(integer(8), stochastic(64)))
    assert len(datapaths(config.replace(split=False))) == 4
