"""Generated Verilog as Verilator simulates it fast: the same circuit in fewer words, behind a top whose reset is a register."""

import re
from itertools import groupby

TOP = "gatewright_simulated"
RULES = '`verilator_config\nno_inline -module "gatewright_element*"\n'  # else hundreds of elements are translated one by one: minutes

_LIST = re.compile(r"\{ ([^{}]*) \}")
_FILLED = re.compile(r"  initial begin\n    (\S+)\[0\] = (\S+;)\n((?:    \1\[\d+\] = \2\n)+)  end\n")


def simulated(verilog: str, top: str) -> str:
    """The Verilog of `top`, as hw.verilog.emit writes it, with a top `TOP` of the same ports, in which `rst` acts a cycle later.

    Verilator evaluates what depends on an input whenever any input changes; half of an accelerator depends on the reset. It compiles a bit
    that is repeated, as a sign is, to a shift and a mask for every copy if they are written out; and a memory's zeros one by one.
    """
    return _FILLED.sub(_loop, _LIST.sub(_repeated, verilog)) + _wrapper(verilog, top)


def _repeated(match: re.Match[str]) -> str:
    """`{ a, a, b }` as `{ {2{a}}, b }`."""
    runs = [(item, len(list(run))) for item, run in groupby(match[1].split(", "))]
    return f"{{ {', '.join(item if count == 1 else f'{{{count}{{{item}}}}}' for item, count in runs)} }}"


def _loop(match: re.Match[str]) -> str:
    """A memory's equal initial values."""
    number = match[3].count("\n") + 1
    return f"  integer place;\n  initial for (place = 0; place < {number}; place = place + 1) {match[1]}[place] = {match[2]}\n"


def _wrapper(verilog: str, top: str) -> str:
    found = re.search(rf"^module {re.escape(top)}\(([^()]*)\);\n(.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"no module {top}")
    names = found[1].split(", ")
    ways = {name: way for way, name in re.findall(r"^  ((?:input|output) (?:\[\d+:\d+\] )?)(\w+);$", found[2], re.MULTILINE)}
    ports = ", ".join(f"{ways[name]}{name}" for name in names)
    joined = ", ".join(f".{name}({'held' if name == 'rst' else name})" for name in names)
    return f"module {TOP}({ports});\n  reg held;\n  always @(posedge clk) held <= rst;\n  {top} system ({joined});\nendmodule\n"
