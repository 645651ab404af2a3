"""Any design on Verilator, driven by arrays: integers of every input in every cycle, integers of every output back."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.sim import verilator
from gatewright.sim.design import CLOCK, Design, Port
from gatewright.sim.gate_verilog import identifier

_TOP = "gatewright_arrays"
_HERE = Path(__file__).parent / "harness"
_HARNESS = (_HERE / "arrays.cpp").read_text()
_FILES = {"ports.hpp": (_HERE / "ports.hpp").read_text()}


def simulate(design: Design, stimulus: Mapping[str, NDArray[Any]], reset_cycles: int = 1) -> dict[str, NDArray[Any]]:
    """Outputs [cycles, streams], unsigned (Python ints above 64 bits), from integers [cycles, streams] on every input.

    Before the stimulus come `reset_cycles` cycles with all inputs zero but `rst`, unless the stimulus drives `rst` itself.
    """
    cycles, streams = next(iter(stimulus.values())).shape
    inputs = [port for port in design.ports.values() if port.is_input and port.name != CLOCK]
    columns = [_column(port, stimulus.get(port.name), cycles, streams, reset_cycles) for port in inputs]
    limbs = np.concatenate(columns, axis=2) if columns else np.zeros((streams, reset_cycles + cycles, 0), np.uint64)
    program = _program(design, inputs)
    with tempfile.TemporaryDirectory(prefix="gatewright-rtl-") as name:
        folder = Path(name)
        limbs.tofile(folder / "stimulus")
        subprocess.run([program, str(streams), str(reset_cycles), str(cycles)], cwd=folder, check=True, capture_output=True)
        out = np.fromfile(folder / "outputs", dtype=np.uint64)
    ports = list(design.outputs.values())
    counts = [-(-port.width // 64) for port in ports]
    parts = np.split(out.reshape(streams, cycles, -1), np.cumsum(counts)[:-1], axis=2) if ports else []
    return {port.name: _number(part).transpose(1, 0) for port, part in zip(ports, parts, strict=True)}


def _program(design: Design, inputs: list[Port]) -> Path:
    text = _HARNESS
    clocked = CLOCK in design.ports
    for mark, lines in {
        "@CLOCK_LOW@": [f"top->{CLOCK} = 0;"] if clocked else [],
        "@CLOCK_HIGH@": [f"top->{CLOCK} = 1;"] if clocked else [],
        "@PUT@": [f"put(top->i{i}, in);" for i in range(len(inputs))],
        "@GET@": [f"get(top->o{i}, out);" for i in range(len(design.outputs))],
    }.items():
        text = text.replace(mark, " ".join(lines))
    verilog = f"{design.verilog}\n{_wrapper(design, inputs)}"
    return verilator.build(verilog, _TOP, text, files=_FILES, optimise="-O0", options=("--output-split", "0"))


def _wrapper(design: Design, inputs: list[Port]) -> str:
    """A module around the design with plain names: Verilator spells others differently in C++."""
    outputs = list(design.outputs.values())
    named = [("input", f"i{i}", port) for i, port in enumerate(inputs)] + [("output", f"o{i}", port) for i, port in enumerate(outputs)]
    clock = [("input", CLOCK, design.ports[CLOCK])] if CLOCK in design.ports else []
    declared = ", ".join(f"{direction} [{port.width - 1}:0] {name}" for direction, name, port in clock + named)
    connected = ", ".join(f".{identifier(port.name)}({name})" for _, name, port in clock + named)
    return f"module {_TOP}({declared}); {identifier(design.top)} inner ({connected}); endmodule\n"


def _column(port: Port, values: NDArray[Any] | None, cycles: int, streams: int, reset_cycles: int) -> NDArray[np.uint64]:
    """Limbs [streams, reset and other cycles, limbs] of one input."""
    limbs = -(-port.width // 64)
    column = np.zeros((streams, reset_cycles + cycles, limbs), dtype=np.uint64)
    if values is None:  # rst
        column[:, :reset_cycles] = 1
        return column
    rows = values.T
    for i in range(limbs):
        low = 64 * i
        mask = (1 << min(64, port.width - low)) - 1
        if rows.dtype == object:
            column[:, reset_cycles:, i] = ((rows >> low) & mask).astype(np.uint64)
        else:  # beyond its 64 bits a number repeats its sign
            limb = rows if low == 0 else np.where(rows < 0, -1, 0) if rows.dtype.kind == "i" else np.zeros_like(rows)
            column[:, reset_cycles:, i] = limb.astype(np.uint64, casting="unsafe") & np.uint64(mask)
    return column


def _number(limbs: NDArray[np.uint64]) -> NDArray[Any]:
    if limbs.shape[2] == 1:
        return limbs[:, :, 0]
    wide = limbs.astype(object)
    return np.asarray(sum(wide[:, :, i] << (64 * i) for i in range(limbs.shape[2])))
