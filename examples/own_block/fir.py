"""A block of one's own: a filter with symmetric taps, and the plain filter it must be equal to."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

TAPS = (1, -3, 7, 7, -3, 1)


class Filter(wiring.Component):
    """y[n] = sum of taps[i] * x[n - i] over the samples taken, those with `valid` high; `done` is high when `y` is a new sum."""

    def __init__(self, taps: tuple[int, ...] = TAPS, width: int = 8) -> None:
        self.taps, self.width = tuple(taps), width
        bits = width + sum(map(abs, taps)).bit_length()
        super().__init__({"x": In(signed(width)), "valid": In(1), "y": Out(signed(bits)), "done": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        samples = [Signal(signed(self.width), name=f"sample{i}") for i in range(len(self.taps))]
        m.d.sync += self.done.eq(self.valid)
        with m.If(self.valid):
            for sample, before in zip(samples, [self.x, *samples], strict=False):
                m.d.sync += sample.eq(before)
        m.d.comb += self.y.eq(self.sum(samples))
        return m

    def sum(self, samples: list[Signal]) -> Value:
        """A multiplication for each tap."""
        return sum((tap * sample for tap, sample in zip(self.taps, samples, strict=True)), start=Value.cast(0))


class SymmetricFilter(Filter):
    """The same with half the multiplications: samples with equal taps are added first."""

    def sum(self, samples: list[Signal]) -> Value:
        half = len(samples) // 2
        pairs = zip(self.taps[:half], samples[:half], reversed(samples[-half:]), strict=True)
        return sum((tap * (first + last) for tap, first, last in pairs), start=Value.cast(0))
