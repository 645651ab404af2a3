"""A complete accelerator, or one part of it, with the operands of a network trained on the digits."""

import re
from typing import Any

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.names import accelerator_from
from gatewright.sim.accelerator import block_kind, netlist_of
from gatewright.sim.lut_mapping import Family, luts
from gatewright.sim.netlist import Netlist
from gatewright.sim.network import TOP, system_verilog
from gatewright.sim.probe import Probe, measure_probe
from gatewright.sim.regress.baseline import Figures
from gatewright.sim.regress.plan import Block
from gatewright.sim.summary import network_for, summary
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology
from gatewright.sim.timing import critical_path


def measure(block: Block, technology: Technology, clock_ns: float, fpga: Family, seed: int) -> Figures:
    """All figures: area of one instance, lookup tables and clock rate of the part's module, energy and cycles per useful product."""
    config = accelerator_from({"accelerator": block.accelerator or {}}, block.name)
    probe = Probe(name=block.name, config=config, architecture=network_for(config, block.network), streams=block.images, seed=seed)
    netlist = netlist_of(config, technology)
    module = TOP if block.part is None else _module(netlist, config, block.part)
    measurement = measure_probe(probe, technology, clock_ns).measurement
    record: dict[str, Any] = summary(measurement, block.part)
    part = netlist if module == TOP else synthesise(system_verilog(config), module, technology.liberty_files())
    fmax = critical_path(part, technology).fmax_mhz_estimate
    return {
        "area_um2": record["area_um2"] + (measurement.memory_area_um2 if block.part is None else 0.0),
        "luts": luts(system_verilog(config), fpga, top=module).lut4,
        "latency_cycles": record["cycles"] if block.part is None else None,
        "cycles_per_op": record["cycles_per_op"],
        "energy_pj_per_op": record["energy_pj_per_op"],
        "zero_delay_pj_per_op": record["zero_delay_pj_per_op"],
        "fmax_mhz_estimate": fmax if np.isfinite(fmax) else None,
    }


def _module(netlist: Netlist, config: AcceleratorConfig, part: str) -> str:
    """The Verilog module of a kind of block. Instances of one circuit share a module, which has the name of the first."""
    kinds: dict[str, set[str]] = {}
    for path in (path for path in netlist.paths if len(path) > 1):
        unit = path[2] if path[1] == "grid" and len(path) > 2 else path[1]  # what is inside a unit belongs to it
        kinds.setdefault(block_kind(path), set()).add(unit)
    if part not in kinds:
        raise BadInput(f"{part!r} is not a part of this accelerator; its parts are {', '.join(sorted(kinds))}.")
    modules = set(re.findall(rf"^module {TOP}_(\w+)", system_verilog(config), re.MULTILINE))
    found = sorted(kinds[part] & modules)
    if not found:
        raise BadInput(f"The part {part!r} has no module of its own. Choose another one.")
    return f"{TOP}_{found[0]}"
