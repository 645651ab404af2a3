"""Circuits as graphs: Verilog, Amaranth components and gate netlists through Yosys; what is not logic or a register becomes ports.

A memory, and with `hierarchical` every submodule, is cut out: its outputs are inputs of the graph and its inputs are outputs, called
after the instance. A proof then holds for whatever stands there, if it is the same on both sides.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from gatewright.hw.errors import BadInput
from gatewright.sim import yosys
from gatewright.sim.design import Design, Source
from gatewright.sim.formal import aig
from gatewright.sim.formal.aig import Aig
from gatewright.sim.gate_verilog import gate_verilog
from gatewright.sim.netlist import Netlist
from gatewright.sim.synthesis import cell_models
from gatewright.sim.technology import ihp130

Circuit: TypeAlias = Source | Netlist
Modules = dict[str, Any]  # as Yosys writes them in JSON

_MEMORY_PINS = {  # of Yosys's memory cell, in the words of `netlist.Memory`
    "RD_EN": "read_enable",
    "RD_ADDR": "read_address",
    "RD_DATA": "read_data",
    "WR_EN": "write_enable",
    "WR_ADDR": "write_address",
    "WR_DATA": "write_data",
}


# As `sim/synthesis.py` reads them: the register of the read data belongs to the memory, and data that are not written do not matter.
_MEMORIES = (
    "opt_expr",
    "opt_clean",
    "opt_dff",
    "opt_clean",
    "memory_dff",
    "memory_collect",
    "opt_expr -mux_undef -mux_bool -full t:$mem_v2 %m",
    "opt_clean t:$mem_v2 %m",
)


def graph(circuit: Circuit, top: str | None = None, liberty: Sequence[Path] | None = None) -> Aig:
    """One circuit, flattened, memories cut out. `top` names the top module of a Verilog text, `liberty` is a netlist's library."""
    if isinstance(circuit, Netlist):
        names = {f"m{number}": memory.name for number, memory in enumerate(circuit.memories)}
        modules = _read(gate_verilog(circuit), ["proc"])
        modules = {circuit.name: _cut(modules[circuit.name], {"gatewright_memory": {"read_data"}}, names)}
        return graphs(modules, liberty or ihp130().liberty_files())[circuit.name]
    design = Design.of(circuit, top=top)
    modules = _read(design.verilog, [f"hierarchy -check -top {design.top}", "proc -norom", *_MEMORIES, "flatten", "opt_clean"])
    return graphs({design.top: _cut_memories(modules[design.top])})[design.top]


def modules_of(text: str, language: Literal["verilog -sv", "rtlil"] = "verilog -sv") -> Modules:
    """Every module of a text by itself. For `cut_instances`."""
    return _read(text, ["proc -norom", "memory_collect", "opt_clean"], language)


def cut_instances(modules: Modules, ports_of: Modules) -> Modules:
    """The modules with their submodules cut out; `ports_of` are modules that have the submodules' ports."""
    drives = {name: {pin for pin, port in module["ports"].items() if port["direction"] == "output"} for name, module in ports_of.items()}
    return {name: _cut(module, drives, {}) for name, module in modules.items()}


def _read(text: str, commands: Iterable[str], language: str = "verilog -sv") -> Modules:
    done = yosys.run(
        [f"read_{language} design", *commands, "write_json design.json"], {"design": text}, ["design.json"], "Reading a design"
    )
    return dict(json.loads(done["design.json"])["modules"])


def _cut(module: Any, drives: Mapping[str, Iterable[str]], names: Mapping[str, str]) -> Any:
    """Cells of the types in `drives` (with the pins each drives) become ports; `names` renames instances."""
    ports, cells = dict(module["ports"]), {}
    for instance, cell in module["cells"].items():
        if cell["type"] not in drives:
            cells[instance] = cell
            continue
        for pin, bits in cell["connections"].items():
            if pin == "clk":
                continue
            direction = "input" if pin in drives[cell["type"]] else "output"
            ports[f"{names.get(instance, instance)}.{pin}"] = {"direction": direction, "bits": bits}
    return module | {"ports": ports, "cells": cells}


def _cut_memories(module: Any) -> Any:
    """Memory cells become ports, called after the instance of the module that holds them."""
    cells, names = {}, {}
    for instance, cell in module["cells"].items():
        if cell["type"] == "$mem_v2":
            used = {pin: bits for pin, bits in cell["connections"].items() if pin in _MEMORY_PINS}
            cell = {"type": "$mem_v2", "connections": {_MEMORY_PINS[pin]: bits for pin, bits in used.items()}}
            names[instance] = instance.rpartition(".")[0]
        cells[instance] = cell
    if len(set(names.values())) != len(names):
        raise BadInput(f"Memories must be in modules of their own to be told apart; got {', '.join(sorted(names))}.")
    return _cut(module | {"cells": cells}, {"$mem_v2": {"read_data"}}, names)


_TO_GATES = ["flatten", "opt_clean", "techmap", "opt -fast", "dffunmap", "simplemap", "setundef -zero", "opt_clean", "aigmap", "opt_clean"]


def graphs(modules: Modules, liberty: Sequence[Path] = ()) -> dict[str, Aig]:
    """Modules without submodules as graphs; their cells may be those of a library. Undefined values count as 0."""
    text = json.dumps({"creator": "gatewright", "modules": modules}, sort_keys=True)
    commands = ["read_json design.json", "read_verilog models.v", "proc", "design -save all"]
    files = {name: f"graph{number}.aag" for number, name in enumerate(modules)}
    for name, file in files.items():
        commands += ["design -load all", f"hierarchy -top {name}", *_TO_GATES, f"write_aiger -ascii -symbols {file}"]
    models = cell_models(liberty) if liberty else ""
    done = yosys.run(commands, {"design.json": text, "models.v": models}, list(files.values()), f"{', '.join(modules)} as gates")
    return {name: aig.parse(done[file]) for name, file in files.items()}
