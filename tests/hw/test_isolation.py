"""Operand isolation: what is not in use stands still, and only then."""

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer
from gatewright.hw.edge import Edge
from gatewright.hw.element import Element
from gatewright.sim import energy, simulate

CONFIG = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(integer(8), binary_weight(8)), pipeline_stages=2)
CYCLES = 200


@pytest.mark.parametrize("isolation", [True, False])
def test_the_edge_holds_operands_of_circuits_that_are_not_in_use(isolation: bool) -> None:
    words = np.random.default_rng(1).integers(0, 1 << 32, CYCLES)
    shown = simulate(Edge(CONFIG.replace(isolation=isolation), "activation"), {"word": words, "select": 1})
    np.testing.assert_array_equal(shown["operand0"][1:], words[:-1])
    assert shown["operand1"].any() == (not isolation)


def test_the_element_registers_only_what_is_asked_for() -> None:
    """Energy of the same operands with the enables high and low: registers that ignore theirs would toggle all the same."""
    rng = np.random.default_rng(2)
    operands = {f"activation{i}": rng.integers(0, 1 << 32, CYCLES) for i in range(2)}
    operands |= {"weight0": rng.integers(0, 1 << 32, CYCLES), "weight1": rng.integers(0, 1 << 4, CYCLES)}

    def registered(**control: int) -> float:
        idle = dict.fromkeys(("valid", "clear", "index", "drain", "drain_index"), 0)
        report = energy(Element(CONFIG), {**operands, **idle, "sum_select": 1, **control})
        return sum(pj for kind, pj in report.by_type().items() if "df" in kind) / CYCLES

    still, first, both = registered(sum_enable=0), registered(sum_enable=1), registered(sum_enable=3)
    other = registered(sum_enable=1, sum_select=0)
    assert still < first < both
    assert other == pytest.approx(still)
