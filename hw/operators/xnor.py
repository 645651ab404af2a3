"""One-bit weights and activations: XNOR and popcount. Bipolar stochastic streams use the same lanes."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from gatewright.hw.arithmetic import lane_ports, popcount
from gatewright.hw.config import Operator

OPTIONS: Mapping[str, Any] = {}
EXAMPLES = "xnor"


def name(operator: Operator) -> str:
    return "xnor"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    return {"weight_bits": 1, "activation_bits": 1} if text == "xnor" else None


def check(operator: Operator) -> None:
    if (operator.weight_bits, operator.activation_bits, operator.activation_signed) != (1, 1, False):
        raise ValueError("xnor has weight_bits = activation_bits = 1, unsigned")


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    return "xnor"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest count of one element in one cycle."""
    return 0, operand_bits


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements."""
    return operand_bits, operand_bits


class Lanes(wiring.Component):
    """The number of equal bits of two words."""

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        equal = Signal.like(self.weight)
        m.d.comb += [equal.eq(~(self.activation ^ self.weight)), self.sum.eq(popcount(m, list(equal)))]
        return m
