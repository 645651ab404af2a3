"""Accumulative parallel counter (APC): the number of ones among N streams, cycle by cycle, into a binary accumulator."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.arithmetic import popcount
from gatewright.hw.errors import BadInput


def pairs(bits: Sequence[Value]) -> list[Value]:
    """The approximate counter's first layer (Kim, Lee and Choi, ISOCC 2015): AND and OR of neighbouring pairs in turn.

    Each output stands for two ones: an AND misses a lone one, an OR counts it twice, so that the errors cancel in the mean.
    """
    return [a & b if k % 2 == 0 else a | b for k, (a, b) in enumerate(zip(bits[::2], bits[1::2], strict=True))]


class ParallelCounter(wiring.Component):
    """`count` is the number of ones in `bits`, this cycle's; `total` what was counted since the restart, this cycle included.

    Approximate: half the full adders; the count is even, and N must be a multiple of four.
    """

    def __init__(self, inputs: int, total_bits: int, *, approximate: bool = False) -> None:
        if approximate and inputs % 4:
            raise BadInput(f"The approximate counter joins pairs by AND and OR in turn: a multiple of four inputs; got {inputs}.")
        self.approximate = approximate
        super().__init__(
            {
                "restart": In(1),
                "advance": In(1),
                "bits": In(inputs),
                "count": Out(inputs.bit_length()),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, held = list(self.bits), Signal.like(self.total)
        m.d.comb += [
            self.count.eq(Cat(Const(0, 1), popcount(m, pairs(bits))) if self.approximate else popcount(m, bits)),
            self.total.eq(Mux(self.restart, 0, held) + self.count),
        ]
        with m.If(self.advance):
            m.d.sync += held.eq(self.total)
        return m
