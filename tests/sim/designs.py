"""Small designs in Verilog, and stimulus for them."""

from typing import Any

import numpy as np

MAC = """
module mac(input clk, input rst, input signed [3:0] a, input signed [3:0] b, input clear, output reg signed [11:0] sum);
    always @(posedge clk)
        if (rst) sum <= 0;
        else sum <= (clear ? 12'sd0 : sum) + a * b;
endmodule
"""

# A counter that stops and a state machine that has nets starting at 1.
COUNTER = """
module counter(input clk, input rst, input up, output reg [5:0] count, output [1:0] phase, output idle);
    reg [1:0] state;
    always @(posedge clk)
        if (rst) begin count <= 0; state <= 0; end
        else begin
            count <= up ? count + 1 : count - 1;
            case (state)
                0: if (up) state <= 1;
                1: state <= 2;
                2: if (!up) state <= 3;
                3: state <= 0;
            endcase
        end
    assign phase = ~state;
    assign idle = state == 0;
endmodule
"""

MEMORY = """
module store #(parameter DEPTH = 8, WIDTH = 8) (
    input clk, input [1:0] write_enable, input [2:0] write_address, input [7:0] write_data,
    input read_enable, input [2:0] read_address, output reg [7:0] read_data);
    reg [7:0] words [0:7];
    always @(posedge clk) begin
        if (write_enable[0]) words[write_address][3:0] <= write_data[3:0];
        if (write_enable[1]) words[write_address][7:4] <= write_data[7:4];
        if (read_enable) read_data <= words[read_address];
    end
endmodule
"""

# Two elements of one module, fed by a memory that is read at the address being written every now and then.
GRID = (
    MEMORY
    + """
module element(input clk, input rst, input [3:0] a, input [3:0] b, output reg [9:0] sum);
    always @(posedge clk)
        if (rst) sum <= 0;
        else sum <= sum + a * b;
endmodule
module grid(input clk, input rst, input [7:0] data, input [1:0] write, input read, input [2:0] at, output [9:0] x, output [9:0] y);
    reg [2:0] address;
    wire [7:0] word;
    always @(posedge clk) address <= rst ? 0 : address + 1;
    store buffer(.clk(clk), .write_enable(write), .write_address(address), .write_data(data),
                 .read_enable(read), .read_address(at), .read_data(word));
    element left(.clk(clk), .rst(rst), .a(word[3:0]), .b(word[7:4]), .sum(x));
    element right(.clk(clk), .rst(rst), .a(word[3:0]), .b(data[3:0]), .sum(y));
endmodule
"""
)

# name -> (Verilog, widths of the inputs that differ between streams, widths of those that do not)
DESIGNS: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "mac": (MAC, {"a": 4, "b": 4, "clear": 1}, {}),
    "counter": (COUNTER, {"up": 1}, {}),
    "grid": (GRID, {"data": 8}, {"write": 2, "read": 1, "at": 3}),
}


def stimulus(design: str, cycles: int, streams: int, seed: int) -> dict[str, Any]:
    """Random unsigned integers [cycles, streams] on every input but clock and reset."""
    rng = np.random.default_rng(seed)
    _, free, shared = DESIGNS[design]
    values = {name: rng.integers(0, 1 << bits, (cycles, streams)) for name, bits in free.items()}
    return values | {name: np.repeat(rng.integers(0, 1 << bits, (cycles, 1)), streams, axis=1) for name, bits in shared.items()}
