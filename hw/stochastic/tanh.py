"""Stanh and Btanh: a saturating counter whose upper half is the output (Brown and Card 2001; Kim et al., DAC 2016).

Stanh(K): one bipolar stream x counts up and down among K states: tanh(K x / 2). Btanh(K): the count of N bipolar streams moves it by
2 count - N: tanh(s K / (2 N)), s being the sum of their values; so K = 2 N gives tanh(s).
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput


class StochasticTanh(wiring.Component):
    """`out` is 1 while the state (before this cycle's step) is in the upper half. `count` is of `inputs` streams; 1 makes it Stanh."""

    def __init__(self, states: int, inputs: int = 1) -> None:
        if states < 2 or states % 2:
            raise BadInput(f"The states of Stanh and Btanh have two equal halves: an even number from 2; got {states}.")
        self.states, self.inputs = states, inputs
        super().__init__({"restart": In(1), "advance": In(1), "count": In(inputs.bit_length()), "out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held, state = Signal(range(self.states), init=self.states // 2), Signal(range(self.states))
        after = Signal(signed(len(state) + len(self.count) + 3))
        m.d.comb += [
            state.eq(Mux(self.restart, self.states // 2, held)),
            self.out.eq(state >= self.states // 2),
            after.eq(state + 2 * self.count - self.inputs),
        ]
        with m.If(self.advance):
            m.d.sync += held.eq(Mux(after < 0, 0, Mux(after >= self.states, self.states - 1, after)))
        return m
