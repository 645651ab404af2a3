"""Early termination: stop a stream as soon as its remaining bits cannot change the decision.

Guaranteed: `decision` when `done` rises is the decision after all `length` bits. The length is asked for at run time, so a stream can
also be cut short on request; then the decision is that of the shorter stream, and nothing is promised about the longer one.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Termination(wiring.Component):
    """Decides whether the sum of `inputs` bipolar streams over `length` cycles is at least zero: 2 ones >= inputs * length.

    `count` is the ones among them, one cycle's. `done` is high from the cycle that settles the decision (at the latest the last) until
    the next restart, and `decision` valid with it; `length` (1 to `longest`) must stand still meanwhile.
    """

    def __init__(self, inputs: int, longest: int) -> None:
        self.inputs, self.longest = inputs, longest
        super().__init__(
            {
                "restart": In(1),
                "advance": In(1),
                "count": In(range(inputs + 1)),
                "length": In(range(longest + 1)),
                "done": Out(1),
                "decision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        most = range(2 * self.inputs * self.longest + 1)
        time, ones, now, counted = Signal(range(self.longest + 1)), Signal(most), Signal(range(self.longest + 2)), Signal(most)
        half, ahead = Signal(most), Signal(most)
        settled, held, lost = Signal(), Signal(), Signal()
        m.d.comb += [
            now.eq(Mux(self.restart, 0, time) + 1),
            counted.eq(Mux(self.restart, 0, ones) + 2 * self.count),
            half.eq(self.inputs * self.length),
            ahead.eq(2 * self.inputs * (self.length - now)),
            lost.eq(counted + ahead < half),
            self.done.eq((settled & ~self.restart) | (counted >= half) | lost),
            self.decision.eq(Mux(settled & ~self.restart, held, counted >= half)),
        ]
        with m.If(self.advance):
            m.d.sync += [time.eq(now), ones.eq(counted), settled.eq(self.done), held.eq(self.decision)]
        return m
