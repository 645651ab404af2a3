"""Scaled addition: a multiplexer shows one of N streams a cycle, so that its output has their mean. Also average pooling in streams."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput


class MuxAdder(wiring.Component):
    """`sum` is `bits[select]`. N is a power of two; `select` must be uniform and uncorrelated with the streams, which may be correlated."""

    def __init__(self, inputs: int) -> None:
        if inputs < 2 or inputs & (inputs - 1):
            raise BadInput(f"A scaled adder has a power of two of inputs, at least 2; got {inputs}. Give the others constant zero streams.")
        super().__init__({"bits": In(inputs), "select": In((inputs - 1).bit_length()), "sum": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.sum.eq(self.bits.bit_select(self.select, 1))
        return m
