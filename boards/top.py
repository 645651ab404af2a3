"""What goes into a board's tools: the Verilog of the whole chip, and where its pins and clock are."""

from importlib import import_module
from typing import Any

from gatewright.boards.board import Board
from gatewright.hw.board import Board as Chip
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import Missing
from gatewright.hw.verilog import emit
from gatewright.sim.network import TOP

CHIP_TOP = "top"
PINS = ("clk", "rx", "tx")
EXTRA = "pip install 'gatewright[fpga]'"

# Registers start at the values that `reset` needs on all families; everything else is defined by the reset.
_TOP = """
module {top}(input clk, input rx, output tx);
{clock}  reg [7:0] start = 8'd0;
  wire reset = ~&start;
  always @(posedge clock) if (reset) start <= start + 8'd1;
  {core} core(.clk(clock), .rst(reset), .rx(rx), .tx(tx), .busy());
endmodule
"""
_SAME = "  wire clock = clk;\n"
_DIVIDED = """  reg [{high}:0] divider = 0;
  always @(posedge clk) divider <= divider + 1;
  wire clock;
  BUFG clock_buffer(.I(divider[{high}]), .O(clock));
"""

_PIN = {
    "ice40": "set_io {name} {pin}",
    "ecp5": 'LOCATE COMP "{name}" SITE "{pin}";\nIOBUF PORT "{name}" IO_TYPE={standard};',
    "gowin": 'IO_LOC "{name}" {pin};\nIO_PORT "{name}" IO_TYPE={standard};',
    "xilinx": "set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD {standard}}} [get_ports {name}]",
}
_CLOCK = {
    "ice40": "",
    "ecp5": '\nFREQUENCY PORT "clk" {mhz} MHZ;',
    "gowin": "",
    "xilinx": "\ncreate_clock -period {period} [get_ports clk]\n"
    "create_generated_clock -name clock -source [get_ports clk] -divide_by {divider} [get_pins clock_buffer/O]",
}
CONSTRAINTS = {"ice40": "top.pcf", "ecp5": "top.lpf", "gowin": "top.cst", "xilinx": "top.xdc"}


def chip_verilog(board: Board, config: AcceleratorConfig, memory_words: int) -> str:
    """The Verilog of the whole chip, module `top`: clock, power-on reset, and the accelerator behind its serial port."""
    single_port = board.single_port(memory_words * config.operand_bits)
    clock = _SAME if board.clock_divider == 1 else _DIVIDED.format(high=board.clock_divider.bit_length() - 2)
    core = emit(Chip(config, memory_words, board.divisor, single_port), TOP)
    return core + _TOP.format(top=CHIP_TOP, clock=clock, core=TOP)


def constraints(board: Board) -> str:
    """Pins and clock, in the format of the family's tools."""
    lines = [_PIN[board.family].format(name=name, pin=pin, standard=standard) for name, (pin, standard) in pins(board).items()]
    numbers = {"mhz": f"{board.clock_hz / 1e6:g}", "period": f"{1e9 / board.clock_hz:g}", "divider": board.clock_divider}
    return "\n".join(lines) + _CLOCK[board.family].format(**numbers) + "\n"


def pins(board: Board) -> dict[str, tuple[str, str]]:
    """The chip's pin and its electrical standard for each of `PINS`."""
    resources = platform(board).resources
    clock = _find(resources, platform(board).default_clk)
    uart = {part.name: part for part in _find(resources, "uart").ios if hasattr(part, "ios")}
    parts = {
        "clk": (clock.ios[0], clock),
        "rx": (uart["rx"].ios[0], _find(resources, "uart")),
        "tx": (uart["tx"].ios[0], _find(resources, "uart")),
    }
    return {name: (pin.names[0], _standard(resource)) for name, (pin, resource) in parts.items()}


def platform(board: Board) -> Any:
    """The board's platform class in amaranth-boards. Raises Missing where that is not installed."""
    module, name = board.platform.split(":")
    try:
        return getattr(import_module(f"amaranth_boards.{module}"), name)
    except ModuleNotFoundError:
        raise Missing(
            f"amaranth-boards is needed (pin tables of boards) and was not found on this machine. Install it with: {EXTRA}"
        ) from None


def _find(resources: Any, name: str) -> Any:
    return next(resource for resource in resources if resource.name == name and resource.number == 0)


def _standard(resource: Any) -> str:
    attributes = resource.attrs
    return str(attributes.get("IO_TYPE") or attributes.get("IOSTANDARD") or attributes.get("IO_STANDARD"))
