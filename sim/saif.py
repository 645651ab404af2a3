"""Toggles by Verilator's SAIF: an independent count for checking the gate simulator, one stream at a time.

Cell models come from Yosys's reading of the Liberty file, the simulation and the counting from Verilator; nothing is shared with `gates`.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.sim import cache, verilator
from gatewright.sim.gate_verilog import gate_verilog, only_modules
from gatewright.sim.gates import Result, Toggles
from gatewright.sim.netlist import Netlist
from gatewright.sim.synthesis import cell_models

_PORTS = (Path(__file__).parent / "harness" / "ports.hpp").read_text()

# The clock is high only between dumps, so SAIF sees settled values: one for each cycle.
_HARNESS = """
#include "Vtop.h"
#include "ports.hpp"
#include "verilated.h"
#include "verilated_saif_c.h"
#include <memory>

int main(int, char **arguments) {
    VerilatedContext context;
    context.traceEverOn(true);
    auto top = std::make_unique<Vtop>(&context);
    VerilatedSaifC trace;
    top->trace(&trace, 99);
    long before = atol(arguments[1]), cycles = atol(arguments[2]);
    FILE *in = fopen("stimulus", "rb"), *out = fopen("outputs", "wb");
    if (!in || !out) return 1;
    for (long c = -before; c < cycles; ++c) {
        @CLOCK_LOW@
        @PUT@
        top->eval();
        if (c == -1) trace.open("toggles.saif");
        if (c >= -1) trace.dump(uint64_t(c + 1));
        if (c >= 0) { @GET@ }
        if (c + 1 == cycles) break;
        @CLOCK_HIGH@
        top->eval();
    }
    trace.dump(uint64_t(cycles + 1));  // gives the last cycle its duration
    trace.close();
    top->final();
    fclose(out);
}
"""


def verilator_toggles(netlist: Netlist, liberty: Sequence[Path], stimulus: Mapping[str, Any], reset_cycles: int = 1) -> Result:
    """What `gates.simulate` returns, from Verilator's SAIF. Integers [cycles, streams] of at most 64 bits per input port.

    SAIF takes every net to be 0 before its first value, so it counts a toggle too many on nets that start at 1; these are found from
    a first run that ends with the starting values, and corrected.
    """
    program = _program(netlist, liberty)
    cycles, streams = next(iter(np.asarray(values).shape for values in stimulus.values()))
    toggles, high = np.zeros(netlist.nets, np.int64), np.zeros(netlist.nets, np.int64)
    outputs = {name: np.zeros((cycles, streams), np.uint64) for name in netlist.outputs}
    high[1] = cycles * streams
    with tempfile.TemporaryDirectory(prefix="gatewright-saif-") as name:
        folder = Path(name)
        for stream in range(streams):
            (folder / "stimulus").write_bytes(_stimulus(netlist, stimulus, stream, cycles, reset_cycles).tobytes())
            nets, start, _ = _run(program, folder, reset_cycles, 0)
            nets, time_high, changes = _run(program, folder, reset_cycles, cycles)
            toggles[nets] += changes - start
            high[nets] += time_high - start
            limbs = np.fromfile(folder / "outputs", dtype=np.uint64).reshape(cycles, -1)
            at = 0
            for port, port_nets in netlist.outputs.items():
                outputs[port][:, stream] = limbs[:, at]
                at += -(-len(port_nets) // 64)
    if netlist.clock >= 0:
        toggles[netlist.clock], high[netlist.clock] = 2 * cycles * streams, cycles * streams // 2
    return Result(outputs, Toggles(cycles, streams, toggles, high))


def _run(program: Path, folder: Path, reset_cycles: int, cycles: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    subprocess.run([program, str(reset_cycles), str(cycles)], cwd=folder, check=True, capture_output=True)
    return read_saif((folder / "toggles.saif").read_text())


def read_saif(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the nets `n<number>` in a SAIF file, the time each was high, and its changes."""
    records = re.findall(r"\(n(\d+)\s+\(T0 \d+\)\s*\(T1 (\d+)\)[^\n]*?\(TC (\d+)\)", text)
    table = np.array(sorted({(int(net), int(high), int(changes)) for net, high, changes in records}), dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _program(netlist: Netlist, liberty: Sequence[Path]) -> Path:
    clock = [name for name, nets in netlist.inputs.items() if netlist.clock in nets]
    text = _HARNESS
    for mark, lines in {
        "@CLOCK_LOW@": [f"top->{name} = 0;" for name in clock],
        "@CLOCK_HIGH@": [f"top->{name} = 1;" for name in clock],
        "@PUT@": [f"put(top->{name}, in);" for name in netlist.inputs if name not in clock],
        "@GET@": [f"get(top->{name}, out);" for name in netlist.outputs],
    }.items():
        text = text.replace(mark, " ".join(lines))
    key = cache.key(liberty=[cache.digest(path) for path in liberty], what="cell models")
    models = cache.value("models", key, lambda: cell_models(liberty))
    verilog = gate_verilog(netlist) + "\n" + only_modules(models, netlist.cells)
    return verilator.build(verilog, netlist.name, text, files={"ports.hpp": _PORTS}, saif=True, trace_depth=2, optimise="-O1")


def _stimulus(netlist: Netlist, stimulus: Mapping[str, Any], stream: int, cycles: int, reset_cycles: int) -> NDArray[np.uint64]:
    """Limbs of every input port but the clock, cycle by cycle; first the reset, then the stimulus."""
    columns = []
    for name, nets in netlist.inputs.items():
        if netlist.clock in nets:
            continue
        values = np.zeros(reset_cycles + cycles, dtype=np.uint64)
        if name in stimulus:
            mask = np.uint64((1 << len(nets)) - 1)
            values[reset_cycles:] = np.asarray(stimulus[name])[:, stream].astype(np.int64, casting="unsafe").view(np.uint64) & mask
        else:
            values[:reset_cycles] = 1  # rst
        columns.append(values)
        columns += [np.zeros_like(values)] * (-(-len(nets) // 64) - 1)
    return np.stack(columns, axis=1)
