"""Mappings of a layer on our grid: the compiled evaluator on many at once, and one after the other through schedule and counts."""

from functools import partial

import numpy as np

from gatewright.dse.batch import Batch, mapping_of
from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.sw.layers import Layer

I8 = integer(8)
ROUNDS = 3
ONE_BY_ONE = 100  # points
GOAL = 2e6  # mappings/s on two cores, cycles exact


def run(tiny: bool) -> tuple[list[Row], str]:
    model, size = CostModel.default(), 4 if tiny else 14
    layer = Layer(name="conv", operator=I8, C=16, K=8 if tiny else 64, H=size, W=size, R=3, S=3, padding=1)
    config = AcceleratorConfig(rows=2 if tiny else 8, cols=2 if tiny else 8, operators=(I8,), activation_words=1024, weight_words=1024)
    batch, mapper = Batch(model), Mapper(model)
    number = batch.add(layer, config, I8)
    legal = batch.legal(number)
    draw = np.random.default_rng(3)

    few = legal[draw.integers(0, len(legal), 3 if tiny else ONE_BY_ONE)]
    slow = [mapper.score(layer, config, mapping_of(row), I8) for row in few]
    energies, cycles = batch.evaluate(np.full(len(few), number), few)
    equal("cycles of the two evaluators", cycles, [cost[1] for cost in slow])
    equal("their energies", np.isclose(energies, [cost[0] for cost in slow], rtol=1e-9), np.full(len(few), True))

    def many(points: int, threads: int) -> int:
        batch.evaluate(which[points], rows[points], threads=threads)
        return points

    sizes = (1, 10) if tiny else (1, 1_000, 1_000_000)
    which = {points: np.full(points, number) for points in sizes}
    rows = {points: legal[draw.integers(0, len(legal), points)] for points in sizes}
    sides = {"one by one": lambda: len([mapper.score(layer, config, mapping_of(row), I8) for row in few])}
    sides |= {f"{points:,} at once": partial(many, points, 1) for points in sizes}
    sides[f"{sizes[-1]:,} at once, 2 threads"] = partial(many, sizes[-1], 2)
    found = race("mappings/s", sides, 1 if tiny else ROUNDS, dict.fromkeys(list(sides)[1:], "one by one"), 0.0 if tiny else 0.3)
    if not tiny:
        both = found[-1]
        found.append(Row("two cores, exact cycles", GOAL, both.unit, ratio=GOAL / both.value, baseline=both.name, origin="goal"))
    return found, f"energy and cycles of {len(few)} of {len(legal):,} legal mappings"


MAPPINGS = Benchmark("mappings", "Exact energy and cycles of mappings of a layer on the grid", run)
