"""Sums, counts and widths as circuits."""

from itertools import product

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from gatewright.hw.arithmetic import balanced_sum, popcount
from gatewright.hw.ranges import range_bits


@pytest.mark.parametrize("low", range(-20, 1))
def test_range_bits_is_the_least_that_holds_the_range(low: int) -> None:
    for high in range(max(low, 0), 40):
        bits = range_bits(low, high)
        assert -(1 << (bits - 1)) <= low
        assert high < 1 << (bits - 1)
        assert bits == 1 or low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8, 11])
def test_popcount_of_every_word(width: int) -> None:
    m, word, count = Module(), Signal(width), Signal(8)
    m.d.comb += count.eq(popcount(m, list(word)))

    async def bench(context: object) -> None:
        for value in range(1 << width):
            context.set(word, value)
            assert context.get(count) == value.bit_count()

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("terms", [1, 2, 3, 5])
def test_balanced_sum_is_exact(terms: int) -> None:
    """Terms of both signs, of every value; the sum's own width loses nothing."""
    m, parts = Module(), [Signal(signed(2), name=f"part{i}") for i in range(terms)]
    total = balanced_sum(parts)

    async def bench(context: object) -> None:
        for values in product(range(-2, 2), repeat=terms):
            for part, value in zip(parts, values, strict=True):
                context.set(part, value)
            assert context.get(total) == sum(values)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert total.shape().signed
