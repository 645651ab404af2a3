"""Max pooling in streams by segments: who pulsed most in one segment is shown in the next (SC-DCNN, Ren et al., ASPLOS 2017)."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput


class SegmentMax(wiring.Component):
    """`out` is the stream with the most pulses in the last whole segment of `segment` cycles, the first of equals; at first stream 0."""

    def __init__(self, inputs: int, segment: int) -> None:
        if inputs < 2 or segment < 2:
            raise BadInput(f"Max pooling by segments needs at least 2 streams and 2 cycles a segment; got {inputs} and {segment}.")
        self.inputs, self.segment = inputs, segment
        super().__init__({"restart": In(1), "advance": In(1), "bits": In(inputs), "out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        time, now = Signal(range(self.segment)), Signal(range(self.segment))
        leader, shown = Signal(range(self.inputs)), Signal(range(self.inputs))
        m.d.comb += [
            now.eq(Mux(self.restart, 0, time)),
            shown.eq(Mux(self.restart, 0, leader)),
            self.out.eq(self.bits.bit_select(shown, 1)),
        ]
        counts = [Signal(range(self.segment + 1), name=f"count{i}") for i in range(self.inputs)]
        after = [Signal(range(self.segment + 1), name=f"after{i}") for i in range(self.inputs)]
        for i in range(self.inputs):
            m.d.comb += after[i].eq(Mux(now == 0, 0, counts[i]) + self.bits[i])
        winners: list[tuple[Value, Value]] = [(Const(i, len(leader)), value) for i, value in enumerate(after)]
        while len(winners) > 1:  # a tree of comparisons; of equals the lower number wins
            pairs = zip(winners[::2], winners[1::2], strict=False)
            rest = winners[-1:] if len(winners) % 2 else []
            winners = [(Mux(b[1] > a[1], b[0], a[0]), Mux(b[1] > a[1], b[1], a[1])) for a, b in pairs] + rest
        best = winners[0][0]
        with m.If(self.advance):
            m.d.sync += [count.eq(value) for count, value in zip(counts, after, strict=True)]
            m.d.sync += [time.eq(now + 1), leader.eq(shown)]
            with m.If(now == self.segment - 1):
                m.d.sync += [time.eq(0), leader.eq(best)]
        return m
