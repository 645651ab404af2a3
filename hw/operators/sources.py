"""Number sources of stochastic streams: the sequences as plain Python, and the circuit that plays them.

Taps are the maximal-length polynomials of Xilinx XAPP 052 (P. Alfke, 1996), one per width; tests run every period.
"""

from functools import reduce
from operator import xor
from typing import Literal

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import Source

Side = Literal["activation", "weight"]

TAPS: dict[int, int] = {1: 0b1, 2: 0b11, 3: 0b110, 4: 0b1100, 5: 0b10100, 6: 0b110000, 7: 0b1100000, 8: 0b10111000}


def taps(bits: int, side: Side) -> int:
    """Feedback taps of the register; the weight side runs the reciprocal polynomial, so the two sides differ."""
    if side == "activation":
        return TAPS[bits]
    inner = TAPS[bits] & ((1 << (bits - 1)) - 1)
    return (1 << (bits - 1)) | int(format(inner, f"0{bits - 1}b")[::-1], 2) if bits > 1 else 1


def direction_numbers(bits: int, side: Side) -> list[int]:
    """The point with index t is the XOR of the numbers of t's set bits: van der Corput, or Sobol's second dimension for weights."""
    if side == "activation":
        return [1 << (bits - 1 - i) for i in range(bits)]
    numbers = [1 << (bits - 1)]
    while len(numbers) < bits:
        numbers.append(numbers[-1] ^ (numbers[-1] >> 1))
    return numbers


def next_state(state: int, bits: int, side: Side) -> int:
    """One step of the linear feedback register."""
    return ((state << 1) | ((state & taps(bits, side)).bit_count() & 1)) & ((1 << bits) - 1)


def sequence(source: Source, bits: int, side: Side, length: int) -> list[int]:
    """The first `length` numbers a source gives after a restart, each in 0 .. 2**bits - 1."""
    if source == "sobol":
        numbers = direction_numbers(bits, side)
        return [reduce(xor, (numbers[i] for i in range(bits) if t >> i & 1), 0) for t in range(length)]
    states = [1]
    while len(states) < length:
        states.append(next_state(states[-1], bits, side))
    return [state - 1 for state in states]


class NumberSource(wiring.Component):
    """Plays `width` numbers a cycle. Its cycle is named by `step`; `restart` is high in step 0.

    Sobol numbers are a linear function of the step and need no state. A linear feedback register is unrolled `width` times;
    its comparators take the state itself (one more than the number), see `pulse`.
    """

    def __init__(self, source: Source, bits: int, side: Side, width: int, steps: int) -> None:
        self.source, self.bits, self.side, self.width, self.steps = source, bits, side, width, steps
        super().__init__(
            {
                "step": In(max(1, (steps - 1).bit_length())),
                "advance": In(1),
                "numbers": Out(bits).array(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.source == "sobol":
            low = (self.width - 1).bit_length()
            for j in range(self.width):
                index = Cat(Const(j, low), self.step)[: self.bits] if low else self.step[: self.bits]
                terms = [Mux(index[i], v, 0) for i, v in enumerate(direction_numbers(self.bits, self.side)[: len(index)])]
                m.d.comb += self.numbers[j].eq(reduce(xor, terms))
            return m
        held = Signal(self.bits, init=1)
        states: list[Value] = [Mux(self.step == 0, 1, held)[: self.bits]]
        for _ in range(self.width):
            feedback = (states[-1] & taps(self.bits, self.side)).xor()
            following = Signal(self.bits)
            m.d.comb += following.eq(Cat(feedback, states[-1])[: self.bits])
            states.append(following)
        for j in range(self.width):
            m.d.comb += self.numbers[j].eq(states[j])
        with m.If(self.advance):
            m.d.sync += held.eq(states[-1])
        return m


def pulse(source: Source, value: Value, number: Value) -> Value:
    """The stream's bit: value > number. A linear feedback register gives number + 1, so its comparison is >=."""
    return value > number if source == "sobol" else value >= number
