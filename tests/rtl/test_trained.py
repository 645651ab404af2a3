"""Trained networks of three operators on a simulated 16 x 16 grid: CIFAR-10 images, bit for bit. `make networks`, many minutes.

Networks are the mixed ones of `make accuracy`, taken from runs/accuracy where they were trained before, else trained now.
"""

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.hw.names import accelerator_from
from gatewright.sim.network import simulate
from gatewright.sim.verification import verify
from gatewright.sw import golden
from gatewright.sw.checkpoint import load
from gatewright.sw.data import encode
from gatewright.sw.data import load as dataset
from gatewright.sw.experiment import NETWORK, run
from gatewright.sw.program import Program, lower
from gatewright.sw.reference import references

pytestmark = [
    pytest.mark.networks,
    pytest.mark.skipif(not os.environ.get("GATEWRIGHT_DATA"), reason="GATEWRIGHT_DATA does not name a folder with CIFAR-10"),
]
ROOT = Path(__file__).parents[2]
RUNS = Path(os.environ.get("GATEWRIGHT_RUNS", ROOT / "runs" / "accuracy"))
IMAGES = 10


@pytest.mark.parametrize("name", ["cifar10_resnet8_mixed", "cifar10_shufflenetv2_mixed"])
def test_cifar_images_on_rtl(name: str) -> None:
    run(references()[name], RUNS / name)
    trained, data = load(RUNS / name / NETWORK), dataset("cifar10")
    integers = trained.export()
    config = accelerator_from(tomllib.loads((ROOT / "examples" / "grid16.toml").read_text()), "grid16.toml")
    program = lower(integers, config, Mapper(CostModel.default()).map(integers.workload, config))
    images = data.test().images[:IMAGES]
    codes = encode(integers.layers[0].layer.operator, images, data.maximum)
    result = verify(program, codes)
    print(f"{name}: {result}")
    assert (result.images, result.mismatches) == (IMAGES, 0)
    assert result.cycles_simulated == (result.cycles_predicted,)
    assert len({layer.layer.operator for layer in integers.layers}) >= 3
    every_layer(program.apart(), codes[:1])


def every_layer(program: Program, codes: np.ndarray) -> None:
    """Every layer's results on RTL, for one image."""
    found = simulate(program, codes, all_layers=True).outputs
    for i, (layer, expected) in enumerate(zip(program.network.layers, golden.forward(program.network, codes), strict=True)):
        np.testing.assert_array_equal(found[i], expected, err_msg=layer.layer.name)
