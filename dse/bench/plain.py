"""A gate netlist under Verilator without tracing: as fast as it goes, and no toggle counted. Operands are made in the harness."""

import subprocess
from pathlib import Path

from gatewright.sim import verilator
from gatewright.sim.gate_verilog import gate_verilog, only_modules
from gatewright.sim.netlist import Netlist
from gatewright.sim.synthesis import cell_models
from gatewright.sim.technology import Technology

MASK = (1 << 64) - 1
_HARNESS = """
#include "Vtop.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <memory>

static uint64_t state = 1;

static uint64_t draw(int bits) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state >> (64 - bits);
}

int main(int, char **arguments) {
    VerilatedContext context;
    auto top = std::make_unique<Vtop>(&context);
    uint64_t sum = 0;
    for (long cycle = -1, cycles = atol(arguments[1]); cycle < cycles; ++cycle) {
        top->clk = 0, top->rst = cycle < 0;
        if (cycle >= 0) { @PUT@ }
        top->eval();
        if (cycle >= 0) { @GET@ }
        top->clk = 1;
        top->eval();
    }
    printf("%llu\\n", (unsigned long long)sum);
}
"""


def build(netlist: Netlist, technology: Technology) -> Path:
    """The simulator of a netlist whose ports have at most 64 bits, with inputs `clk` and `rst`; cached."""
    inputs = {name: len(nets) for name, nets in netlist.inputs.items() if name not in ("clk", "rst")}
    text = _HARNESS.replace("@PUT@", " ".join(f"top->{name} = draw({bits});" for name, bits in inputs.items()))
    text = text.replace("@GET@", " ".join(f"sum = sum * 31 + uint64_t(top->{name});" for name in netlist.outputs))
    models = cell_models(technology.liberty_files())
    verilog = gate_verilog(netlist) + "\n" + only_modules(models, netlist.cells)
    return verilator.build(verilog, netlist.name, text, optimise="-O1")


def run(program: Path, cycles: int) -> int:
    """A check sum of all outputs in all cycles."""
    return int(subprocess.run([program, str(cycles)], capture_output=True, text=True, check=True).stdout)


def operands(netlist: Netlist, cycles: int) -> dict[str, list[int]]:
    """The operands that the harness makes, by input."""
    state, inputs = 1, {name: len(nets) for name, nets in netlist.inputs.items() if name not in ("clk", "rst")}
    result: dict[str, list[int]] = {name: [] for name in inputs}
    for _ in range(cycles):
        for name, bits in inputs.items():
            state ^= state << 13 & MASK
            state ^= state >> 7
            state ^= state << 17 & MASK
            result[name].append(state >> (64 - bits))
    return result


def check_sum(outputs: dict[str, list[int]], widths: dict[str, int]) -> int:
    """Of outputs by name, in the order of the ports: as the harness's."""
    total = 0
    for values in zip(*outputs.values(), strict=True):
        for name, value in zip(outputs, values, strict=True):
            total = (total * 31 + (value & ((1 << widths[name]) - 1))) & MASK
    return total
