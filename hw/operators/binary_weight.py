"""Weights of -1 and +1: a lane adds or subtracts its activation."""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from gatewright.hw.arithmetic import balanced_sum, lane_ports, popcount
from gatewright.hw.config import Operator

OPTIONS: Mapping[str, Any] = {}
EXAMPLES = "bw8 (binary weights)"


def name(operator: Operator) -> str:
    return f"bw{operator.activation_bits}{'s' if operator.activation_signed else ''}"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = re.fullmatch(r"bw(\d)(s?)", text)
    return match and {"weight_bits": 1, "activation_bits": int(match[1]), "activation_signed": bool(match[2])}


def check(operator: Operator) -> None:
    if operator.weight_bits != 1:
        raise ValueError("binary_weight has weight_bits = 1")
    if not 2 <= operator.activation_bits <= 8:
        raise ValueError("binary_weight takes activations of 2 to 8 bits; for one bit use xnor")


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    return f"binary_weight{operator.activation_bits}{'s' if operator.activation_signed else 'u'}"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest sum of one element's lanes in one cycle."""
    lanes = operand_bits // operator.width
    extreme = max(-operator.activation_range[0], operator.activation_range[1])
    return -lanes * extreme, lanes * extreme


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements."""
    lanes = operand_bits // operator.width
    return lanes * operator.activation_width, lanes


class Lanes(wiring.Component):
    """Sum of plus or minus each activation: inverted where the weight is -1, with the ones of the negations counted apart."""

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        self.operator, self.lanes = operator, operand_bits // operator.width
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.operator
        terms: list[Value] = []
        negative = Signal(self.lanes)
        m.d.comb += negative.eq(~self.weight)
        for i in range(self.lanes):
            a: Value = self.activation.word_select(i, op.activation_width)[: op.activation_bits]
            terms.append((a.as_signed() if op.activation_signed else a) ^ negative[i].replicate(op.activation_bits + 1).as_signed())
        m.d.comb += self.sum.eq(balanced_sum([*terms, popcount(m, list(negative))]))
        return m
