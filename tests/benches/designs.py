"""What the benches run: small accelerators, each with short programs. Both pytest and cocotb's side import it."""

from collections import Counter

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
EACH = 3  # programs that use a feature


def case(name: str) -> Case:
    """The shortest of some random programs of two layers or more whose loads overlap computing, with two batches."""
    candidates = [random_case(CONFIGS[name], 5, seed) for seed in range(30)]
    chosen = [c for c in candidates if features(c.program)["several layers"] and features(c.program)["loads while computing"]]
    return min(chosen, key=cycles)


def cases(name: str) -> list[Case]:
    """Short random programs that together use every feature `EACH` times, or as often as the candidates do."""
    candidates = [(c, {feature for feature, uses in features(c.program).items() if uses}) for c in _candidates(name)]
    chosen: list[Case] = []
    missing = Counter(feature for _, found in candidates for feature in found)
    missing = Counter({feature: min(EACH, uses) for feature, uses in missing.items()})
    while +missing:
        best = max(candidates, key=lambda candidate: sum(missing[f] > 0 for f in candidate[1]) / cycles(candidate[0]))
        candidates.remove(best)
        chosen.append(best[0])
        missing.subtract(best[1])
    return chosen


def _candidates(name: str) -> list[Case]:
    return [random_case(CONFIGS[name], 6, seed) for seed in range(120)]


def cycles(case: Case) -> int:
    return timing(case.program.schedule).cycles
