"""Floating-point circuits in one simulator, the numbers they are tried with, and what NumPy says of them."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.ctypeslib import ndpointer

from gatewright.hw.floating_point import Format
from gatewright.hw.operators.float import FORMATS, MultiplyAccumulate, MultiplyAdd
from gatewright.hw.verilog import emit
from gatewright.sim import verilator

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]  # bits of a, b, c, uint64 [n] each
WORDS = ndpointer(np.uint64, flags="C_CONTIGUOUS")
TINY = Format(3, 2)


@dataclass(frozen=True)
class Unit:
    """A multiply-add of some pipeline stages, or (`accumulate`) a multiply-accumulate whose c is valid (bit 0) and clear (bit 1)."""

    form: Format
    stages: int = 0
    accumulate: bool = False


class Bank(wiring.Component):
    """All units, each with its own operands and result."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        ports: dict[str, object] = {"alive": Out(1)}
        for i, unit in enumerate(units):
            ports |= {f"{name}{i}": In(unit.form.width) for name in "abc"} | {f"y{i}": Out(unit.form.width)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.alive.eq(1)  # a clock, even if no unit has one
        for i, unit in enumerate(self.units):
            a, b, c, y = (getattr(self, f"{name}{i}") for name in "abcy")
            if unit.accumulate:
                m.submodules[f"unit{i}"] = mac = MultiplyAccumulate(unit.form, unit.stages)
                m.d.comb += [mac.activation.eq(a), mac.weight.eq(b), mac.valid.eq(c[0]), mac.clear.eq(c[1]), y.eq(mac.total)]
            else:
                m.submodules[f"unit{i}"] = fma = MultiplyAdd(unit.form, unit.stages)
                m.d.comb += [fma.a.eq(a), fma.b.eq(b), fma.c.eq(c), y.eq(fma.result)]
        return m


HARNESS = """
#include "Vtop.h"
using Words = const uint64_t *;
extern "C" void run(uint64_t number, Words a, Words b, Words c, uint64_t *y) {
    VerilatedContext context;
    Vtop top{&context};
    top.rst = 1;
    for (int clk = 0; clk < 2; clk++) { top.clk = clk; top.eval(); }
    top.rst = 0;
    for (uint64_t i = 0; i < number; i++, a += UNITS, b += UNITS, c += UNITS, y += UNITS) {
        SET
        top.clk = 0;
        top.eval();
        GET
        top.clk = 1;
        top.eval();
    }
}
"""


class Bench:
    """Plays triples, one a cycle, on all units at once; `verilog` replaces the units' own."""

    def __init__(self, units: Sequence[Unit], verilog: str | None = None) -> None:
        self.units, numbers = units, range(len(units))
        set_operands = " ".join(f"top.{name}{i} = {name}[{i}];" for i in numbers for name in "abc")
        get = " ".join(f"y[{i}] = top.y{i};" for i in numbers)
        harness = HARNESS.replace("UNITS", str(len(units))).replace("SET", set_operands).replace("GET", get)
        self.verilog = verilog or emit(Bank(units), "bank")
        options = ("--output-split", "0")
        self.run = ctypes.CDLL(str(verilator.build(self.verilog, "bank", harness, shared=True, optimise="-O1", options=options))).run
        self.run.argtypes = [ctypes.c_uint64, WORDS, WORDS, WORDS, WORDS]

    def play(self, triples: Sequence[Triples]) -> list[np.ndarray]:
        """Each unit's result in each cycle, uint64; units with fewer triples get zeros behind them."""
        most = max(len(triple[0]) for triple in triples)
        a, b, c, y = (np.zeros((most, len(self.units)), dtype=np.uint64) for _ in range(4))
        for i, triple in enumerate(triples):
            for words, given in zip((a, b, c), triple, strict=True):
                words[: len(given), i] = given
        self.run(most, a, b, c, y)
        return [y[: len(triple[0]), i] for i, triple in enumerate(triples)]


# ---- What is right ---------------------------------------------------------------------------------------------------------------


def number(form: Format, bits: np.ndarray) -> np.ndarray:
    """Bits as NumPy's floating-point numbers; bfloat16 is the upper half of float32."""
    if form == FORMATS["bf16"]:
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return bits.astype(np.uint32).view(np.float32) if form == FORMATS["fp32"] else bits.astype(np.uint16).view(np.float16)


def bits_of(form: Format, numbers: np.ndarray) -> np.ndarray:
    """NumPy's result as bits, every NaN the canonical one. bfloat16 is float32 rounded to its upper half, ties to even.

    Why that second rounding does no harm: float32 has 24 bits, bfloat16 8. Sums: 24 >= 2 * 8 + 2 (Figueroa 1995). Products have 16 bits, so
    float32 rounds only those whose lowest bit is below 2**-149; they are below 2**-134 and round to zero either way.
    """
    if form == FORMATS["bf16"]:
        whole = numbers.view(np.uint32).astype(np.uint64)
        bits = (whole + np.uint64(0x7FFF) + (whole >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    else:
        bits = numbers.view(np.uint32 if form == FORMATS["fp32"] else np.uint16).astype(np.uint64)
    return np.where(np.isnan(numbers), np.uint64(form.nan), bits)


def multiply(form: Format, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """round(a * b), by NumPy."""
    with np.errstate(all="ignore"):
        return bits_of(form, number(form, a) * number(form, b))


def add(form: Format, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """round(a + b), by NumPy."""
    with np.errstate(all="ignore"):
        return bits_of(form, number(form, a) + number(form, b))


def multiply_add(form: Format, triple: Triples) -> np.ndarray:
    a, b, c = triple
    return add(form, multiply(form, a, b), c)


def exactly(form: Format, bits: int) -> Fraction | None:
    """The value of a finite number; None for infinities and NaN."""
    field, mantissa = bits >> form.mantissa_bits & ((1 << form.exponent_bits) - 1), bits & ((1 << form.mantissa_bits) - 1)
    if field == (1 << form.exponent_bits) - 1:
        return None
    significand = mantissa + (1 << form.mantissa_bits if field else 0)
    value = significand * Fraction(2) ** (max(field, 1) - form.bias - form.mantissa_bits)
    return -value if bits >> (form.width - 1) else value


def rounded(form: Format, value: Fraction) -> int:
    """The bits, without sign, of the number nearest to a value not below 0: found by definition, among all numbers in order."""
    low, high = 0, form.infinity  # numbers grow with their bits

    def at(bits: int) -> Fraction:
        """The value of a number; infinity stands for the next one if there were one."""
        finite = exactly(form, bits)
        return Fraction(2) ** (form.bias + 1) if finite is None else finite

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) <= value else (low, middle)
    below, above = value - at(low), at(high) - value
    return low if below < above or (below == above and low % 2 == 0) else high


def naive(form: Format, operation: str, a: int, b: int) -> int:
    """a * b or a + b by IEEE 754's text, in exact fractions."""
    sign = form.width - 1
    x, y = exactly(form, a), exactly(form, b)
    magnitudes = [bits & ((1 << sign) - 1) for bits in (a, b)]
    if max(magnitudes) > form.infinity:
        return form.nan
    product_sign = (a ^ b) >> sign << sign
    if operation == "*":
        if x is None or y is None:
            return form.nan if 0 in magnitudes else product_sign | form.infinity
        return product_sign | rounded(form, abs(x * y))
    if x is None or y is None:
        if x is None and y is None:
            return a if a == b else form.nan
        return a if x is None else b
    if x + y == 0:
        return a & b & (1 << sign)
    return (1 << sign if x + y < 0 else 0) | rounded(form, abs(x + y))


# ---- What is tried ---------------------------------------------------------------------------------------------------------------


def special(form: Format) -> np.ndarray:
    """Zeros, subnormals, powers of two, largest numbers, infinities, quiet and signalling NaN, with their neighbours, of both signs."""
    one = form.bias << form.mantissa_bits
    least, ulp = 1 << form.mantissa_bits, 1
    root = (form.bias // 2 + 1) << form.mantissa_bits  # its square is near the least normal number
    magnitudes = [0, 1, 2, least - 1, least, least + 1, root, root + 1, one - ulp, one, one + ulp, one + 3 * (least >> 1), one + least]
    magnitudes += [form.infinity - 1, form.infinity - 2, form.infinity - least, form.infinity, form.infinity + 1, form.nan, form.nan + 1]
    return np.array([magnitude | sign << (form.width - 1) for magnitude in magnitudes for sign in (0, 1)], dtype=np.uint64)


def every_triple(values: np.ndarray) -> Triples:
    """All combinations of three."""
    a, b, c = (grid.reshape(-1) for grid in np.meshgrid(values, values, values))
    return a, b, c


def random_triples(form: Format, number_of: int, rng: np.random.Generator) -> Triples:
    """A sixth each: any bits; sums that cancel; products near the subnormal; products near overflow; ties; ordinary numbers."""
    parts = np.diff(np.linspace(0, number_of, 7).astype(int)).tolist()
    most, p = (1 << form.exponent_bits) - 1, form.precision
    any_bits = [rng.integers(0, 1 << form.width, (3, n), dtype=np.uint64) for n in parts]

    def near(n: int, exponent: object, spread: int) -> np.ndarray:
        return np.clip(exponent + rng.integers(-spread, spread + 1, n), 0, most - 1)

    def field(bits: np.ndarray) -> np.ndarray:
        return (bits >> np.uint64(form.mantissa_bits)).astype(np.int64) & most

    def with_field(bits: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        cleared = bits & ~np.uint64(most << form.mantissa_bits)
        return cleared | exponent.astype(np.uint64) << np.uint64(form.mantissa_bits)

    triples = [any_bits[0]]
    for kind in range(1, 6):
        a, b, c = any_bits[kind]
        n = parts[kind]
        if kind == 2:
            b, c = with_field(b, near(n, form.bias - field(a), p)), with_field(c, near(n, 0, 2))
        elif kind == 3:
            b, c = with_field(b, near(n, most + form.bias - 1 - field(a), 2)), with_field(c, near(n, most - 2, p))
        else:
            a, b = with_field(a, near(n, form.bias, form.bias // 2 - 1)), with_field(b, near(n, form.bias, form.bias // 2 - 1))
            if kind == 4:  # few significant bits: exact products, and sums whose lowest bits are often one half
                kept = ~(np.uint64((1 << form.mantissa_bits) - 1) >> rng.integers(0, 4, n, dtype=np.uint64))
                a, b = a & kept, b & kept
            product = multiply(form, a, b)
            if kind == 1:  # the product's opposite, a few units off
                c = (product ^ np.uint64(1 << (form.width - 1))) + rng.integers(0, 4, n, dtype=np.uint64)
            else:
                c = with_field(c, near(n, field(product), p + 3))
        triples.append(np.array([a, b, c]))
    a, b, c = np.concatenate(triples, axis=1)
    return a, b, c
