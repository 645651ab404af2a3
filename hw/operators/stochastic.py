"""Bit streams made at the grid's edges, multiplied by one gate, counted exactly or approximately.

`width` bits of each stream are played a cycle, so that an element has as many gates as operand bits. Bipolar streams that are counted
exactly use the XNOR operator's lanes unchanged; sign-magnitude streams use AND and an up-down count. What lanes share and what adders
join repeats every `PERIOD_BITS` operand bits, so that a layer computes the same on elements of any width.
"""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Array, Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.arithmetic import lane_ports
from gatewright.hw.config import Operator, Source
from gatewright.hw.operators import xnor
from gatewright.hw.stochastic.lanes import StreamLanes
from gatewright.hw.stochastic.numbers import Side
from gatewright.hw.stochastic.sharing import ALL_LANES, PERIOD_BITS, SELECT_BITS, rotation
from gatewright.hw.stochastic.sources import NumberSource, pulse

OPTIONS: Mapping[str, Any] = {"stream_length": None, "coding": None, "source": None, "sharing": ALL_LANES, "adder": "exact"}
LENGTH_MAX = 4096
EXAMPLES = "sc_sign_magnitude_sobol64_8, sc_bipolar_lfsr256_8, sc_sign_magnitude_counter64_8_share1_mux"


def name(operator: Operator) -> str:
    weights, activations = operator.weight_bits, operator.activation_bits
    bits = str(weights) if weights == activations else f"{weights}x{activations}"
    share = "" if operator.sharing == ALL_LANES else f"_share{operator.sharing}"
    adder = "" if operator.adder == "exact" else f"_{operator.adder}"
    return f"sc_{operator.coding}_{operator.source}{operator.stream_length}_{bits}{share}{adder}"


NAME = re.compile(
    r"sc_(?P<coding>bipolar|sign_magnitude)_(?P<source>lfsr|sobol|counter)(?P<length>\d+)"
    r"_(?P<weight>\d)(?:x(?P<activation>\d))?(?:_share(?P<sharing>\d+))?(?:_(?P<adder>approximate|mux|or))?"
)


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    match = NAME.fullmatch(text)
    return match and {
        "coding": match["coding"],
        "source": match["source"],
        "stream_length": int(match["length"]),
        "weight_bits": int(match["weight"]),
        "activation_bits": int(match["activation"] or match["weight"]),
        "activation_signed": match["coding"] == "bipolar",
        "sharing": int(match["sharing"] or ALL_LANES),
        "adder": match["adder"] or "exact",
    }


def check(operator: Operator) -> None:
    width, length, sharing = operator.width, operator.stream_length or 0, operator.sharing or 0
    if not (3 <= operator.weight_bits <= 8 and 3 <= operator.activation_bits <= 8):
        raise ValueError("stochastic takes weights and activations of 3 to 8 bits")
    if not width <= length <= LENGTH_MAX or length % width:
        raise ValueError(f"stream_length must be a multiple of the lane width {width}, up to {LENGTH_MAX}; got {length}")
    if operator.source == "counter" and length & (length - 1):
        raise ValueError(f"a counter's stream_length must be a power of two, so that its top bits are the number; got {length}")
    if operator.activation_signed != (operator.coding == "bipolar"):
        raise ValueError("bipolar activations are signed, sign_magnitude activations unsigned")
    if sharing != ALL_LANES and (not 0 < sharing < PERIOD_BITS // width or sharing & (sharing - 1)):
        raise ValueError(
            f"sharing must be a power of two below {PERIOD_BITS // width}, the lanes of {PERIOD_BITS} bits, or {ALL_LANES} for all lanes; "
            f"got {sharing}"
        )
    if operator.adder == "or" and operator.coding == "bipolar":
        raise ValueError("an adder of kind or needs coding sign_magnitude: it joins pulses, and bipolar zero is half of them")


def sharing_group(operator: Operator, lane: int) -> int:
    """Which rotation of the shared numbers a lane compares with."""
    return lane % (PERIOD_BITS // operator.width) // (operator.sharing or 1)


def compared_bits(operator: Operator, side: Side) -> int:
    """Bits of the number a stream's value is compared with."""
    if side == "activation":
        return operator.activation_bits
    return operator.weight_bits if operator.coding == "bipolar" else operator.weight_bits - 1


def number_bits(operator: Operator, side: Side) -> int:
    """Bits of a number on its way to the encoders: what values are compared with, and for an adder of kind mux the lane selected."""
    return compared_bits(operator, side) + _select_bits(operator)


def _select_bits(operator: Operator) -> int:
    return SELECT_BITS if operator.adder == "mux" else 0


def Numbers(operator: Operator, side: Side) -> NumberSource:
    """The number source of one side of the grid."""
    source: Source = operator.source or "sobol"
    return NumberSource(source, compared_bits(operator, side), side, operator.width, operator.steps, _select_bits(operator))


def datapath(operator: Operator) -> str:
    """Operators with equal names share one lane circuit."""
    if operator.coding == "bipolar" and operator.adder == "exact":
        return "xnor"
    return f"{operator.coding}{operator.width}" + ("" if operator.adder == "exact" else f"_{operator.adder}")


def sum_range(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Least and greatest count of one element in one cycle."""
    most = operand_bits // PERIOD_BITS * operator.width if operator.adder == "or" else operand_bits
    return (0 if operator.coding == "bipolar" else -most), most


def encoded_bits(operator: Operator, operand_bits: int) -> tuple[int, int]:
    """Bits of the activation and the weight word that reach the elements; sign-magnitude weights carry a sign per lane, or per bit
    where every bit may be another lane's."""
    mux = operator.adder == "mux"
    bits = operand_bits // PERIOD_BITS * operator.width if mux else operand_bits
    signs = 0 if operator.coding == "bipolar" else bits if mux else operand_bits // operator.width
    return bits, bits + signs


class Encoder(wiring.Component):
    """Turns one operand word into `width` bits of each lane's stream, or of one selected lane's; the numbers come from outside, shared."""

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
        lanes = range(self.operand_bits // op.width)
        operands = [self._operand(lane) for lane in lanes]
        pulses: list[Value] = []
        signs: list[Value] = []
        if op.adder == "mux":
            size = PERIOD_BITS // op.width
            for first in lanes[::size]:
                for number in self.numbers:
                    select = number[len(number) - (size - 1).bit_length() :]
                    value, sign = (Array(part)[select] for part in zip(*operands[first : first + size], strict=True))
                    levels = [self._level(number, lane) for lane in lanes[:size]]
                    pulses.append(self._pulse(value, levels[0] if op.sharing == ALL_LANES else Array(levels)[select]))
                    signs.append(sign)
        else:
            pulses = [self._pulse(operands[lane][0], self._level(number, lane)) for lane in lanes for number in self.numbers]
            signs = [sign for _, sign in operands]
        m.d.comb += self.encoded.eq(Cat(*pulses, *(signs if len(self.encoded) > len(pulses) else [])))
        return m

    def _operand(self, lane: int) -> tuple[Value, Value]:
        """A lane's value as its stream is to have it, and its sign bit."""
        op, activation = self.operator, self.side == "activation"
        stored, bits = (op.activation_width, op.activation_bits) if activation else (op.weight_width, op.weight_bits)
        code = self.word.word_select(lane, stored)[:bits]
        if op.coding == "bipolar":
            return Cat(code[:-1], ~code[-1]), code[-1]
        return (code if activation else code[:-1]), code[-1]

    def _level(self, number: Value, lane: int) -> Value:
        """A shared number as the lane's sharing group sees it."""
        op = self.operator
        bits = compared_bits(op, self.side)
        turn = rotation(op.source or "sobol", bits, self.side, sharing_group(op, lane))
        return number[:bits].rotate_left(turn.left) ^ turn.mask

    def _pulse(self, value: Value, level: Value) -> Value:
        return pulse(self.operator.source or "sobol", value, level)


def Lanes(operator: Operator, operand_bits: int) -> wiring.Component:
    """All lanes of one element: shared with XNOR for bipolar streams that are counted exactly."""
    if datapath(operator) == "xnor":
        return xnor.Lanes(operator, operand_bits)
    return StreamLanes(operator, operand_bits, lane_ports(encoded_bits(operator, operand_bits), sum_range(operator, operand_bits)))
