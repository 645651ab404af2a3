"""One lane array that divides at run time: the products of any set of widths from one array of partial products.

The widest lane's array of partial products a[i] & w[j] also holds the products of its narrower parts: along the diagonal from corner
to corner lie the blocks of part p of the activation and part n - 1 - p of the weight, and all of them weigh the same. So the
edge turns the order of a weight's parts round, the array lets through only the blocks of the mode, the tree that adds the widest
products adds these too, and one shift puts the sum right. In XNOR mode the bits on the diagonal are equalities.
(The choice of the diagonal is that of sum-together multipliers: L. Mei et al., Sub-word parallel precision-scalable MAC engines, 2019.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from gatewright.hw.arithmetic import balanced_sum, lane_ports
from gatewright.hw.config import Operator
from gatewright.hw.operators import circuit
from gatewright.hw.ranges import range_bits

NAME = "split"


@dataclass(frozen=True, order=True)
class Mode:
    """What the array does for one layer: lanes of `width` bits, activations signed or not. Width 1 counts equal bits."""

    width: int
    signed: bool


def splits(operator: Operator) -> bool:
    """Whether the array can run an operator: two's complement, binary weights, equal bits."""
    return operator.kind in ("int", "binary_weight") or circuit(operator).datapath(operator) == "xnor"


def divisible(operators: Iterable[Operator]) -> bool:
    """Whether some of these have different lane circuits that one array can replace."""
    return len({circuit(operator).datapath(operator) for operator in operators if splits(operator)}) > 1


def mode_of(operator: Operator) -> Mode:
    if operator.kind in ("int", "binary_weight"):
        return Mode(operator.width, operator.activation_signed)
    return Mode(1, False)


def modes(operators: Iterable[Operator]) -> tuple[Mode, ...]:
    """The distinct modes of some operators, in ascending order: one wire each."""
    return tuple(sorted({mode_of(operator) for operator in operators}))


def lane_bits(operators: Iterable[Operator]) -> int:
    """Bits of a lane at the widest."""
    return max(mode_of(operator).width for operator in operators)


def spread(operator: Operator, word: Value, lane: int) -> Value:
    """A weight word with each weight sign-extended to its part (binary weights become -1 and +1), and the parts of a lane turned round."""
    width = mode_of(operator).width
    parts: list[Value] = []
    for i in range(len(word) // width):
        code = word.word_select(i, operator.weight_width if width > 1 else 1)[: operator.weight_bits if width > 1 else 1]
        sign = ~code[0] if operator.kind == "binary_weight" else code[-1]
        value = Const(1, 1) if operator.kind == "binary_weight" else code
        parts.append(Cat(value, sign.replicate(width - len(value))))
    per = lane // width
    return Cat(*(parts[i - i % per + per - 1 - i % per] for i in range(len(parts))))


class SplitLanes(wiring.Component):
    """The sum of all lane products in the mode that is high (one-hot, in the order of `modes`)."""

    def __init__(self, operators: Iterable[Operator], operand_bits: int) -> None:
        operators = tuple(operators)
        self.modes, self.lane, self.lanes = modes(operators), lane_bits(operators), operand_bits // lane_bits(operators)
        sums = {mode_of(operator): (0, 0) for operator in operators}
        for operator in operators:
            low, high = circuit(operator).sum_range(operator, operand_bits)
            least, most = sums[mode_of(operator)]
            sums[mode_of(operator)] = min(low, least), max(high, most)
        self.total_bits = max(range_bits(*limits) + self.lane - mode.width for mode, limits in sums.items())
        every = min(low for low, _ in sums.values()), max(high for _, high in sums.values())
        super().__init__({"mode": In(len(self.modes)), **lane_ports((operand_bits, operand_bits), every)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        passes, equals, inverts = (Signal(self.lane**2, name=name) for name in ("passes", "equals", "inverts"))
        correction, total = Signal(self.total_bits), Signal(signed(self.total_bits))
        self._control(m, passes, equals, inverts, correction)
        rows: list[Value] = []
        for lane in range(self.lanes):
            a, w = (Signal(self.lane, name=f"{side}{lane}") for side in ("a", "w"))
            m.d.comb += [a.eq(self.activation.word_select(lane, self.lane)), w.eq(self.weight.word_select(lane, self.lane))]
            for j in range(self.lane):
                weight = w[j].replicate(self.lane)
                product = a & passes.word_select(j, self.lane) & weight
                if any(mode.width == 1 for mode in self.modes):
                    product = product | (~(a ^ weight) & equals.word_select(j, self.lane))
                rows.append((product ^ inverts.word_select(j, self.lane)) << j)
        m.d.comb += total.eq(balanced_sum([*rows, correction]))
        for k, mode in enumerate(self.modes):
            with m.If(self.mode[k] if len(self.modes) > 1 else 1):
                m.d.comb += self.sum.eq(total >> (self.lane - mode.width))
        return m

    def _control(self, m: Module, passes: Signal, equals: Signal, inverts: Signal, correction: Signal) -> None:
        """What every mode does with the partial product of weight bit j and activation bit i, which is bit j * lane + i of a control.

        A product with the sign bit of one factor counts negatively: it is inverted, and the correction takes its weight off.
        """
        corrections = dict.fromkeys(self.modes, 0)
        for place in range(self.lane**2):
            j, i = divmod(place, self.lane)
            used = [mode for mode in self.modes if i // mode.width + j // mode.width == self.lane // mode.width - 1]
            counted = [mode for mode in used if mode.width == 1]
            negative = [k for k in used if k not in counted and ((j + 1) % k.width == 0) != (k.signed and (i + 1) % k.width == 0)]
            inverted = self.modes if negative == used else negative  # simpler if no mode needs it as it is
            for mode in inverted if used else ():
                corrections[mode] -= self.lanes << (i + j)
            m.d.comb += [
                passes[place].eq(self._high(mode for mode in used if mode not in counted)),
                equals[place].eq(self._high(counted)),
                inverts[place].eq(self._high(inverted if used else ())),
            ]
        for k in range(self.total_bits):
            m.d.comb += correction[k].eq(self._high(mode for mode, value in corrections.items() if value >> k & 1))

    def _high(self, chosen: Iterable[Mode]) -> Value:
        """Whether one of these modes is high; constant if none or all of them are asked for."""
        wires = [self.mode[self.modes.index(mode)] for mode in chosen]
        if len(wires) == len(self.modes):
            return Const(1, 1)
        return reduce(or_, wires) if wires else Const(0, 1)
