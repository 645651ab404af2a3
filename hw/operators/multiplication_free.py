"""Sums in place of products: the magnitudes of both operands under their signs (ENOS, Nasrin et al., arXiv 2104.05217).

`l1`: a * sgn(w) + sgn(a) * w. `mfnet`: sgn(a) * |w| + sgn(w) * |a|. `zero_sign` is sgn(0).
"""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from gatewright.hw.arithmetic import balanced_sum, lane_ports, popcount
from gatewright.hw.config import Operator

OPTIONS: Mapping[str, Any] = {"variant": None, "zero_sign": 1}
EXAMPLES = "mf_l1_8, mf_mfnet_4x8s (sums of magnitudes), mf_l1_8_sgn0 (the sign of zero is zero)"


def name(operator: Operator) -> str:
    weights, activations = operator.weight_bits, operator.activation_bits
    bits = str(weights) if weights == activations else f"{weights}x{activations}"
    zero = "" if operator.zero_sign else "_sgn0"
    return f"mf_{operator.variant}_{bits}{'s' if operator.activation_signed else ''}{zero}"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = re.fullmatch(r"mf_(l1|mfnet)_(\d)(?:x(\d))?(s?)(_sgn0)?", text)
    return match and {
        "variant": match[1],
        "weight_bits": int(match[2]),
        "activation_bits": int(match[3] or match[2]),
        "activation_signed": bool(match[4]),
        "zero_sign": 0 if match[5] else 1,
    }


def check(operator: Operator) -> None:
    if not (2 <= operator.weight_bits <= 8 and 2 <= operator.activation_bits <= 8):
        raise ValueError(
            f"multiplication_free takes weights and activations of 2 to 8 bits; got {operator.weight_bits} and {operator.activation_bits}"
        )


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    signed = "s" if operator.activation_signed else "u"
    return f"multiplication_free_{operator.variant}{operator.weight_bits}x{operator.activation_bits}{signed}{operator.zero_sign}"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest sum of one element's lanes in one cycle."""
    extreme = max(-operator.activation_range[0], operator.activation_range[1]) + (1 << (operator.weight_bits - 1))
    lanes = operand_bits // operator.width
    return -lanes * extreme, lanes * extreme


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements."""
    lanes = operand_bits // operator.width
    return lanes * operator.activation_width, lanes * operator.weight_width


class Lanes(wiring.Component):
    """Sum of plus or minus each activation and weight: inverted where negated, with the ones of the negations counted apart.

    `l1` negates each operand where the other one is negative; `mfnet` both where one of them is.
    """

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        self.operator, self.lanes = operator, operand_bits // operator.width
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.operator
        terms: list[Value] = []
        ones: list[Value] = []
        for i in range(self.lanes):
            code = self.activation.word_select(i, op.activation_width)[: op.activation_bits]
            a: Value = code.as_signed() if op.activation_signed else code
            w = self.weight.word_select(i, op.weight_width)[: op.weight_bits].as_signed()
            negations = Signal(2)  # of the activation, of the weight
            a_negative, w_negative = (a[-1] if op.activation_signed else 0), w[-1]
            if op.variant == "l1":
                m.d.comb += [negations[0].eq(w_negative), negations[1].eq(a_negative)]
            else:
                m.d.comb += negations.eq((a_negative ^ w_negative).replicate(2))
            terms += [self._negated(a, negations[0], w), self._negated(w, negations[1], a)]
            ones += list(negations)
        m.d.comb += self.sum.eq(balanced_sum([*terms, popcount(m, ones)]))
        return m

    def _negated(self, value: Value, negation: Value, other: Value) -> Value:
        """The value, inverted where it is negated; where sgn(0) is 0, nothing if the other operand is zero."""
        bits = value[:] if self.operator.zero_sign else value[:] & other.any().replicate(len(value))
        extended = bits.as_signed() if value.shape().signed else bits
        return extended ^ negation.replicate(len(value) + 1).as_signed()
