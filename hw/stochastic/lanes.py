"""The lanes of one element on streams: `width` bits of each lane's product a cycle, added by the operator's adder.

Streams arrive lane after lane; where the adder is a multiplexer, the edges have selected the lane already (selection commutes with
multiplication by a gate), so that a group of lanes is one stream. Weights carry a sign per lane, or per selected bit.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring

from gatewright.hw.arithmetic import popcount
from gatewright.hw.config import Operator
from gatewright.hw.stochastic.parallel_counter import pairs
from gatewright.hw.stochastic.sharing import PERIOD_BITS, pairing


class StreamLanes(wiring.Component):
    """Ports `activation`, `weight` (encoded words) and `sum`."""

    def __init__(self, operator: Operator, operand_bits: int, ports: dict[str, object]) -> None:
        self.operator, self.operand_bits = operator, operand_bits
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = len(self.activation)
        weight, signs = self.weight[:bits], self.weight[bits:]
        products = Signal(bits)
        m.d.comb += products.eq(~(self.activation ^ weight) if self.operator.coding == "bipolar" else self.activation & weight)
        if self.operator.adder == "or":
            m.d.comb += self.sum.eq(self._saturating(m, products, signs))
            return m
        width = self.operator.width
        if self.operator.adder == "mux":
            counted, each, times = list(products), 1, PERIOD_BITS // width
        elif self.operator.adder == "approximate":
            order = pairing(width)
            counted = [pair for lane in range(bits // width) for pair in pairs([products[lane * width + j] for j in order])]
            each, times = width // 2, 2
        else:
            counted, each, times = list(products), width, 1
        m.d.comb += self.sum.eq(times * _signed_count(m, counted, signs, each))
        return m

    def _saturating(self, m: Module, products: Value, signs: Value) -> Value:
        """In each group and at each time, one pulse for the positive lanes together less one for the negative."""
        width, lanes = self.operator.width, PERIOD_BITS // self.operator.width
        positive, negative = [], []
        for group in range(len(products) // PERIOD_BITS):
            for j in range(width):
                numbers = range(group * lanes, (group + 1) * lanes)
                positive.append(Cat(products[i * width + j] & ~signs[i] for i in numbers).any())
                negative.append(Cat(products[i * width + j] & signs[i] for i in numbers).any())
        return popcount(m, positive) - popcount(m, negative)


def _signed_count(m: Module, bits: list[Value], signs: Value, each: int) -> Value:
    """The number of ones, those of each `each` bits taken away where their sign is set; all added where there are no signs.

    -n = ~n + 1, so flipping the bits where the sign is set counts `each` - n: the total is off by `each` for each sign, and that is
    known without looking at the bits.
    """
    if not len(signs):
        return popcount(m, bits)
    flipped = [bit ^ signs[i // each] for i, bit in enumerate(bits)]
    return popcount(m, flipped) - each * popcount(m, list(signs))
