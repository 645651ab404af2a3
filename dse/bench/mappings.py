"""Points (layer, mapping, accelerator) on our grid: the compiled evaluator on many at once, and one by one through schedule and counts."""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from gatewright.dse.batch import Batch, mapping_of
from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.sw.layers import Context, Layer

I8 = integer(8)
ROUNDS = 3
ONE_BY_ONE = 20  # points
GOAL = 2e6  # points/s on two cores, cycles exact
SHAPES = (
    (64, 56, 3, 1),
    (128, 28, 3, 1),
    (64, 56, 3, 2),
    (128, 28, 1, 2),
    (256, 14, 3, 1),
    (512, 7, 3, 1),
)  # channels, size, kernel, stride
SIDES = (4, 8, 16)


def problems(tiny: bool) -> list[tuple[Layer, AcceleratorConfig]]:
    """ResNet-18's layers on int8 grids of 4 x 4 to 16 x 16."""
    found = []
    for (channels, size, kernel, stride), rows, cols in product(((8, 6, 3, 1),) if tiny else SHAPES, SIDES, SIDES):
        buffers = {"activation_words": 2048, "weight_words": 2048, "output_words": 1024}
        config = AcceleratorConfig(rows=rows, cols=cols, operators=(I8,), accumulator_bits=32, accumulator_depth=8, **buffers)
        image = {"C": channels, "K": channels, "H": size, "W": size}
        found.append((Layer(name="layer", operator=I8, R=kernel, S=kernel, stride=stride, padding=kernel // 2, **image), config))
    return found


def run(tiny: bool) -> tuple[list[Row], str]:
    model, pairs, draw = CostModel.default(), problems(tiny), np.random.default_rng(3)
    batch, mapper = Batch(model), Mapper(model)
    legal = [batch.legal(batch.add(layer, config, Context(I8))) for layer, config in pairs]

    def points(number: int) -> tuple[np.ndarray, np.ndarray]:
        """Random legal mappings of random problems."""
        which = draw.integers(len(legal), size=number)
        return which.astype(np.int32), np.stack(
            [legal[i][int(place * len(legal[i]))] for i, place in zip(which, draw.random(number), strict=True)]
        )

    few = points(3 if tiny else ONE_BY_ONE)

    def slow() -> list[tuple[float, int]]:
        chosen = ((*pairs[i], mapping_of(row)) for i, row in zip(*few, strict=True))
        return [mapper.score(layer, config, mapping, Context(I8)) for layer, config, mapping in chosen]

    costs = slow()
    energies, cycles = batch.evaluate(*few)
    equal("cycles of the two evaluators", cycles, [cost[1] for cost in costs])
    equal("their energies", np.isclose(energies, [cost[0] for cost in costs], rtol=1e-9), np.full(len(costs), True))

    def many(number: int, threads: int) -> int:
        which, rows = drawn[number]
        batch.evaluate(which, rows, threads=threads)
        return number

    sizes = (1, 10) if tiny else (1, 1_000, 30_000, 1_000_000)
    drawn = {number: points(number) for number in sizes}
    sides: dict[str, Callable[[], int]] = {"one by one": lambda: len(slow())}
    against = {}
    for number in sizes:
        one, two = f"{number:,} at once", f"{number:,} at once, 2 threads"
        sides[one], against[one] = partial(many, number, 1), "one by one"
        if number > 1:
            sides[two], against[two] = partial(many, number, 2), one
    found = race("points/s", sides, 1 if tiny else ROUNDS, against, 0.0 if tiny else 0.3)
    if not tiny:
        both = found[-1]
        found.append(Row("two cores, exact cycles", GOAL, both.unit, ratio=GOAL / both.value, baseline=both.name, origin="goal"))
    total = sum(len(rows) for rows in legal)
    return found, f"energy and cycles of {len(costs)} of {total:,} legal mappings of {len(pairs)} problems (layer, accelerator)"


MAPPINGS = Benchmark("mappings", "Exact energy and cycles of mappings of layers on grids", run)
