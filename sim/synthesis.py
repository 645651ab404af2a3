"""Verilog to a flat netlist of library cells, memories kept as macros.

Modules are mapped one by one, without flattening: a grid of 64 equal elements costs one synthesis of an element, every cell knows
its block, and area does not suffer (an element of eight 8-bit products: 39,074 um2 in parts, 39,105 um2 flat, IHP 130 nm).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gatewright.hw.errors import BadInput
from gatewright.sim import cache, tools, yosys
from gatewright.sim.flatten import MemoryCell, flatten
from gatewright.sim.netlist import Netlist

Memories = Literal["macros", "gates"]

FLIP_FLOP_BITS_MAX = 1 << 16  # a memory larger than this in flip-flops is a mistake, not a wish


def synthesise(verilog: str, top: str, liberty: Sequence[Path], memories: Memories = "macros", clock: str = "clk") -> Netlist:
    """Map `verilog` to the cells of `liberty` (one library, maybe in several files) and flatten it.

    With `memories="macros"` every module that is nothing but a memory (one write port, one synchronous read port) stays a
    `Memory`; with "gates", and for memories beside other logic in their module, bits become flip-flops.
    Raises BadInput for Verilog or Liberty that Yosys refuses, a library that lacks a needed cell, and unsuitable memories.
    """
    name = cache.key(
        verilog=cache.digest(verilog.encode()),
        top=top,
        liberty=[cache.digest(readable(path)) for path in liberty],
        memories=memories,
        clock=clock,
        tools=tools.versions("pyosys"),
        recipe=[cache.digest(Path(__file__).with_name(part)) for part in ("synthesis.py", "flatten.py", "netlist.py")],
    )

    def make(folder: Path) -> None:
        elaborated, found = elaborate(verilog, top)
        macros = {module: cell for module, cell in found.items() if memories == "macros"}
        mapped = map_to_cells(elaborated, top, liberty, list(macros))
        flatten(mapped, top, macros, clock).save(folder / "netlist.npz")

    return Netlist.load(cache.folder("netlists", name, make) / "netlist.npz")


def readable(path: Path) -> Path:
    if not Path(path).is_file():
        raise BadInput(f"There is no Liberty file {path}. Give the path of a .lib file that can be read.")
    return Path(path)


def elaborate(verilog: str, top: str) -> tuple[str, dict[str, MemoryCell]]:
    """Verilog to Yosys's word-level cells (RTLIL text), and the modules that are one memory each."""
    memory_modules = "t:$mem_v2 %m"
    done = yosys.run(
        [
            "read_verilog -sv design.v",
            f"hierarchy -check -top {top}",
            f"synth -top {top} -run begin:fine",
            # the write port's multiplexers against `x` become wires, so that a memory module is the memory cell alone
            f"opt_expr -mux_undef -mux_bool -full {memory_modules}",
            f"opt_clean {memory_modules}",
            "write_rtlil design.il",
            f"select {memory_modules}",
            "write_json -selected memories.json",
        ],
        {"design.v": verilog},
        ["design.il", "memories.json"],
        f"Verilog of {top}",
    )
    modules = json.loads(done["memories.json"])["modules"]
    return done["design.il"], {name: cell for name, module in modules.items() if (cell := _memory(name, module)) is not None}


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


def map_to_cells(rtlil: str, top: str, liberty: Sequence[Path], blackboxes: Sequence[str]) -> dict[str, Any]:
    """Word-level cells to library cells, each module for itself; the modules as Yosys writes them in JSON."""
    names = [f"cells{i}.lib" for i in range(len(liberty))]
    libraries = " ".join(f"-liberty {name}" for name in names)
    done = yosys.run(
        [
            "read_rtlil design.il",
            *(f"blackbox {module}" for module in blackboxes),
            f"synth -top {top} -run fine:check",
            f"dfflibmap {libraries}",
            "opt",
            f"abc {libraries}",
            "setundef -zero",
            "splitnets",
            "opt_clean -purge",
            *(f"read_liberty -lib -ignore_miss_func -ignore_miss_data_latch {name}" for name in names),  # for the pins' directions
            "write_json cells.json",
        ],
        {"design.il": rtlil, **{name: Path(path) for name, path in zip(names, liberty, strict=True)}},
        ["cells.json"],
        f"Mapping {top} to the cells of {', '.join(str(path) for path in liberty)}",
    )
    modules: dict[str, Any] = json.loads(done["cells.json"])["modules"]
    lacking = sorted({cell["type"] for module in modules.values() for cell in module["cells"].values() if cell["type"].startswith("$")})
    if lacking:
        files = ", ".join(str(path) for path in liberty)
        raise BadInput(
            f"The library ({files}) has no cell for {', '.join(lacking)}, which {top} needs. A library needs an inverter, a NAND or NOR, "
            "and a flip-flop on the rising edge; latches and asynchronous loops are not supported."
        )
    return modules


def cell_models(liberty: Sequence[Path]) -> str:
    """Verilog models of every cell, as Yosys (not our own parser) understands the library: an independent reading for checks."""
    names = [f"cells{i}.lib" for i in range(len(liberty))]
    done = yosys.run(
        [
            *(f"read_liberty -ignore_miss_func -ignore_miss_data_latch {name}" for name in names),
            "proc",
            "opt_clean",
            "write_verilog -noattr models.v",
        ],
        {name: Path(path) for name, path in zip(names, liberty, strict=True)},
        ["models.v"],
        f"Liberty file {', '.join(str(path) for path in liberty)}",
    )
    return done["models.v"]
