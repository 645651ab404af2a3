"""The blocks on which timed simulation and Icarus Verilog are compared: arithmetic of every style, and what surrounds it."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, shift, stochastic, xnor
from gatewright.hw.element import Element
from gatewright.hw.grid import Grid
from gatewright.hw.post import Post
from gatewright.sim.comparison import VERILOG
from gatewright.sim.design import Design
from gatewright.sim.icarus import Agreement, compare
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import EMBEDDED, technology_named

CYCLES, STREAMS = 24, 3


def _config(operator: str) -> AcceleratorConfig:
    operators = {"int8": integer(8), "xnor": xnor(), "shift": shift(), "stochastic": stochastic(64), "bw8": binary_weight(8)}
    return AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(operators[operator],), pipeline_stages=1)


BLOCKS: dict[str, Callable[[], Design]] = {
    "int8 multiply-accumulate": lambda: Design.of(VERILOG.read_text(), top="int8_mac"),
    "XNOR popcount of 64": lambda: Design.of(VERILOG.read_text(), top="xnor_popcount64"),
    "stochastic lanes": lambda: Design.of(VERILOG.read_text(), top="stochastic_lanes8"),
    "FIFO with a state machine": lambda: Design.of(VERILOG.read_text(), top="fifo8x16"),
    "int8 element, 4 lanes": lambda: Design.of(Element(_config("int8"))),
    "shift element, 4 lanes": lambda: Design.of(Element(_config("shift"))),
    "binary-weight element": lambda: Design.of(Element(_config("bw8"))),
    "stochastic grid with encoders and sources": lambda: Design.of(Grid(_config("stochastic"), 3)),
    "post-processing": lambda: Design.of(Post(_config("int8"), 8)),
}


def stimulus(design: Design, seed: int, cycles: int = CYCLES, streams: int = STREAMS) -> dict[str, NDArray[np.int64]]:
    """Random bits on every input."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-(1 << 62), 1 << 62, (cycles, streams)) >> max(63 - port.width, 0) for name, port in design.inputs.items()}


def agreement(block: str, technology: str, seed: int = 0) -> tuple[int, Agreement]:
    """The cells of a block in a technology, and how the two simulators agree on its nets."""
    design, process = BLOCKS[block](), technology_named(technology)
    netlist = synthesise(design.verilog, design.top, process.liberty_files())
    given = {name: values for name, values in stimulus(design, seed).items() if name in netlist.inputs}
    return netlist.size, compare(netlist, process, given)


def table(technologies: Sequence[str] = EMBEDDED) -> str:
    """The comparison as text."""
    return "".join(_lines(technologies))


def _lines(technologies: Sequence[str]) -> Iterator[str]:
    columns = ("block", "technology", "cells", "nets", "transitions", "nets that differ")
    yield "{:44} {:10} {:>6} {:>6} {:>12} {:>17}\n".format(*columns)
    for block in BLOCKS:
        for technology in technologies:
            cells, found = agreement(block, technology)
            yield f"{block:44} {technology:10} {cells:6} {found.nets:6} {found.transitions:12,} {len(found.mismatches):17}\n"
