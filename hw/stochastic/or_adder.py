"""Saturating addition of unipolar streams: 1 where any input is, so 1 - (1 - p_1)(1 - p_2)... for independent ones."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class OrAdder(wiring.Component):
    """`sum` is the OR of `bits`."""

    def __init__(self, inputs: int) -> None:
        super().__init__({"bits": In(inputs), "sum": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.sum.eq(self.bits.any())
        return m
