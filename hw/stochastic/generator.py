"""Stochastic number generators (SNG): comparators of values with shared, rotated numbers."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.stochastic.sharing import Sharing
from gatewright.hw.stochastic.sources import Counter, Lfsr, counter_number, following, pulse, sobol_number


class StreamGenerator(wiring.Component):
    """`streams[i]` is 1 where `values[i]` exceeds its number. The first bit is that of the cycle in which `restart` is high."""

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        super().__init__(
            {
                "restart": In(1),
                "advance": In(1),
                "values": In(sharing.bits).array(sharing.comparators),
                "streams": Out(sharing.comparators),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        levels = self._registers(m) if self.sharing.source == "lfsr" else self._indexed(m)
        for i, value in enumerate(self.values):
            m.d.comb += self.streams[i].eq(pulse(self.sharing.source, value, levels[i // self.sharing.sharing]))
        return m

    def _registers(self, m: Module) -> list[Value]:
        """The levels of each group: a register's state, as far ahead as the group sees it, rotated."""
        plan, states = self.sharing, []
        for source in range(plan.sources):
            m.submodules[f"source{source}"] = register = Lfsr(plan.bits, seed=plan.seed(source))
            m.d.comb += [register.restart.eq(self.restart), register.advance.eq(self.advance)]
            states.append([register.level])
        levels = []
        for group in range(plan.groups):
            source, turn, ahead = plan.view(group)
            while len(states[source]) <= ahead:
                states[source].append(following(m, states[source][-1], register.taps))
            levels.append(states[source][ahead].rotate_left(turn.left))
        return levels

    def _indexed(self, m: Module) -> list[Value]:
        """The levels of each group from one counter: its own bits, or points of the group's Sobol dimension."""
        plan = self.sharing
        bits = (plan.length - 1).bit_length() if plan.source == "counter" else plan.bits
        m.submodules.counter = counter = Counter(bits)
        m.d.comb += [counter.restart.eq(self.restart), counter.advance.eq(self.advance)]
        levels = []
        for group in range(plan.groups):
            source, turn, ahead = plan.view(group)
            index = (counter.index + ahead)[:bits] if ahead else counter.index
            counts = plan.source == "counter"
            number = counter_number(index, plan.bits) if counts else sobol_number(index, plan.bits, 1 + plan.first + source)
            levels.append(number.rotate_left(turn.left) ^ turn.mask)
        return levels
