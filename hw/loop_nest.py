"""Nested counters with programmable bounds."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class LoopNest(wiring.Component):
    """Counts through `levels` nested loops, level 0 outermost. `last[i]` is each loop's bound minus one.

    `level[i]` is high if the next `advance` increments loop i: the innermost loop that is not at its last index. `done` is
    high if every loop is at its last index; advancing then returns all to zero.
    """

    def __init__(self, levels: int, bits: int) -> None:
        self.levels, self.bits = levels, bits
        super().__init__(
            {
                "last": In(bits).array(levels),
                "advance": In(1),
                "at_last": Out(levels),
                "level": Out(levels),
                "done": Out(1),
                "index": Out(bits).array(levels),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.done.eq(self.at_last.all())
        for i in range(self.levels):
            count = Signal(self.bits, name=f"count{i}")
            inner_last = self.at_last[i + 1 :].all() if i + 1 < self.levels else 1
            m.d.comb += [
                self.index[i].eq(count),
                self.at_last[i].eq(count == self.last[i]),
                self.level[i].eq(inner_last & ~self.at_last[i]),
            ]
            with m.If(self.advance & inner_last):
                m.d.sync += count.eq(0)
                with m.If(~self.at_last[i]):
                    m.d.sync += count.eq(count + 1)
        return m
