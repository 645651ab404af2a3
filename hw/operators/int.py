"""Two's complement multiplication: the ordinary operator."""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from gatewright.hw.arithmetic import balanced_sum, lane_ports
from gatewright.hw.config import Operator

OPTIONS: Mapping[str, Any] = {}  # optional fields of this kind, with their defaults; None must be given
EXAMPLES = "int8, int4x8 (weights x activations), int8s (signed activations)"


def name(operator: Operator) -> str:
    bits, same = operator.weight_bits, operator.weight_bits == operator.activation_bits
    return f"int{bits}{'' if same else f'x{operator.activation_bits}'}{'s' if operator.activation_signed else ''}"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = re.fullmatch(r"int(\d)(?:x(\d))?(s?)", text)
    return match and {"weight_bits": int(match[1]), "activation_bits": int(match[2] or match[1]), "activation_signed": bool(match[3])}


def check(operator: Operator) -> None:
    if not (2 <= operator.weight_bits <= 8 and 2 <= operator.activation_bits <= 8):
        raise ValueError("int takes weights and activations of 2 to 8 bits; for one bit use xnor or binary_weight")


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    return f"int{operator.weight_bits}x{operator.activation_bits}{'s' if operator.activation_signed else 'u'}"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest sum of one element's lanes in one cycle."""
    low, high = operator.activation_range
    extreme = 1 << (operator.weight_bits - 1)
    lanes = operand_bits // operator.width
    products = [w * a for w in (-extreme, extreme - 1) for a in (low, high)]
    return lanes * min(products), lanes * max(products)


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements."""
    lanes = operand_bits // operator.width
    return lanes * operator.activation_width, lanes * operator.weight_width


class Lanes(wiring.Component):
    """All lane products of one element and their sum, combinational."""

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        self.operator, self.lanes = operator, operand_bits // operator.width
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.operator
        products: list[Value] = []
        for i in range(self.lanes):
            a: Value = self.activation.word_select(i, op.activation_width)[: op.activation_bits]
            w = self.weight.word_select(i, op.weight_width)[: op.weight_bits].as_signed()
            products.append(w * (a.as_signed() if op.activation_signed else a))
        m.d.comb += self.sum.eq(balanced_sum(products))
        return m
