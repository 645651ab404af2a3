"""A small accelerator and a small network trained on the real digits, which several tests run on a simulated board."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from gatewright.boards import simulated
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.sim.probe import choose, trained
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import encode, load
from gatewright.sw.models import Architecture, workload
from gatewright.sw.program import Program, lower

CONFIG = AcceleratorConfig(
    rows=1,
    cols=2,
    operand_bits=32,
    operators=(integer(4),),
    accumulator_bits=16,
    activation_words=128,
    weight_words=256,
    output_words=32,
    parameter_words=8,
    pipeline_stages=0,
    pooling=False,
)
ARCHITECTURE = Architecture(family="mlp", channels=1, height=8, width=8, widths=(8,), operators=(integer(4), integer(4)))


@lru_cache(maxsize=1)
def program() -> Program:
    network = trained(ARCHITECTURE, Recipe(epochs=3))
    return lower(network.export(), CONFIG, choose(workload(ARCHITECTURE), CONFIG, 1, "fast", 0))


def codes(images: int) -> np.ndarray:
    """Test images as the network takes them."""
    data = load("digits")
    return encode(integer(4), data.test().images[:images], data.maximum)


def board() -> Path:
    """The simulated board of this program, cached."""
    return simulated.build(CONFIG, program().schedule.memory_words, quick=True)
