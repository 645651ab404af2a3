"""IEEE 754 multiplication and addition as combinational circuits: round to nearest even, subnormals, infinities, NaN, signed zeros.

A result that is not a number is the canonical quiet NaN: sign 0, the highest mantissa bit alone.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


@dataclass(frozen=True)
class Format:
    """A binary interchange format: sign, `exponent_bits` of biased exponent, `mantissa_bits` below the hidden one."""

    exponent_bits: int
    mantissa_bits: int

    @property
    def width(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def precision(self) -> int:
        """Bits of a significand, with the hidden one."""
        return self.mantissa_bits + 1

    @property
    def bias(self) -> int:
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def infinity(self) -> int:
        """The bits of plus infinity."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits

    @property
    def nan(self) -> int:
        """The bits of the canonical quiet NaN."""
        return self.infinity | 1 << (self.mantissa_bits - 1)


class Operand:
    """The fields of a number: the value is significand * 2**(exponent - bias - mantissa_bits), with exponent 1 for subnormals."""

    def __init__(self, m: Module, form: Format, word: Value) -> None:
        mantissa, field = word[: form.mantissa_bits], word[form.mantissa_bits : -1]
        self.sign = word[-1]
        self.exponent = Signal(form.exponent_bits)
        self.significand = Signal(form.precision)
        self.infinite, self.nan, self.zero = Signal(), Signal(), Signal()
        m.d.comb += [
            self.exponent.eq(field | ~field.any()),
            self.significand.eq(Cat(mantissa, field.any())),
            self.infinite.eq(field.all() & ~mantissa.any()),
            self.nan.eq(field.all() & mantissa.any()),
            self.zero.eq(~self.significand.any()),
        ]


def shift_right_sticky(m: Module, value: Value, amount: Value) -> Value:
    """`value` shifted right by any unsigned amount; the lowest bit of the result also stands for every one that was lost."""
    stages = len(value).bit_length()
    for k in range(min(stages, len(amount))):
        shifted = Signal(len(value))
        lost = value[: (1 << k) + 1].any()
        m.d.comb += shifted.eq(Mux(amount[k], Cat(lost, value[(1 << k) + 1 :]), value))
        value = shifted
    if len(amount) > stages:
        value = Mux(amount[stages:].any(), value.any(), value)
    return value


def leading_zeros(m: Module, value: Value) -> Value:
    """The number of zeros above the highest one, the width where there is no one; by halves, so that the depth is logarithmic."""
    if len(value) == 1:
        return ~value
    size = 1 << (len(value) - 1).bit_length()
    padded = Cat(Const((1 << (size - len(value))) - 1, size - len(value)), value) if size > len(value) else value
    low, high = leading_zeros(m, padded[: size // 2]), leading_zeros(m, padded[size // 2 :])
    count = Signal(size.bit_length())
    empty = high[-1]
    m.d.comb += count.eq(Cat(Mux(empty, low[:-1], high[:-1]), empty & ~low[-1], empty & low[-1]))
    return count


class Rounder(wiring.Component):
    """Rounds sign, exponent and `width` bits of significand to a number.

    `exponent` is biased and belongs to the highest bit of `significand`, which need not be one; the lowest bit may stand for lost ones.
    `below`: whether exponents below 1 occur.
    """

    def __init__(self, form: Format, width: int, *, below: bool) -> None:
        self.form, self.below = form, below
        super().__init__(
            {"sign": In(1), "exponent": In(signed(form.exponent_bits + 2)), "significand": In(width), "rounded": Out(form.width)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form, width = self.form, len(self.significand)
        room = Signal.like(self.exponent)  # how far the significand may move up before the number is subnormal
        zeros = leading_zeros(m, self.significand)
        left = Signal(zeros.shape())
        m.d.comb += room.eq(self.exponent - 1)
        m.d.comb += left.eq(Mux(zeros <= room, zeros, room & ~room[-1].replicate(len(room))))
        placed = Signal(width)
        m.d.comb += placed.eq(self.significand << left)
        if self.below:
            right = Signal(len(room))
            m.d.comb += right.eq(-room & room[-1].replicate(len(room)))
            placed = shift_right_sticky(m, placed, right)
        hidden, mantissa = placed[-1], placed[-form.precision : -1]
        guard, sticky = placed[-form.precision - 1], placed[: -form.precision - 1].any()
        exponent = Signal.like(self.exponent)
        field = Signal(form.exponent_bits)
        overflow, up = Signal(), Signal()
        magnitude = Signal(form.width - 1)
        m.d.comb += [
            exponent.eq(self.exponent - left),
            overflow.eq(hidden & (exponent >= (1 << form.exponent_bits) - 1)),
            field.eq(Mux(hidden, exponent, 0)),
            up.eq(guard & (sticky | mantissa[0])),
            magnitude.eq(Cat(mantissa, field) + up),  # a carry out of the mantissa is the next exponent, up to infinity
            self.rounded.eq(Cat(Mux(overflow, form.infinity, magnitude), self.sign)),
        ]
        return m


class Multiplier(wiring.Component):
    """product = round(a * b)."""

    def __init__(self, form: Format) -> None:
        self.form = form
        super().__init__({"a": In(form.width), "b": In(form.width), "product": Out(form.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form = self.form
        a, b = Operand(m, form, self.a), Operand(m, form, self.b)
        m.submodules.rounder = rounder = Rounder(form, 2 * form.precision, below=True)
        m.d.comb += [
            rounder.sign.eq(a.sign ^ b.sign),
            rounder.exponent.eq(a.exponent + b.exponent - (form.bias - 1)),
            rounder.significand.eq(a.significand * b.significand),
            self.product.eq(rounder.rounded),
        ]
        with m.If(a.infinite | b.infinite):
            m.d.comb += self.product.eq(Cat(Const(form.infinity, form.width - 1), rounder.sign))
        with m.If(a.nan | b.nan | (a.infinite & b.zero) | (a.zero & b.infinite)):
            m.d.comb += self.product.eq(form.nan)
        return m


class Adder(wiring.Component):
    """sum = round(a + b). The sum of a number and its opposite is +0."""

    def __init__(self, form: Format) -> None:
        self.form = form
        super().__init__({"a": In(form.width), "b": In(form.width), "sum": Out(form.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form = self.form
        larger, smaller, swap = Signal(form.width), Signal(form.width), Signal()
        m.d.comb += swap.eq(self.a[:-1] < self.b[:-1])
        m.d.comb += [larger.eq(Mux(swap, self.b, self.a)), smaller.eq(Mux(swap, self.a, self.b))]
        x, y = Operand(m, form, larger), Operand(m, form, smaller)
        distance, subtract = Signal(form.exponent_bits), Signal()
        m.d.comb += [distance.eq(x.exponent - y.exponent), subtract.eq(x.sign ^ y.sign)]
        # Two guard bits and one for all that is lost: after a shift by two or more, a difference loses at most one leading place.
        aligned = shift_right_sticky(m, Cat(Const(0, 3), y.significand), distance)
        m.submodules.rounder = rounder = Rounder(form, form.precision + 4, below=False)
        whole = Cat(Const(0, 3), x.significand)
        m.d.comb += [
            rounder.sign.eq(x.sign & ~(subtract & ~rounder.significand.any())),
            rounder.exponent.eq(x.exponent + 1),
            rounder.significand.eq(whole + (aligned ^ subtract.replicate(len(whole) + 1)) + subtract),
            self.sum.eq(rounder.rounded),
        ]
        with m.If(x.infinite):
            m.d.comb += self.sum.eq(larger)
        with m.If(x.nan | y.nan | (x.infinite & y.infinite & subtract)):
            m.d.comb += self.sum.eq(form.nan)
        return m
