"""Bit streams made at the grid's edges, multiplied by one gate, counted exactly.

`width` bits of each stream are played a cycle, so that an element has as many gates as operand bits. Bipolar streams use the
XNOR operator's lanes unchanged; sign-magnitude streams use AND and an up-down count.
"""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.arithmetic import lane_ports, popcount
from gatewright.hw.config import Operator
from gatewright.hw.operators import xnor
from gatewright.hw.stochastic.numbers import Side
from gatewright.hw.stochastic.sources import pulse

OPTIONS: Mapping[str, Any] = {"stream_length": None, "coding": None, "source": None}
EXAMPLES = "sc_sign_magnitude_sobol64_8, sc_bipolar_lfsr256_8"


def name(operator: Operator) -> str:
    weights, activations = operator.weight_bits, operator.activation_bits
    bits = str(weights) if weights == activations else f"{weights}x{activations}"
    return f"sc_{operator.coding}_{operator.source}{operator.stream_length}_{bits}"


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = re.fullmatch(r"sc_(bipolar|sign_magnitude)_(lfsr|sobol)(\d+)_(\d)(?:x(\d))?", text)
    return match and {
        "coding": match[1],
        "source": match[2],
        "stream_length": int(match[3]),
        "weight_bits": int(match[4]),
        "activation_bits": int(match[5] or match[4]),
        "activation_signed": match[1] == "bipolar",
    }


def check(operator: Operator) -> None:
    width, length = operator.width, operator.stream_length or 0
    if not (3 <= operator.weight_bits <= 8 and 3 <= operator.activation_bits <= 8):
        raise ValueError("stochastic takes weights and activations of 3 to 8 bits")
    if not 8 <= length <= 4096 or length % width:
        raise ValueError(f"stream_length must be a multiple of the lane width {width} from 8 to 4096; got {length}")
    if operator.source == "counter":
        raise ValueError("the grid's streams come from lfsr or sobol sources")
    if operator.activation_signed != (operator.coding == "bipolar"):
        raise ValueError("bipolar activations are signed, sign_magnitude activations unsigned")


def number_bits(operator: Operator, side: Side) -> int:
    """Bits of the number a stream's value is compared with."""
    if side == "activation":
        return operator.activation_bits
    return operator.weight_bits if operator.coding == "bipolar" else operator.weight_bits - 1


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    return "xnor" if operator.coding == "bipolar" else f"sign_magnitude{operator.width}"


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest count of one element in one cycle."""
    return (0 if operator.coding == "bipolar" else -operand_bits), operand_bits


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements; sign-magnitude weights carry a sign per lane."""
    signs = 0 if operator.coding == "bipolar" else operand_bits // operator.width
    return operand_bits, operand_bits + signs


class Encoder(wiring.Component):
    """Turns one operand word into `width` bits of each lane's stream; the source's numbers come from outside, shared."""

    def __init__(self, operator: Operator, operand_bits: int, side: Side) -> None:
        self.operator, self.operand_bits, self.side = operator, operand_bits, side
        super().__init__(
            {
                "word": In(operand_bits),
                "numbers": In(number_bits(operator, side)).array(operator.width),
                "encoded": Out(encoded_bits(operator, operand_bits)[side == "weight"]),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.operator
        stored = op.activation_width if self.side == "activation" else op.weight_width
        bits = op.activation_bits if self.side == "activation" else op.weight_bits
        pulses: list[Value] = []
        signs: list[Value] = []
        for lane in range(self.operand_bits // op.width):
            code = self.word.word_select(lane, stored)[:bits]
            value: Value = code
            if op.coding == "bipolar":
                value = Cat(code[:-1], ~code[-1])
            elif self.side == "weight":
                value, sign = code[:-1], code[-1]
                signs.append(sign)
            pulses += [pulse(op.source or "sobol", value, number) for number in self.numbers]
        m.d.comb += self.encoded.eq(Cat(*pulses, *signs))
        return m


class SignMagnitudeLanes(wiring.Component):
    """Counts the coinciding pulses of each lane, up or down by the weight's sign."""

    def __init__(self, operator: Operator, operand_bits: int) -> None:
        self.operator, self.operand_bits = operator, operand_bits
        super().__init__(lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.operator.width
        both = Signal(self.operand_bits)
        m.d.comb += both.eq(self.activation & self.weight[: self.operand_bits])
        signs = self.weight[self.operand_bits :]
        # -n = ~n + 1, so flipping a lane's pulses where the sign is set counts width - n: the total is off by width for each
        # negative lane, and that is width * popcount(signs), known without looking at the pulses.
        flipped = [bit ^ signs[i // width] for i, bit in enumerate(both)]
        m.d.comb += self.sum.eq(popcount(m, flipped) - width * popcount(m, list(signs)))
        return m


def Lanes(operator: Operator, operand_bits: int) -> wiring.Component:
    """All lanes of one element: shared with XNOR for bipolar streams."""
    if operator.coding == "bipolar":
        return xnor.Lanes(operator, operand_bits)
    return SignMagnitudeLanes(operator, operand_bits)
