"""What the benches run: small accelerators, each with a short program. Both pytest and cocotb's side import it."""

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.sw.cycles import timing
from tests.generators import Case, features, random_case
from tests.rtl.accelerators import SMALL

CONFIGS = {
    "32 bits": SMALL.replace(memory_interval=2),
    "64 bits": AcceleratorConfig(
        rows=2,
        cols=2,
        operators=(integer(8), xnor()),
        activation_words=64,
        weight_words=64,
        output_words=64,
        parameter_words=8,
        pipeline_stages=0,
    ),
}


def case(name: str) -> Case:
    """The shortest of some random programs of two layers or more whose loads overlap computing, with two batches."""
    candidates = [random_case(CONFIGS[name], 5, seed) for seed in range(30)]
    chosen = [c for c in candidates if features(c.program)["several layers"] and features(c.program)["loads while computing"]]
    return min(chosen, key=lambda c: timing(c.program.schedule).cycles)
