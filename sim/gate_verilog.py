"""A netlist as gate-level Verilog: nets are `n<number>`, cells `g<number>`, memories behavioural modules."""

import re
from collections.abc import Iterable, Iterator

from gatewright.sim.netlist import ONE, OPEN, ZERO, Netlist, Nets

MEMORY_MODEL = """\
module gatewright_memory #(parameter DEPTH = 2, WIDTH = 1, READ_BITS = 1, WRITE_BITS = 1) (
    input clk,
    input read_enable,
    input [READ_BITS-1:0] read_address,
    output reg [WIDTH-1:0] read_data,
    input [WIDTH-1:0] write_enable,
    input [WRITE_BITS-1:0] write_address,
    input [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    always @(posedge clk) begin
        if (read_enable) read_data <= words[read_address];
        if (|write_enable) words[write_address] <= (words[write_address] & ~write_enable) | (write_data & write_enable);
    end
endmodule
"""


def gate_verilog(netlist: Netlist) -> str:
    """The netlist as one module over the library's cells, and `gatewright_memory` where it has memories. Cell models are not included."""
    lines = [f"module {identifier(netlist.name)} ({', '.join(map(identifier, [*netlist.inputs, *netlist.outputs]))});"]
    for direction, ports in (("input", netlist.inputs), ("output", netlist.outputs)):
        lines += [f"  {direction} [{len(nets) - 1}:0] {identifier(name)};" for name, nets in ports.items()]
    lines += [f"  wire n{net};" for net in range(2, netlist.nets)]
    for name, nets in netlist.inputs.items():
        lines += [f"  assign n{net} = {identifier(name)}[{bit}];" for bit, net in enumerate(nets.tolist())]
    lines += [f"  assign {identifier(name)} = {_join(nets)};" for name, nets in netlist.outputs.items()]
    lines += _cells(netlist)
    for number, memory in enumerate(netlist.memories):
        sizes = f"{memory.depth}), .WIDTH({memory.width}), .READ_BITS({len(memory.read_address)}), .WRITE_BITS({len(memory.write_address)}"
        pins = {
            name: _join(getattr(memory, name))
            for name in ("read_enable", "read_address", "read_data", "write_enable", "write_address", "write_data")
        }
        connections = ", ".join(f".{pin}({nets})" for pin, nets in ({"clk": _net(netlist.clock)} | pins).items())
        lines.append(f"  gatewright_memory #(.DEPTH({sizes})) m{number} ({connections});")
    return "\n".join([*lines, "endmodule", MEMORY_MODEL if netlist.memories else ""])


def _cells(netlist: Netlist) -> Iterator[str]:
    for cell in netlist.each_cell():
        yield f"  {cell.type} {cell.name} ({', '.join(f'.{pin}({_net(net)})' for pin, net in cell.pins.items())});"


def _net(net: int) -> str:
    return {ZERO: "1'b0", ONE: "1'b1", OPEN: ""}.get(net, f"n{net}")


def _join(nets: Nets) -> str:
    return "{" + ", ".join(_net(net) for net in reversed(nets.tolist())) + "}"


def identifier(name: str) -> str:
    """A Verilog identifier, escaped where it is not a plain one."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"\\{name} "


def only_modules(verilog: str, names: Iterable[str]) -> str:
    """Those modules of a Verilog text that are called `names`."""
    wanted = set(names)
    modules = re.finditer(r"^module\s+\\?(\S+?)\s*\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    return "\n".join(module[0] for module in modules if module[1] in wanted)
