"""Proofs of equivalence: right ones succeed, mutants are refuted by a counterexample that simulation confirms, empty ones are errors."""

import pytest

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.loop_nest import LoopNest
from gatewright.hw.verilog import emit
from gatewright.sim.formal.aig import Aig
from gatewright.sim.formal.equivalence import assert_equivalent, prove_equal
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from tests.sim.designs import MAC

LIBERTY = ihp130().liberty_files()

ADDER = "module add(input [7:0] a, input [7:0] b, output [7:0] sum); assign sum = a + b; endmodule"
CARRIES = "module add(input [7:0] a, input [7:0] b, output [7:0] sum); assign sum = (a ^ b) + ((a & b) << 1); endmodule"
DELAY = "module delay(input clk, input rst, input d, output reg q); always @(posedge clk) q <= rst ? 1'b0 : d; endmodule"
INVERTED = """module delay(input clk, input rst, input d, output q);
reg n; assign q = !n; always @(posedge clk) n <= rst ? 1'b1 : !d; endmodule"""
UNRESET = (
    "module delay(input clk, input rst, input d, output q); reg keep; assign q = keep; always @(posedge clk) if (d) keep <= d; endmodule"
)


def test_combinational_circuits() -> None:
    assert assert_equivalent(ADDER, CARRIES).method == "SAT"


def test_a_difference_is_shown_with_the_inputs_that_make_it() -> None:
    """Only operands that are both 0xa5 tell the two apart."""
    odd = ADDER.replace("a + b", "(a == 8'ha5 && b == 8'ha5) ? 8'd0 : a + b")
    with pytest.raises(Mismatch, match=r"sum is 0x4a on the left, 0x0 on the right; .*cycle 0: a = 0xa5, b = 0xa5"):
        assert_equivalent(ADDER, odd)


def test_registers_that_are_kept_otherwise() -> None:
    assert assert_equivalent(DELAY, INVERTED).method == "sequential"


def test_a_register_that_no_reset_defines_is_a_difference() -> None:
    with pytest.raises(Mismatch, match="q is"):
        assert_equivalent(UNRESET, UNRESET.replace("keep", "kept"))


def test_a_counterexample_over_several_cycles() -> None:
    """Two counters differ when the first would pass 5."""
    count = """module count(input clk, input rst, input up, output [2:0] n);
reg [2:0] state; assign n = state; always @(posedge clk) if (rst) state <= 0; else if (up) state <= state + 1; endmodule"""
    stops = count.replace("state + 1", "state == 5 ? 5 : state + 1").replace("state", "other")
    with pytest.raises(Mismatch, match=r"n is 0x6 on the left, 0x5 on the right; .*cycle 5: up = 0x1; cycle 6"):
        assert_equivalent(count, stops)


def test_a_component_and_its_gates() -> None:
    nest = LoopNest(3, 3)
    assert assert_equivalent(nest, synthesise(emit(nest, "nest"), "nest", LIBERTY)).method == "sequential"


def test_gates_of_a_mutant_are_refuted() -> None:
    text = emit(LoopNest(3, 3), "nest")
    assert text.count(" == ")
    with pytest.raises(Mismatch, match="The circuits differ"):
        assert_equivalent(text, synthesise(text.replace(" == ", " != ", 1), "nest", LIBERTY), top="nest")


BANKS = """module bank(input clk, input en, input [2:0] ra, input we, input [2:0] wa, input [3:0] d, output reg [3:0] q);
reg [3:0] words [0:7]; always @(posedge clk) begin if (en) q <= words[ra]; if (we) words[wa] <= d; end endmodule
module two(input clk, input rst, input go, input [2:0] a, input [3:0] d, output [3:0] x, output [3:0] y);
reg [2:0] n; always @(posedge clk) if (rst) n <= 0; else if (go) n <= n + 1;
bank first(.clk(clk), .en(go), .ra(a), .we(1'b1), .wa(n), .d(d), .q(x));
bank second(.clk(clk), .en(1'b1), .ra(n), .we(go), .wa(a), .d(x), .q(y));
endmodule"""


def test_memories_are_compared_by_what_drives_them() -> None:
    gates = synthesise(BANKS, "two", LIBERTY)
    assert len(gates.memories) == 2
    assert_equivalent(BANKS, gates, top="two")
    with pytest.raises(Mismatch, match=r"first\.write_enable is .*differ|differ: .*first\.write_enable"):
        assert_equivalent(BANKS.replace(".we(1'b1)", ".we(go)"), gates, top="two")


def test_no_output_is_an_error() -> None:
    nothing = Aig(inputs={"a": 2}, ands=[None, None])
    with pytest.raises(BadInput, match="no output, so there is nothing to compare"):
        prove_equal(nothing, nothing)


def test_other_ports_are_an_error() -> None:
    with pytest.raises(BadInput, match=r"same outputs of the same widths; they differ in sum"):
        assert_equivalent(ADDER, ADDER.replace("[7:0] sum", "[8:0] sum"))
    with pytest.raises(BadInput, match=r"same inputs of the same widths; they differ in"):
        assert_equivalent(MAC, MAC.replace("clear", "zero"))
