"""What the benches run: small accelerators, each with short programs. Both pytest and cocotb's side import it."""

from collections import Counter
from dataclasses import replace

import numpy as np

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.sw.cycles import timing
from gatewright.sw.memory_map import Region
from gatewright.sw.program import join
from gatewright.sw.schedule import encode
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
EACH, LONGEST = 2, 1000  # programs that use a feature; cycles of each


def case(name: str) -> Case:
    """The shortest of some random programs of two layers or more whose loads overlap computing, with two batches."""
    candidates = [random_case(CONFIGS[name], 5, seed) for seed in range(30)]
    chosen = [c for c in candidates if features(c.program)["several layers"] and features(c.program)["loads while computing"]]
    return min(chosen, key=cycles)


def cases(name: str) -> list[Case]:
    """Short random programs that together use every feature `EACH` times, or as often as the candidates do."""
    drawn = (random_case(CONFIGS[name], 6, seed) for seed in range(100))
    candidates = [(c, cycles(c), {feature for feature, uses in uses_of(c).items() if uses}) for c in drawn if cycles(c) <= LONGEST]
    missing = Counter(feature for *_, found in candidates for feature in found)
    missing = Counter({feature: min(EACH, uses) for feature, uses in missing.items()})
    chosen: list[Case] = []
    while +missing:
        best = max(candidates, key=lambda candidate: sum(missing[f] > 0 for f in candidate[2]) / candidate[1])
        candidates.remove(best)
        chosen.append(best[0])
        missing.subtract(best[2])
    return chosen


def uses_of(case: Case) -> Counter[str]:
    """The program's features, the levels of its loops, and which operators fill all their lanes and columns."""
    schedule = case.program.schedule
    found = features(case.program)
    for instruction in schedule.instructions:
        found.update({f"{instruction.opcode.name} {name}": value > 0 for name, value in instruction.fields.items() if "last" in name})
    for layer, integers in zip(schedule.workload.layers, case.program.network.layers, strict=True):
        full = schedule.config.lanes(layer.operator) <= layer.C and schedule.config.cols <= layer.K
        found[f"all lanes of {layer.operator.name}, {integers.mode}"] += full
    return found


def moved(case: Case, by: int) -> tuple[Case, np.ndarray]:
    """The same program `by` words further up in memory, and the words from there up to its feature maps."""
    schedule, program = case.program.schedule, case.program
    instructions = [
        replace(each, fields=each.fields | ({"address": each.fields["address"] + by} if "address" in each.fields else {}))
        for each in schedule.instructions
    ]
    up = replace(
        schedule,
        instructions=tuple(instructions),
        blocks=tuple(replace(block, region=_up(block.region, by)) for block in schedule.blocks),
        maps=tuple(_up(region, by) for region in schedule.maps),
        program=_up(schedule.program, by),
    )
    image = program.image.copy()
    image[: schedule.program.words] = join(np.array(encode(up), dtype=np.uint64), schedule.config.operand_bits)
    return replace(case, program=replace(program, schedule=up)), image


def _up(region: Region, by: int) -> Region:
    return replace(region, address=region.address + by)


def cycles(case: Case) -> int:
    return timing(case.program.schedule).cycles
