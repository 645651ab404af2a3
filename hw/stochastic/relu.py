"""Rectification of a bipolar stream: pulses of a negative sum are paired off to zero, so that the output's sum never falls below zero.

A saturating counter holds what the output has summed to; while it is zero, a 0 of the input is answered by 1 and 0 in turn (value zero)
and taken as nothing. The output's final sum is the input's, less the least sum on the way if that was negative: reflection at zero.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput


class StochasticRelu(wiring.Component):
    """`out` is `bit`, or 1 and 0 in turn where `bit` is 0 and the counter of `states` states is empty."""

    def __init__(self, states: int) -> None:
        if states < 2:
            raise BadInput(f"Stochastic ReLU counts at least two states; got {states}.")
        self.states = states
        super().__init__({"restart": In(1), "advance": In(1), "bit": In(1), "out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held, state = Signal(range(self.states)), Signal(range(self.states))
        turn_held, turn = Signal(init=1), Signal()
        empty = Signal()
        m.d.comb += [
            state.eq(Mux(self.restart, 0, held)),
            turn.eq(self.restart | turn_held),
            empty.eq(~self.bit & (state == 0)),
            self.out.eq(self.bit | (empty & turn)),
        ]
        with m.If(self.advance):
            m.d.sync += turn_held.eq(turn ^ empty)
            m.d.sync += held.eq(Mux(self.bit, Mux(state == self.states - 1, state, state + 1), Mux(empty, 0, state - 1)))
        return m
