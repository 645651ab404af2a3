"""What is rewritten for Verilator means the same: by hand here; cocotb runs the Verilog as it is delivered, with the same results."""

import pytest

from gatewright.sim.fast_verilog import simulated
from gatewright.sim.network import system_verilog
from tests.rtl.accelerators import SMALL

MODULE = """module top(clk, rst, a, \\b$1 , y, z);
  input clk;
  wire clk;
  input rst;
  wire rst;
  input [2:0] a;
  wire [2:0] a;
  input bit;
  output [9:0] y;
  reg [1:0] array [3:0];
  initial begin
    array[0] = 2'h1;
    array[1] = 2'h1;
    array[2] = 2'h1;
  end
  reg [1:0] other [1:0];
  initial begin
    other[0] = 2'h1;
    other[1] = 2'h2;
  end
  assign y = { a[2], a[2], \\b$1 , \\b$1 , \\b$1 , a[2], a };
endmodule
"""


def test_repeated_bits_and_equal_words() -> None:
    text = simulated(MODULE.replace("\\b$1 , y, z", "bit, y"), "top")
    assert "assign y = { {2{a[2]}}, {3{\\b$1 }}, a[2], a };" in text
    assert "for (place = 0; place < 3; place = place + 1) array[place] = 2'h1;" in text
    assert "    other[0] = 2'h1;\n    other[1] = 2'h2;\n" in text
    assert "module gatewright_simulated(input clk, input rst, input [2:0] a, input bit, output [9:0] y);" in text
    assert "top system (.clk(clk), .rst(held), .a(a), .bit(bit), .y(y));" in text


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no module other"):
        simulated(MODULE, "other")


def test_an_accelerator_has_all_of_them() -> None:
    """Each of the three is found in what is generated: if its form changes, this tells that it is no longer rewritten."""
    plain = system_verilog(SMALL)
    text = simulated(plain, "gatewright")
    assert text.count("initial for (place") == plain.count("  initial begin\n")
    assert "{2{" in text
    assert ".rst(held)" in text
