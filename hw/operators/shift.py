"""Weights that are powers of two: a lane shifts its activation and negates it (deep shift; Elhoushi et al., arXiv 1905.13298)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from gatewright.hw.arithmetic import balanced_sum, lane_ports, popcount
from gatewright.hw.config import Operator


def all_exponents(fields: Mapping[str, Any]) -> int | None:
    """Every exponent that the weight's bits below its sign can name; None where those are not given."""
    bits = fields.get("weight_bits")
    return 1 << (bits - 1) if isinstance(bits, int) and bits > 0 else None


OPTIONS: Mapping[str, Callable[[Mapping[str, Any]], int | None]] = {"exponents": all_exponents}
EXAMPLES = "shift5x8 (a sign and 4 bits of exponent x activations), shift4x8e6 (6 of its 8 exponents)"


def name(operator: Operator) -> str:
    exponents = "" if operator.exponents == 1 << (operator.weight_bits - 1) else f"e{operator.exponents}"
    return f"shift{operator.weight_bits}x{operator.activation_bits}{exponents}{'s' if operator.activation_signed else ''}"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = re.fullmatch(r"shift(\d)x(\d)(?:e(\d+))?(s?)", text)
    return match and {
        "weight_bits": int(match[1]),
        "activation_bits": int(match[2]),
        "exponents": int(match[3]) if match[3] else None,
        "activation_signed": bool(match[4]),
    }


def check(operator: Operator) -> None:
    if not (2 <= operator.weight_bits <= 6 and 2 <= operator.activation_bits <= 8):
        got = f"{operator.weight_bits} and {operator.activation_bits}"
        raise ValueError(f"shift takes weights of 2 to 6 bits, a sign and an exponent, and activations of 2 to 8 bits; got {got}")
    most = 1 << (operator.weight_bits - 1)
    if not 2 <= exponents(operator) <= most:
        raise ValueError(f"exponents must be from 2 to {most} with {operator.weight_bits}-bit weights; got {operator.exponents}")


def exponents(operator: Operator) -> int:
    """How many exponents a weight may have; the least is 0."""
    return operator.exponents or 0


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    return f"shift{operator.weight_bits}x{operator.activation_bits}e{operator.exponents}{'s' if operator.activation_signed else 'u'}"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest sum of one element's lanes in one cycle."""
    lanes = operand_bits // operator.width
    extreme = lanes * max(-operator.activation_range[0], operator.activation_range[1]) << (exponents(operator) - 1)
    return -extreme, extreme


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements."""
    lanes = operand_bits // operator.width
    return lanes * operator.activation_width, lanes * operator.weight_width


class Lanes(wiring.Component):
    """Sum of plus or minus each shifted activation.

    An activation is inverted before it is shifted, and its sign bit fills the places it leaves: -(a << e) is the inverse of a << e,
    plus a one that is counted apart. Inverting before is 3% to 6% smaller than after, with 16 exponents (IHP 130 nm).
    """

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        self.operator, self.lanes = operator, operand_bits // operator.width
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.operator
        terms: list[Value] = []
        negative = Signal(self.lanes)
        for i in range(self.lanes):
            a = self.activation.word_select(i, op.activation_width)[: op.activation_bits]
            w = self.weight.word_select(i, op.weight_width)[: op.weight_bits]
            m.d.comb += negative[i].eq(w[-1])
            inverted = Cat(a, a[-1] & op.activation_signed) ^ negative[i].replicate(len(a) + 1)
            terms.append(self._shifted(m, inverted, w[:-1], negative[i]).as_signed())
        m.d.comb += self.sum.eq(balanced_sum([*terms, popcount(m, list(negative))]))
        return m

    def _shifted(self, m: Module, value: Value, exponent: Value, fill: Value) -> Value:
        """`value` shifted left, `fill` coming in: a level of multiplexers for each bit of the exponents in use."""
        most = exponents(self.operator) - 1
        widest = len(value) + most
        for place in range(most.bit_length()):
            distance = 1 << place
            level = Signal(min(len(value) + distance, widest))
            higher, same = Cat(fill.replicate(distance), value), Cat(value, value[-1].replicate(distance))
            m.d.comb += level.eq(Mux(exponent[place], higher, same))
            value = level
        return value
