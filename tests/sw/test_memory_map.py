"""Feature maps that live at the same time never share memory; others do."""

from dataclasses import replace
from itertools import pairwise

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.mapping import Mapping
from gatewright.sw.memory_map import Region
from gatewright.sw.schedule import Schedule, schedule
from tests.generators import random_graph

I8 = integer(8, signed=True)
SMALL = {"activation_words": 64, "weight_words": 128, "output_words": 64}
CONFIG = AcceleratorConfig(rows=2, cols=4, operators=(I8, binary_weight(8, signed=True)), **SMALL)


def clash(planned: Schedule) -> tuple[int, int] | None:
    """Two maps of which one is written while the other, which shares a word with it, is still to be read; walked layer by layer."""
    work, places = planned.workload, planned.maps
    for i in range(len(work.layers)):
        target = work.target(i)
        still = {k for later in range(i, len(work.layers)) for k in work.sources(later)} | {work.target(len(work.layers) - 1)}
        begun = {0} | {work.target(earlier) for earlier in range(i)}
        for other in (still & begun) - {target}:
            a, b = places[target], places[other]
            if a.address < b.address + b.words and b.address < a.address + a.words:
                return target, other
    return None


def test_maps_alive_together_lie_apart() -> None:
    saved = 0
    for seed in range(40):
        program = random_graph(CONFIG, 7, seed).program
        assert clash(program.schedule) is None
        assert min(region.address for region in program.schedule.maps) == program.schedule.constant_words
        apart = program.apart().schedule
        ends = sorted((region.address, region.address + region.words) for region in apart.maps)
        assert all(end == start for (_, end), (start, _) in pairwise(ends))
        assert program.schedule.memory_words <= apart.memory_words
        saved += program.schedule.memory_words < apart.memory_words
    assert saved > 20


def test_a_chain_needs_two_maps_at_a_time() -> None:
    layers = tuple(Layer(name=f"l{i}", operator=I8, C=8, K=8, H=4, W=4) for i in range(6))
    planned = schedule(Workload(name="chain", layers=layers), CONFIG, (Mapping(channels=2),) * 6)
    assert [region.words for region in planned.maps[:-1]] == [16] * 6
    assert planned.memory_words - planned.constant_words == 16 + planned.maps[-1].words


def test_a_clash_is_noticed() -> None:
    planned = random_graph(CONFIG, 7, 0).program.schedule
    first = planned.maps[0]
    assert clash(replace(planned, maps=tuple(Region(first.address, region.words) for region in planned.maps))) is not None
