"""The number sequences of stochastic streams in plain Python: what a stream's value is compared with, one number a bit.

A stream is 1 at time t where its value exceeds the t-th number. Registers are maximal-length (taps: Xilinx XAPP 052, P. Alfke, 1996);
Sobol dimensions use the primitive polynomials and initial numbers of Joe and Kuo (SIAM J. Sci. Comput. 30, 2008).
"""

from functools import reduce
from operator import xor
from typing import Literal

from gatewright.hw.config import Source

Side = Literal["activation", "weight"]

TAPS: dict[int, int] = {
    1: 0b1,
    2: 0b11,
    3: 0b110,
    4: 0b1100,
    5: 0b10100,
    6: 0b110000,
    7: 0b1100000,
    8: 0b10111000,
    9: 0x110,
    10: 0x240,
    11: 0x500,
    12: 0x829,
    13: 0x100D,
    14: 0x2015,
    15: 0x6000,
    16: 0xD008,
}
"""Feedback taps of a maximal register, one set per width; tests run every period."""

# Dimension: (inner coefficients of the primitive polynomial, initial odd numbers). The first dimension is van der Corput's.
POLYNOMIALS: dict[int, tuple[int, tuple[int, ...]]] = {
    2: (0, (1,)),
    3: (1, (1, 3)),
    4: (1, (1, 3, 1)),
    5: (2, (1, 1, 1)),
    6: (1, (1, 1, 3, 3)),
    7: (4, (1, 3, 5, 13)),
    8: (2, (1, 1, 5, 5, 17)),
    9: (4, (1, 1, 5, 5, 5)),
    10: (7, (1, 1, 7, 11, 19)),
    11: (11, (1, 1, 5, 1, 1)),
    12: (13, (1, 1, 1, 3, 11)),
    13: (14, (1, 3, 5, 5, 31)),
    14: (1, (1, 3, 3, 9, 7, 49)),
    15: (13, (1, 1, 1, 15, 21, 21)),
    16: (16, (1, 3, 1, 13, 27, 49)),
}
DIMENSIONS = len(POLYNOMIALS) + 1


def reciprocal(taps: int, bits: int) -> int:
    """Taps of the register that runs the reciprocal polynomial: maximal too, and another sequence."""
    inner = taps & ((1 << (bits - 1)) - 1)
    return (1 << (bits - 1)) | int(format(inner, f"0{bits - 1}b")[::-1], 2) if bits > 1 else 1


def side_taps(bits: int, side: Side) -> int:
    """The grid's registers: the weight side runs the reciprocal polynomial, so the two sides differ."""
    return TAPS[bits] if side == "activation" else reciprocal(TAPS[bits], bits)


def next_state(state: int, bits: int, taps: int) -> int:
    """One step of a linear feedback register (Fibonacci form, shifting towards the top bit)."""
    return ((state << 1) | ((state & taps).bit_count() & 1)) & ((1 << bits) - 1)


def lfsr(bits: int, length: int, taps: int | None = None, seed: int = 1) -> list[int]:
    """The first `length` numbers of a register of `bits` bits: its state less one, so 0 .. 2**bits - 2. `seed` is the first state."""
    states = [seed]
    while len(states) < length:
        states.append(next_state(states[-1], bits, TAPS[bits] if taps is None else taps))
    return [state - 1 for state in states]


def direction_numbers(bits: int, dimension: int) -> list[int]:
    """The point with index t is the XOR of the numbers of t's set bits. Dimensions count from 1."""
    if dimension == 1:
        return [1 << (bits - 1 - i) for i in range(bits)]
    inner, odd = POLYNOMIALS[dimension]
    degree = len(odd)
    numbers = [m << (bits - 1 - i) if i < bits else 0 for i, m in enumerate(odd)][:bits]
    while len(numbers) < bits:
        value = numbers[-degree] ^ (numbers[-degree] >> degree)
        for k in range(1, degree):
            value ^= numbers[-k] if inner >> (degree - 1 - k) & 1 else 0
        numbers.append(value)
    return numbers


def sobol(bits: int, dimension: int, length: int) -> list[int]:
    """The first `length` points of one dimension, in the order of their index; the sequence repeats after 2**bits."""
    numbers = direction_numbers(bits, dimension)
    return [reduce(xor, (numbers[i] for i in range(bits) if t >> i & 1), 0) for t in range(length)]


def thermometer(bits: int, length: int) -> list[int]:
    """A counter over `length` cycles (a power of two), spread over 0 .. 2**bits - 1: the stream's ones come first.

    Numbers stand in the middle of their step, so that a stream has as many ones as its value rounded, not rounded up.
    """
    return [((2 * t + 1) << bits) // (2 * length) for t in range(length)]


def sobol_dimension(side: Side) -> int:
    """Which Sobol dimension a side of the grid takes; the weights' is the same beside a counter."""
    return 1 if side == "activation" else 2


def sequence(source: Source, bits: int, side: Side, length: int) -> list[int]:
    """The `length` numbers that a stream of that length is compared with on one side of the grid, each in 0 .. 2**bits - 1."""
    if source == "lfsr":
        return lfsr(bits, length, side_taps(bits, side))
    if source == "counter" and side == "activation":
        return thermometer(bits, length)
    return sobol(bits, sobol_dimension(side), length)
