"""How many points (layer, mapping, accelerator) the batched evaluator takes a second."""

import time
from itertools import product

import numpy as np

from gatewright.dse.batch import Batch, Integers
from gatewright.dse.cost import CostModel
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.sw.layers import Layer

SHAPES = (
    (64, 56, 3, 1),
    (128, 28, 3, 1),
    (64, 56, 3, 2),
    (128, 28, 1, 2),
    (256, 14, 3, 1),
    (512, 7, 3, 1),
)  # channels, size, kernel, stride
SIDES = (4, 8, 16)


def points(number: int, seed: int = 0) -> tuple[Batch, Integers, Integers]:
    """Random legal mappings of ResNet-18's layers on int8 grids of 4 x 4 to 16 x 16, problems mixed."""
    batch, legal, int8 = Batch(CostModel.default(), memories=1.0), [], integer(8)
    for (channels, size, kernel, stride), rows, cols in product(SHAPES, SIDES, SIDES):
        config = AcceleratorConfig(
            rows=rows,
            cols=cols,
            operators=(int8,),
            accumulator_bits=32,
            accumulator_depth=8,
            activation_words=2048,
            weight_words=2048,
            output_words=1024,
        )
        padding = kernel // 2
        layer = Layer(
            name="layer", operator=int8, C=channels, K=channels, H=size, W=size, R=kernel, S=kernel, stride=stride, padding=padding
        )
        legal.append(batch.legal(batch.add(layer, config, int8)))
    rng = np.random.default_rng(seed)
    which = rng.integers(len(legal), size=number)
    places = (rng.random(number) * np.array([len(rows) for rows in legal])[which]).astype(np.int64)
    starts = np.cumsum([0, *(len(rows) for rows in legal[:-1])])
    return batch, which.astype(np.int32), np.concatenate(legal)[starts[which] + places]


def benchmark(number: int = 1_000_000, threads: int = 1) -> dict[str, float | int]:
    """Seconds and points a second, with exact cycles and with their lower bound; compiling is apart.

    `first_call_seconds`: of one point, which loads the compiled code or compiles it.
    """
    batch, which, mappings = points(number)
    started = time.perf_counter()
    batch.evaluate(which[:1], mappings[:1])
    found: dict[str, float | int] = {"points": number, "threads": threads, "problems": len(batch.problems)}
    found["first_call_seconds"] = time.perf_counter() - started
    for name, exact in (("exact", True), ("bound", False)):
        started = time.perf_counter()
        batch.evaluate(which, mappings, exact, threads)
        seconds = time.perf_counter() - started
        found |= {f"{name}_seconds": seconds, f"{name}_points_per_second": number / seconds}
    return found


def scaling(
    threads: tuple[int, ...] = (1, 2), sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000, 1_000_000)
) -> list[dict[str, float | int]]:
    """`benchmark` over batch sizes and numbers of threads."""
    return [benchmark(size, count) for size in sizes for count in threads]
