"""Components as Verilog: one module for each distinct circuit, however many instances it has."""

import os
import re
from collections.abc import Sequence

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Value

from gatewright.hw.rtlil import clean

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")

_MODULE = re.compile(r"^((?:attribute [^\n]*\n)*)module (\\[^\s]+)\n(.*?)^end\n", re.M | re.S)
_CELL = re.compile(r"^  cell (\\[^\s]+) (.*?)^  end\n", re.M | re.S)
_CONNECT = re.compile(r"^(    connect )(\\[^\s]+)", re.M)
_PORT = re.compile(r"\\port\$\d+\$\d+")


def distinct_modules(text: str, top: str) -> str:
    """RTLIL in which modules with equal bodies are one. Amaranth writes a module for every instance; we keep the first of each kind.

    Children are merged before parents, so equal subtrees merge as a whole. Port names that Amaranth numbers across the whole design are
    numbered inside each module. A module's name is that of its first instance behind `top`.
    """
    modules = {name: (attributes, body) for attributes, name, body in _MODULE.findall(text)}
    kept: dict[str, str] = {}  # body: name
    settled: dict[str, tuple[str, dict[str, str]]] = {}  # module: its name now, its ports' names now
    out: dict[str, str] = {}

    def cell(match: re.Match[str]) -> str:
        if match[1] not in modules:
            return match[0]
        name, ports = settle(match[1])
        return f"  cell {name} {_CONNECT.sub(lambda port: port[1] + ports.get(port[2], port[2]), match[2])}  end\n"

    def settle(name: str) -> tuple[str, dict[str, str]]:
        if name not in settled:
            attributes, body = modules[name]
            body = _CELL.sub(cell, body)
            declared = dict.fromkeys(_PORT.findall("\n".join(line for line in body.splitlines() if line.lstrip().startswith("wire "))))
            ports = {port: f"\\port_{i}" for i, port in enumerate(declared)}
            body = _PORT.sub(lambda port: ports.get(port[0], port[0]), body)
            if body not in kept:
                short = "\\" + (top if name == f"\\{top}" else f"{top}_" + name.rsplit(".", 1)[-1].lstrip("\\"))
                while short in out:
                    short += "_"
                kept[body] = short
                out[short] = f"{attributes}module {short}\n{body}end\n"
            settled[name] = kept[body], ports
        return settled[name]

    settle(f"\\{top}")
    return "\n".join(out.values())


def rtlil_text(component: Elaboratable, name: str, ports: Sequence[Value] | None = None) -> str:
    """RTLIL with distinct modules only, in which every width is spelt out."""
    return clean(distinct_modules(rtlil.convert(component, name=name, ports=ports, emit_src=False), name))


def emit(component: Elaboratable, name: str, ports: Sequence[Value] | None = None) -> str:
    """Verilog of a component whose signature gives its ports (or `ports` do), plus `clk` and `rst`. Its state is defined by `rst` alone."""
    unwanted = " ".join(f"-remove {attribute}" for attribute in ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding"))
    script = [
        f"read_rtlil <<rtlil\n{rtlil_text(component, name, ports)}\nrtlil",
        "memory_collect",
        f"attrmap {unwanted}",
        f"attrmap -modattr {unwanted}",
    ]
    yosys = find_yosys(lambda version: version >= (0, 40))
    return yosys.run(["-q", "-"], "\n".join([*script, "write_verilog -norename"]), ignore_warnings=True)  # it warns of any process
