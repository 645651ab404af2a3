"""Random networks on accelerators with counters, sharing groups and every adder: every layer and cycle of the RTL."""

import pytest

from gatewright.hw.config import AcceleratorConfig, integer, stochastic
from tests.generators import random_case
from tests.rtl.checks import complaint

CONFIG = AcceleratorConfig(
    rows=2,
    cols=4,
    operand_bits=64,
    operators=(
        integer(8),
        stochastic(32, "bipolar", "lfsr", sharing=2),
        stochastic(64, source="counter", sharing=1),
        stochastic(32, source="sobol", adder="mux"),
        stochastic(32, source="lfsr", bits=4, sharing=2, adder="or"),
        stochastic(32, "bipolar", adder="approximate"),
    ),
    accumulator_bits=24,
    accumulator_depth=4,
    weight_words=128,
)

SHORT = AcceleratorConfig(
    rows=2,
    cols=2,
    operand_bits=32,
    operators=(integer(4), stochastic(4, bits=4), stochastic(4, source="counter", bits=4), stochastic(4, "bipolar", bits=4)),
    accumulator_depth=4,
    weight_words=128,
)


def test_streams_of_one_cycle() -> None:
    """Streams as long as their lane is wide: one step, as the integers beside them."""
    cases = [random_case(SHORT, 92, seed) for seed in range(8)]
    used = {layer.layer.operator for case in cases for layer in case.program.network.layers}
    assert used == {*SHORT.operators}
    assert {operator.steps for operator in used} == {1}
    assert [found for found in map(complaint, cases) if found] == []


@pytest.mark.thorough
def test_networks() -> None:
    cases = [random_case(CONFIG, 91, seed) for seed in range(24)]
    assert {layer.layer.operator.kind for case in cases for layer in case.program.network.layers} == {"int", "stochastic"}
    used = {layer.layer.operator.adder for case in cases for layer in case.program.network.layers}
    assert used == {None, "exact", "mux", "or", "approximate"}
    assert any(layer.layer.groups > 1 and layer.layer.operator.sharing == 1 for case in cases for layer in case.program.network.layers)
    assert [found for found in map(complaint, cases) if found] == []
