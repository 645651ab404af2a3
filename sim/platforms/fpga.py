"""What FPGA charts are made of: the designs that are placed and routed (gatewright.boards.charts), and the layers that run on them
(gatewright.dse.layer_chart).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.grid import Grid
from gatewright.hw.names import operator_named
from gatewright.sim.design import CLOCK, Design
from gatewright.sw.layers import Layer

OPERATORS = ("int8", "int4", "bw8", "shift5x8", "mf_l1_8", "xnor", "sc_bipolar_sobol64_8")
WIDTHS = {"icebreaker": (32, 64), "colorlight": (64,)}  # operand bits of the elements that are built for a board
KERNELS = (1, 3)


@dataclass(frozen=True)
class Plan:
    """What is built for a board, and which layers are scheduled on the largest grid of each operator."""

    config: AcceleratorConfig  # but for operator and size
    operators: tuple[str, ...]
    rows: tuple[int, ...]
    cols: tuple[int, ...]
    channels: tuple[int, ...]
    sizes: tuple[int, ...]


_XNOR = (operator_named("xnor"),)
PLANS = {
    "icebreaker": Plan(
        AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=_XNOR, pooling=False, weight_words=512, parameter_words=64),
        ("xnor",),
        (1,),
        (1, 2),
        (16, 32, 64),
        (4, 8, 16),
    ),
    "ulx3s": Plan(
        AcceleratorConfig(
            rows=1, cols=1, operators=_XNOR, activation_words=1024, weight_words=1024, output_words=1024, parameter_words=256
        ),
        ("int8", "xnor"),
        (2,),
        (4,),
        (16, 32, 64, 128, 256),
        (4, 8, 16, 32),
    ),
}

_BENCH = """
module {name}(input clk, input rx, output tx);
  reg [{last_in}:0] held;
  (* keep *) reg [{last_out}:0] taken;
  wire [{last_out}:0] found;
  always @(posedge clk) begin held <= {{held, rx}}; taken <= found; end
  assign tx = held[{last_in}];
  {top} bench(.clk(clk), {pins});
endmodule
"""


def element(operator: Operator, operand_bits: int) -> Design:
    """A processing element with its edges, as the operators' table measures it (docs/operators.md)."""
    config = AcceleratorConfig(rows=1, cols=1, operand_bits=operand_bits, operators=(operator,))
    return Design.of(Grid(config, max(1, (operator.steps - 1).bit_length())))


def bench(design: Design, name: str) -> tuple[str, int]:
    """A chip `name` around a design with three pins, `clk`, `rx` and `tx`, and how many flip-flops it adds; it adds no logic.

    Inputs come from a shift register and outputs go to registers, so that every path of the design lies between flip-flops.
    """
    inputs = [port for port in design.ports.values() if port.is_input and port.name != CLOCK]
    outputs = list(design.outputs.values())
    pins, sizes = [], []
    for ports, wires in ((inputs, "held"), (outputs, "found")):
        at = 0
        for port in ports:
            pins.append(f".\\{port.name} ({wires}[{at} +: {port.width}])")
            at += port.width
        sizes.append(at)
    around = _BENCH.format(name=name, last_in=sizes[0] - 1, last_out=sizes[1] - 1, top=design.top, pins=", ".join(pins))
    return design.verilog + around, sum(sizes)


def grids() -> Iterator[tuple[str, AcceleratorConfig]]:
    """Every accelerator of the chart, with its board."""
    for board, plan in PLANS.items():
        for operator, rows, cols in product(plan.operators, plan.rows, plan.cols):
            yield board, plan.config.replace(operators=(operator_named(operator),), rows=rows, cols=cols)


def largest() -> Iterator[tuple[str, AcceleratorConfig]]:
    """Of each board and operator the accelerator with the most elements: layers run on it."""
    for board, config in grids():
        if (config.rows, config.cols) == (PLANS[board].rows[-1], PLANS[board].cols[-1]):
            yield board, config


def layer(operator: Operator, channels: int, outputs: int, size: int, kernel: int) -> Layer:
    """A convolution of a size x size image with padding, so that the output is as large."""
    shape = {"C": channels, "K": outputs, "H": size, "W": size, "R": kernel, "S": kernel, "padding": kernel // 2}
    return Layer(name="layer", operator=operator, **shape)
