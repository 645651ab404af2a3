"""Every module of complete accelerators, in gates, against the Verilog it was mapped from."""

from collections.abc import Iterator
from functools import partial

from gatewright.hw.config import AcceleratorConfig, integer, stochastic, xnor
from gatewright.hw.system import System
from gatewright.hw.verilog import emit
from gatewright.sim.formal.claim import Claim
from gatewright.sim.formal.equivalence import Proof, Undecided, prove_equal
from gatewright.sim.formal.graphs import Modules, cut_instances, graphs, modules_of
from gatewright.sim.synthesis import elaborate, map_to_cells
from gatewright.sim.technology import ihp130

CONFIGS = {  # between them every block and every option
    "small": AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(integer(8), xnor()), pipeline_stages=0, accumulator_bits=16),
    "streams": AcceleratorConfig(
        rows=2, cols=2, operand_bits=64, operators=(integer(4), stochastic(64, source="lfsr"), stochastic(64, "bipolar"))
    ),
    "split": AcceleratorConfig(
        rows=3, cols=2, operand_bits=32, operators=(integer(4), integer(2), xnor()), split=True, pipeline_stages=2, pooling=False
    ),
}


def claims(name: str) -> Iterator[Claim]:
    """A claim for every module of the configuration called `name`; submodules and memories are cut out."""
    config = CONFIGS[name]
    verilog, top = emit(System(config), "gatewright"), "gatewright"
    generic, memories = elaborate(verilog, top)
    written = modules_of(verilog)
    logic = {module: text for module, text in generic.items() if module not in memories}
    liberty = ihp130().liberty_files()
    sources = cut_instances({module: written[module] for module in logic}, written)
    mapped = cut_instances(map_to_cells(logic, liberty), written)
    word_level = modules_of("\n".join(generic.values()), "rtlil")
    left, right = graphs(sources), graphs(mapped, liberty)
    for module in logic:
        block = module.removeprefix("gatewright_")
        middle = partial(_word_level, word_level, module)

        def prove(seconds: float, module: str = module, middle: partial[Modules] = middle) -> Proof:
            try:
                return prove_equal(left[module], right[module], seconds)
            except Undecided:
                proof = prove_equal(graphs(middle())[module], right[module], seconds)
                return Proof(f"{proof.method}, from the generic netlist", proof.seconds)

        yield Claim(f"{block} ({name})", "gates equal Verilog", f"{len(left[module].latches)} registers", prove)


def _word_level(modules: Modules, module: str) -> Modules:
    return cut_instances({module: modules[module]}, modules)
