"""Scaled addition without a random selection: what a cycle's pulses leave over is carried to the next.

The non-scaled-input form of uSADD (uGEMM, Wu et al., ISCA 2020): a popcount, an accumulator modulo N, and its overflow as the stream.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.arithmetic import popcount


class CarryAdder(wiring.Component):
    """After any number of cycles `sum` has pulsed floor((offset + ones) / N) times, `ones` being all inputs' pulses so far.

    `offset`: what the carry starts with, 0 to N - 1; N // 2 rounds instead of truncating.
    """

    def __init__(self, inputs: int, offset: int = 0) -> None:
        self.inputs, self.offset = inputs, offset
        super().__init__({"restart": In(1), "advance": In(1), "bits": In(inputs), "sum": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        carry = Signal(range(self.inputs))
        filled = Signal(range(2 * self.inputs))
        m.d.comb += [
            filled.eq(Mux(self.restart, self.offset, carry) + popcount(m, list(self.bits))),
            self.sum.eq(filled >= self.inputs),
        ]
        with m.If(self.advance):
            m.d.sync += carry.eq(filled - Mux(self.sum, self.inputs, 0))
        return m
