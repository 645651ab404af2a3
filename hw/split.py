"""One lane array that divides at run time: the products of any set of widths from the same small multipliers.

An operand of the widest operator is cut into digits as wide as the narrowest. A brick multiplies one digit of the activation by one of the
weight. Wide products need all bricks, weighted by their digits' places; narrow ones only the bricks on the diagonal, unweighted;
the others stand still. As the lanes are summed anyway, bricks of one weight are added over all lanes before they are shifted.
In XNOR mode the bricks on the diagonal count equal bits. (H. Sharma et al., Bit Fusion, ISCA 2018, has the idea of the bricks.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from gatewright.hw.arithmetic import balanced_sum, lane_ports, popcount
from gatewright.hw.config import Operator
from gatewright.hw.operators import circuit

NAME = "split"


@dataclass(frozen=True, order=True)
class Mode:
    """What the array does for one layer: lanes of `width` bits, activations signed or not. Width 1 counts equal bits."""

    width: int
    signed: bool


def splits(operator: Operator) -> bool:
    """Whether the array can run an operator: two's complement, binary weights, equal bits."""
    return operator.kind in ("int", "binary_weight") or circuit(operator).datapath(operator) == "xnor"


def mode_of(operator: Operator) -> Mode:
    if operator.kind in ("int", "binary_weight"):
        return Mode(operator.width, operator.activation_signed)
    return Mode(1, False)


def modes(operators: Iterable[Operator]) -> tuple[Mode, ...]:
    """The distinct modes of some operators, in ascending order: one wire each."""
    return tuple(sorted({mode_of(operator) for operator in operators}))


def spread(operator: Operator, word: Value) -> Value:
    """A weight word with each weight sign-extended to its lane; binary weights become -1 and +1."""
    mode = mode_of(operator)
    if mode.width == 1:
        return word
    lanes = []
    for i in range(len(word) // operator.width):
        code = word.word_select(i, operator.weight_width)[: operator.weight_bits]
        if operator.kind == "binary_weight":
            lanes.append(Cat(Const(1, 1), (~code).replicate(mode.width - 1)))
        else:
            lanes.append(Cat(code, code[-1].replicate(mode.width - operator.weight_bits)))
    return Cat(*lanes)


class SplitLanes(wiring.Component):
    """The sum of all lane products in the mode that is high (one-hot, in the order of `modes`); zero if none is."""

    def __init__(self, operators: Iterable[Operator], operand_bits: int, *, isolation: bool = True) -> None:
        operators = tuple(operators)
        self.modes, self.operand_bits, self.isolation = modes(operators), operand_bits, isolation
        widths = {mode.width for mode in self.modes}
        self.lane, self.digit = max(widths), min(width for width in widths if width > 1)
        ranges = [circuit(operator).sum_range(operator, operand_bits) for operator in operators]
        sums = min(low for low, _ in ranges), max(high for _, high in ranges)
        super().__init__({"mode": In(len(self.modes)), **lane_ports((operand_bits, operand_bits), sums)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        digits = self.operand_bits // self.digit
        activations = [self._digit(m, "activation", i) for i in range(digits)]
        weights = [self._digit(m, "weight", i) for i in range(digits)]
        per_lane = self.lane // self.digit
        groups: dict[tuple[tuple[int, int], ...], list[Value]] = {}
        for i in range(digits):
            for j in range(i - i % per_lane, i - i % per_lane + per_lane):
                shifts = self._shifts(i % per_lane, j % per_lane)
                groups.setdefault(shifts, []).append(self._brick(m, activations[i], weights[j], shifts, i if i == j else None))
        m.d.comb += self.sum.eq(balanced_sum([self._shifted(m, shifts, bricks) for shifts, bricks in groups.items()]))
        return m

    def _high(self, widths: Iterable[int], *, signed_only: bool = False) -> Value:
        """Whether the mode is of one of these widths."""
        chosen = [self.mode[k] for k, mode in enumerate(self.modes) if mode.width in widths and (mode.signed or not signed_only)]
        return reduce(or_, chosen) if chosen else Const(0, 1)

    def _digit(self, m: Module, side: str, i: int) -> Signal:
        """Digit i of a word with a bit for its sign, which only the highest digit of a signed lane has."""
        digit = Signal(signed(self.digit + 1), name=f"{side}_digit{i}")
        bits = getattr(self, side).word_select(i, self.digit)
        highest = {mode.width for mode in self.modes if mode.width > 1 and (i + 1) * self.digit % mode.width == 0}
        m.d.comb += digit.eq(Cat(bits, bits[-1] & self._high(highest, signed_only=side == "activation")).as_signed())
        return digit

    def _shifts(self, i: int, j: int) -> tuple[tuple[int, int], ...]:
        """For every width in which the brick of digits i and j of a lane is in use, the weight of its product as a power of two."""
        found = []
        for width in sorted({mode.width for mode in self.modes}):
            if width == 1 and i == j:
                found.append((1, 0))
            per = width // self.digit
            if width > 1 and i // per == j // per:
                found.append((width, self.digit * (i % per + j % per)))
        return tuple(found)

    def _brick(self, m: Module, activation: Signal, weight: Signal, shifts: tuple[tuple[int, int], ...], diagonal: int | None) -> Value:
        """The product of two digits where a mode needs it, the count of their equal bits in XNOR mode, else zero."""
        multiplies = {width for width, _ in shifts if width > 1}
        always = multiplies == {mode.width for mode in self.modes}
        factor: Value = activation
        if self.isolation and not always:
            factor = Mux(self._high(multiplies), activation, 0)
        product = Signal(signed(2 * self.digit + 2))
        m.d.comb += product.eq(factor * weight)
        if diagonal is None or not any(mode.width == 1 for mode in self.modes):
            return product
        equal = Signal(self.digit)
        m.d.comb += equal.eq(~(activation ^ weight)[: self.digit])
        return Mux(self._high({1}), popcount(m, list(equal)), product)

    def _shifted(self, m: Module, shifts: tuple[tuple[int, int], ...], bricks: list[Value]) -> Value:
        """The sum of bricks of one weight, weighted as the mode asks; bricks that may not stand still are left out here."""
        total = balanced_sum(bricks)
        places = sorted({place for _, place in shifts})
        unused = {mode.width for mode in self.modes} - {width for width, _ in shifts}
        if len(places) == 1 and (self.isolation or not unused):
            return total << places[0]
        weighted = Signal(signed(len(total) + places[-1]))
        for place in places:
            with m.If(self._high({width for width, at in shifts if at == place})):
                m.d.comb += weighted.eq(total << place)
        return weighted
