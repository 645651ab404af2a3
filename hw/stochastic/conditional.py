"""Conditional multiplication: one stream gates the index of the other's source, so that the two cannot be correlated.

The unary multiplier of uGEMM (Wu et al., ISCA 2020): the value's numbers are drawn only when the stream pulses, so the product of n
pulses counts exactly the n first bits of the value's own stream, whatever the order of the pulses.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.stochastic.sources import Counter, sobol_number


class ConditionalMultiplier(wiring.Component):
    """Stream `a` times `value`, unipolar (magnitudes) or bipolar (the value offset by half its range).

    Unipolar: `a` and the value's next bit, taken when `a` is 1. Bipolar: also, where `a` is 0, the inverse of the next bit of a second
    index. The numbers are those of a Sobol dimension with `index_bits` of index (at least log2 of the stream's length, for no repetition).
    """

    def __init__(self, bits: int, index_bits: int, *, bipolar: bool = False, dimension: int = 1) -> None:
        self.bits, self.index_bits, self.bipolar, self.dimension = bits, index_bits, bipolar, dimension
        super().__init__({"restart": In(1), "advance": In(1), "a": In(1), "value": In(bits), "product": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ones = self._bit(m, "ones", self.a)
        m.d.comb += self.product.eq(Mux(self.a, ones, ~self._bit(m, "zeros", ~self.a)) if self.bipolar else self.a & ones)
        return m

    def _bit(self, m: Module, name: str, gate: Value) -> Signal:
        """The value's next bit; the index moves on where `gate` is high."""
        m.submodules[name] = counter = Counter(self.index_bits)
        taken = Signal(name=f"{name}_bit")
        m.d.comb += counter.restart.eq(self.restart)
        # A restarting counter shows 0; it must hold that even where the gate keeps it from moving on.
        m.d.comb += [counter.advance.eq(self.advance), counter.hold.eq(~gate)]
        m.d.comb += taken.eq(self.value > sobol_number(counter.index, self.bits, self.dimension))
        return taken
