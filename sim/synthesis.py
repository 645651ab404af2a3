"""Verilog to a flat netlist of library cells, memories kept as macros.

Modules are mapped one by one, without flattening, and each result is cached: a grid of 64 equal elements costs one synthesis of an
element, and none if another accelerator had that element before. Every cell knows its block, and area does not suffer (an element
of eight 8-bit products: 39,074 um2 in parts, 39,105 um2 flat, IHP 130 nm).
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from gatewright.hw.errors import BadInput
from gatewright.sim import cache, tools, yosys
from gatewright.sim.flatten import MemoryCell, flatten
from gatewright.sim.netlist import Netlist

Memories = Literal["macros", "gates"]

_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module \\(\S+)\n.*?^end\n", re.MULTILINE | re.DOTALL)

FLIP_FLOP_BITS_MAX = 1 << 16  # a memory larger than this in flip-flops is a mistake, not a wish


def synthesise(verilog: str, top: str, liberty: Sequence[Path], memories: Memories = "macros", clock: str = "clk") -> Netlist:
    """Map `verilog` to the cells of `liberty` (one library, maybe in several files) and flatten it.

    With `memories="macros"` every module that is nothing but a memory (one write port, one synchronous read port) stays a
    `Memory`; with "gates", and for memories beside other logic in their module, bits become flip-flops.
    Raises BadInput for Verilog or Liberty that Yosys refuses, a library that lacks a needed cell, and unsuitable memories.
    """
    elaborated, found = elaborate(verilog, top)
    macros = found if memories == "macros" else {}
    if top in macros:
        raise BadInput(f"{top} is a memory and nothing else: there are no gates. Put it into a design, or use memories='gates'.")
    modules = map_to_cells({name: text for name, text in elaborated.items() if name not in macros}, liberty)
    return flatten(modules, cell_pins(liberty), top, macros, clock)


def readable(path: Path) -> Path:
    if not Path(path).is_file():
        raise BadInput(f"There is no Liberty file {path}. Give the path of a .lib file that can be read.")
    return Path(path)


def elaborate(verilog: str, top: str) -> tuple[dict[str, str], dict[str, MemoryCell]]:
    """Verilog to modules of Yosys's word-level cells (RTLIL text by name), and those modules that are one memory each."""
    memory_modules = "t:$mem_v2 %m"
    commands = [
        "read_verilog -sv design.v",
        f"hierarchy -check -top {top}",
        "proc -norom",  # a state machine's outputs are logic, not a memory
        f"synth -top {top} -run begin:fine",
        # the write port's multiplexers against `x` become wires, so that a memory module is the memory cell alone
        f"opt_expr -mux_undef -mux_bool -full {memory_modules}",
        f"opt_clean {memory_modules}",
        "opt_clean -purge",
        "rename -hide w:*",
        "rename -enumerate -pattern w%_",  # names without running numbers: equal modules of different designs have equal text
        "write_rtlil design.il",
        f"select {memory_modules}",
        "write_json -selected memories.json",
    ]
    name = cache.key(verilog=cache.digest(verilog.encode()), top=top, commands=commands, tools=tools.versions("pyosys"))

    def run() -> dict[str, str]:
        return yosys.run(commands, {"design.v": verilog}, ["design.il", "memories.json"], f"Verilog of {top}")

    done = cache.value("elaborated", name, run)
    text = re.sub(r"^ *attribute \\src .*\n", "", done["design.il"], flags=re.MULTILINE)
    modules = {match[1]: match[0] for match in _MODULE.finditer(text)}
    memories = json.loads(done["memories.json"])["modules"]
    return modules, {name: cell for name, module in memories.items() if (cell := _memory(name, module)) is not None}


def _memory(name: str, module: Mapping[str, Any]) -> MemoryCell | None:
    """The memory that `module` consists of; None where it holds other logic too. Raises BadInput for one no macro can be."""
    cells = list(module["cells"].values())
    bits = sum(int(cell["parameters"]["SIZE"], 2) * int(cell["parameters"]["WIDTH"], 2) for cell in cells if cell["type"] == "$mem_v2")
    if len(cells) != 1:
        if bits > FLIP_FLOP_BITS_MAX:
            raise BadInput(
                f"Module {name} holds a memory of {bits} bits beside other logic, and would need as many flip-flops; at most "
                f"{FLIP_FLOP_BITS_MAX} are allowed. Give the memory a module of its own, and it is kept as a macro."
            )
        return None
    parameters, pins = cells[0]["parameters"], cells[0]["connections"]
    rules = {
        "one read port and one write port": int(parameters["RD_PORTS"], 2) == int(parameters["WR_PORTS"], 2) == 1,
        "both ports synchronous": parameters["RD_CLK_ENABLE"] == parameters["WR_CLK_ENABLE"] == "1",
        "one clock": pins["RD_CLK"] == pins["WR_CLK"],
        "the rising edge": parameters["RD_CLK_POLARITY"] == parameters["WR_CLK_POLARITY"] == "1",
        "no reset of the read data": pins["RD_ARST"] == pins["RD_SRST"] == ["0"],
        "old data when the word being written is read": "1" not in parameters["RD_TRANSPARENCY_MASK"],
        "nothing but zeros at the start": "1" not in parameters["INIT"],
    }
    if broken := [rule for rule, kept in rules.items() if not kept]:
        raise BadInput(f"The memory in module {name} cannot be a macro, which needs: {'; '.join(broken)}. Use memories='gates' to map it.")
    return MemoryCell(int(parameters["SIZE"], 2), int(parameters["WIDTH"], 2), module["ports"], pins)


# abc's default script without `&fraig -x; scorr; dretime`: their proofs did not end in minutes on eight signed 8-bit products in one
# module, and on the other operators the area without them is the same within 0.3%.
_ABC = "+strash;dc2;strash;&get,-n;&dch,-f;&nf;&put"

_MAP = (
    "opt -fast -full",
    "memory_map",
    "opt -undriven -fine",
    "techmap",
    "opt -fast",
    "opt_clean",
    "dfflibmap {libraries}",
    "opt",
    "abc {libraries} -script " + _ABC,
    "setundef -zero",
    "splitnets",
    "opt_clean -purge",
    "write_json cells.json",
)


def map_to_cells(modules: Mapping[str, str], liberty: Sequence[Path]) -> dict[str, Any]:
    """Word-level modules (RTLIL text by name) to library cells, each for itself; as Yosys writes them in JSON."""
    facts = {"liberty": [cache.digest(readable(path)) for path in liberty], "commands": _MAP, "tools": tools.versions("pyosys")}
    keys = {name: cache.key(module=cache.digest(text.encode()), **facts) for name, text in modules.items()}
    missing = sorted((name for name in modules if not cache.holds("modules", keys[name])), key=lambda name: -len(modules[name]))
    workers = os.cpu_count() or 1
    shares = [share for start in range(workers) if (share := missing[start::workers])]
    mapped: dict[str, Any] = {}
    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(lambda share: _map({name: modules[name] for name in share}, liberty), shares):
            mapped |= done
    return {name: cache.value("modules", keys[name], lambda name=name: mapped[name]) for name in modules}  # type: ignore[misc]


def _map(modules: Mapping[str, str], liberty: Sequence[Path]) -> dict[str, Any]:
    names = _names(liberty)
    libraries = " ".join(f"-liberty {name}" for name in names)
    what = f"Mapping {', '.join(modules)} to the cells of {', '.join(str(path) for path in liberty)}"
    commands = ["read_rtlil design.il", *(command.format(libraries=libraries) for command in _MAP)]
    done = yosys.run(commands, {"design.il": "\n".join(modules.values())} | names, ["cells.json"], what)
    result: dict[str, Any] = json.loads(done["cells.json"])["modules"]
    lacking = sorted({cell["type"] for module in result.values() for cell in module["cells"].values() if cell["type"].startswith("$")})
    if lacking:
        raise BadInput(
            f"{what}: the library has no cell for {', '.join(lacking)}. A library needs an inverter, a NAND or NOR, and a flip-flop on the "
            "rising edge; latches and asynchronous loops are not supported."
        )
    return result


def cell_pins(liberty: Sequence[Path]) -> dict[str, Any]:
    """The cells of a library as modules in Yosys's JSON: their pins and directions."""
    names = _names(liberty)
    commands = [*(f"read_liberty -lib -ignore_miss_func -ignore_miss_data_latch {name}" for name in names), "write_json cells.json"]
    key = cache.key(liberty=[cache.digest(path) for path in liberty], commands=commands, tools=tools.versions("pyosys"))
    what = f"Liberty file {', '.join(str(path) for path in liberty)}"

    def run() -> Any:
        return json.loads(yosys.run(commands, names, ["cells.json"], what)["cells.json"])["modules"]

    return dict(cache.value("pins", key, run))


def _names(liberty: Sequence[Path]) -> dict[str, str | Path]:
    """What the Liberty files are called where Yosys runs: paths with blanks would break its commands."""
    return {f"cells{i}.lib": Path(path) for i, path in enumerate(liberty)}


def cell_models(liberty: Sequence[Path]) -> str:
    """Verilog models of every cell, as Yosys (not our own parser) understands the library: an independent reading for checks."""
    names = _names(liberty)
    commands = [
        *(f"read_liberty -ignore_miss_func -ignore_miss_data_latch {name}" for name in names),
        "proc",
        "opt_clean",
        "write_verilog -noattr models.v",
    ]
    return yosys.run(commands, names, ["models.v"], f"Liberty file {', '.join(str(path) for path in liberty)}")["models.v"]
