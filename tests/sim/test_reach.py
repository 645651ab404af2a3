"""Where a fault cannot change an output: what is found without a proof is proven here."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.verilog import emit
from gatewright.sim.formal.equivalence import assert_equivalent
from gatewright.sim.mutation import choose, judged, reached, single


class Sums(wiring.Component):
    """Registers add eight bits, of which four can be seen; more bits ride along with a choice."""

    step: In(8)
    chosen: In(1)
    low: Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total, other = Signal(8), Signal(8)
        m.d.sync += [total.eq(total + Mux(self.chosen, self.step, other)), other.eq(self.step ^ total)]
        m.d.comb += self.low.eq(total)
        return m


VERILOG = emit(Sums(), "top")


def test_every_place_found_harmless_is_proven_so_and_no_other() -> None:
    reach, mutants = reached(VERILOG, "top"), choose(VERILOG, "top", 12, 1)
    harmless = [mutant for mutant in mutants if reach.harmless(mutant.mode, mutant.place)]
    assert 2 <= len(harmless) <= 10
    for mutant in harmless:
        assert_equivalent(single(VERILOG, "top", None), single(VERILOG, "top", mutant), top="top", seconds=5)
    others = [mutant for mutant in mutants if mutant not in harmless][:2]
    assert {judged(mutant, VERILOG, "top", 5, reach).outcome for mutant in others} == {"unresolved"}


def test_carries_go_upwards_and_bits_of_a_choice_stay_apart() -> None:
    reach = reached(VERILOG, "top")
    cells = {cell.partition("$")[2].partition("$")[0]: cell for cell, _, _ in reach.places}
    assert {(port, bit) for cell, port, bit in reach.places if cell == cells["add"] and port == "Y"} == {("Y", bit) for bit in range(4)}
    mux = [place for place in reach.places if "ternary" in place[0] or "mux" in place[0]]
    assert {bit for _, port, bit in mux if port in ("A", "B")} == {0, 1, 2, 3}
    assert {bit for _, port, bit in mux if port == "S"} == {0}


def test_a_constant_that_is_there_already_is_no_fault() -> None:
    """A bit that the circuit leaves open may have any value; one that is 0 may be 0, not 1."""
    verilog = "module top(input [1:0] a, input s, output [3:0] b); assign b = s ? {2'b0, a} : 4'bxx10; endmodule"
    reach = reached(verilog, "top")
    cell = next(cell for cell, _, _ in reach.places)
    assert reach.harmless("const0", (cell, "B", 2))
    assert not reach.harmless("const1", (cell, "B", 2))
    assert not reach.harmless("inv", (cell, "B", 2))
    assert reach.harmless("inv", (cell, "A", 3))
    assert not reach.harmless("const1", (cell, "A", 0))
