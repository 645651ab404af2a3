"""Number sources as circuits; their sequences are in `gatewright.hw.stochastic.numbers`."""

from collections.abc import Sequence
from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import Source
from gatewright.hw.stochastic.numbers import TAPS, Side, direction_numbers, side_taps, sobol_dimension
from gatewright.hw.stochastic.sharing import SELECT_INDEX


def sobol_number(index: Value, bits: int, dimension: int) -> Value:
    """The point with that index: a linear function of its bits, without state. Bits of the index beyond `bits` do not count."""
    index = index[:bits]
    return reduce(xor, (Mux(index[i], v, 0) for i, v in enumerate(direction_numbers(bits, dimension)[: len(index)])))[:bits]


def counter_number(index: Value, bits: int) -> Value:
    """A counter's value spread over `bits` bits: the index's top bits, or all of them and the middle of the step below."""
    below = bits - len(index)
    return Cat(Const(1 << (below - 1), below), index) if below > 0 else index[-below:]


def following(m: Module, state: Value, taps: int) -> Value:
    """The state of a linear feedback register after `state`."""
    after = Signal(len(state))
    m.d.comb += after.eq(Cat((state & taps).xor(), state)[: len(state)])
    return after


class Lfsr(wiring.Component):
    """A maximal register of `bits` bits. `level` is its state, one more than the number: the stream's bit is value >= level."""

    def __init__(self, bits: int, taps: int | None = None, seed: int = 1) -> None:
        self.taps, self.seed = TAPS[bits] if taps is None else taps, seed
        super().__init__({"restart": In(1), "advance": In(1), "level": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(len(self.level), init=self.seed)
        m.d.comb += self.level.eq(Mux(self.restart, self.seed, held))
        with m.If(self.advance):
            m.d.sync += held.eq(following(m, self.level, self.taps))
        return m


class Counter(wiring.Component):
    """Counts cycles from a restart; one counter indexes any number of Sobol dimensions and is a thermometer's source itself.

    In a cycle with `hold` it advances without counting (a restart is still remembered).
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"restart": In(1), "advance": In(1), "hold": In(1), "index": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(len(self.index))
        m.d.comb += self.index.eq(Mux(self.restart, 0, held))
        with m.If(self.advance):
            m.d.sync += held.eq(self.index + ~self.hold)
        return m


class Sobol(wiring.Component):
    """Some dimensions of the Sobol sequence, `numbers[i]` the point of `dimensions[i]` with the given index."""

    def __init__(self, bits: int, dimensions: Sequence[int], index_bits: int) -> None:
        self.bits, self.dimensions = bits, tuple(dimensions)
        super().__init__({"index": In(index_bits), "numbers": Out(bits).array(len(self.dimensions))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, dimension in zip(self.numbers, self.dimensions, strict=True):
            m.d.comb += number.eq(sobol_number(self.index, self.bits, dimension))
        return m


class NumberSource(wiring.Component):
    """One side of the grid: plays `width` numbers a cycle. Its cycle is named by `step`; `restart` is high in step 0.

    Sobol numbers and counters need no state. A linear feedback register is unrolled `width` times; its comparators take the state
    itself (one more than the number), see `pulse`. With `select`, that many bits that select a lane stand above each number.
    """

    def __init__(self, source: Source, bits: int, side: Side, width: int, steps: int, select: int = 0) -> None:
        self.source, self.bits, self.side, self.width, self.steps, self.select = source, bits, side, width, steps, select
        super().__init__(
            {
                "step": In(max(1, (steps - 1).bit_length())),
                "advance": In(1),
                "numbers": Out(bits + select).array(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        low, step_bits = (self.width - 1).bit_length(), (self.steps - 1).bit_length()
        indices = [Cat(Const(j, low), self.step[:step_bits]) for j in range(self.width)]
        if self.source == "lfsr":
            levels = self._unrolled(m)
        elif self.source == "counter" and self.side == "activation":
            levels = [counter_number(index, self.bits) for index in indices]
        else:
            levels = [sobol_number(index, self.bits, sobol_dimension(self.side)) for index in indices]
        for number, level, index in zip(self.numbers, levels, indices, strict=True):
            selected = sobol_number(index, SELECT_INDEX, 3)[SELECT_INDEX - self.select :]
            m.d.comb += number.eq(Cat(level, selected) if self.select else level)
        return m

    def _unrolled(self, m: Module) -> list[Value]:
        """The register's states in one cycle."""
        held = Signal(self.bits, init=1)
        states: list[Value] = [Mux(self.step == 0, 1, held)[: self.bits]]
        for _ in range(self.width):
            states.append(following(m, states[-1], side_taps(self.bits, self.side)))
        with m.If(self.advance):
            m.d.sync += held.eq(states[-1])
        return states[:-1]


def pulse(source: Source, value: Value, number: Value) -> Value:
    """The stream's bit: value > number. A linear feedback register gives number + 1, so its comparison is >=."""
    return value >= number if source == "lfsr" else value > number
