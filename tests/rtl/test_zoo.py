"""Networks of the zoo on RTL, small ones of each topology: every layer bit for bit, cycles as predicted."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, xnor
from gatewright.sw.mapping import mappings
from gatewright.sw.models import Architecture, layer_names, network, workload
from gatewright.sw.modules import export
from gatewright.sw.program import lower
from gatewright.sw.train import settle
from tests.generators import Case
from tests.rtl.checks import complaint

I8 = integer(8, signed=True)
MIXED = (I8, binary_weight(8, signed=True), integer(4, 8, signed=True), xnor())
GRID = AcceleratorConfig(
    rows=4, cols=8, operators=MIXED, activation_words=1024, weight_words=1024, output_words=512, parameter_words=64, accumulator_bits=26
)
FAMILIES = {
    "resnet8": {"widths": (5, 9, 12)},
    "shufflenetv2": {"multiplier": 0.25},
    "squeezenet": {"multiplier": 0.25},
    "mobilenetv2": {"multiplier": 0.25},
    "metaformer": {},
}


@lru_cache
def case(family: str) -> Case:
    """Random weights, statistics of random images; operators in turn, int8 where a layer takes no other."""
    shape = {"family": family, "channels": 3, "height": 8, "width": 8, "classes": 7} | FAMILIES[family]
    plain = Architecture(**shape, operators=(I8,))
    names = layer_names(plain)
    grouped = {layer.name for layer in workload(plain).layers if layer.groups > 1}
    fixed = {0, len(names) - 1} | {i for i, name in enumerate(names) if any(g == name or g.startswith(f"{name}.") for g in grouped)}
    operators = tuple(I8 if i in fixed else MIXED[i % len(MIXED)] for i in range(len(names)))
    model = network(Architecture(**shape, operators=operators), 1)
    rng = np.random.default_rng(5)
    settle(model, torch.from_numpy(rng.integers(0, 128, (64, 3, 8, 8))), 32)
    integers = export(model)
    work = integers.workload
    chosen = tuple(next(mappings(layer, GRID, 1, work.context(i))) for i, layer in enumerate(work.layers))
    return Case((0,), lower(integers, GRID, chosen), rng.integers(0, 128, (2, 3, 8, 8)))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_the_zoo(family: str) -> None:
    made = case(family)
    assert complaint(made) is None
    used = {layer.operator for layer in made.program.schedule.workload.layers}
    assert used == {*MIXED}
