"""Network families: module and workload agree, whatever the operators; impossible architectures are refused."""

import pytest
import torch

from gatewright.hw.config import Operator, binary_weight, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.models import Architecture, network, workload

MIXED = (integer(8), xnor(), stochastic(32), binary_weight(4))


def vgg(operators: tuple[Operator, ...] = MIXED, **changes: object) -> Architecture:
    fields = {"family": "vgg", "channels": 3, "height": 12, "width": 9, "classes": 5, "widths": (4, 6, 8), "pool_after": (0, 2)}
    return Architecture(operators=operators, **(fields | changes))


def mlp(operators: tuple[Operator, ...] = MIXED, **changes: object) -> Architecture:
    fields = {"family": "mlp", "channels": 1, "height": 8, "width": 8, "widths": (20, 15, 12)}
    return Architecture(operators=operators, **(fields | changes))


@pytest.mark.parametrize("architecture", [vgg(), vgg(pooling="average"), mlp(), mlp((xnor(),), widths=())], ids=lambda a: a.name)
def test_module_and_workload_agree(architecture: Architecture) -> None:
    model, work = network(architecture), workload(architecture)
    assert model.workload == work
    assert tuple(layer.operator for layer in work.layers) == architecture.operators
    x = torch.zeros(2, architecture.channels, architecture.height, architecture.width)
    shapes = [tuple(codes.shape[1:]) for codes in model.eval().trace(x)]
    assert shapes == [(layer.K, layer.out_h, layer.out_w) for layer in work.layers]
    assert shapes[-1] == (architecture.classes, 1, 1)


def test_shapes_of_a_vgg() -> None:
    conv0, conv1, conv2, fc = workload(vgg()).layers
    assert (conv0.R, conv0.padding, conv0.pooling, conv0.out_h, conv0.out_w) == (3, 1, "max", 6, 4)
    assert (conv1.pooling, conv1.out_h, conv1.out_w) == (None, 6, 4)
    assert (conv2.out_h, conv2.out_w) == (3, 2)
    assert (fc.C, fc.R, fc.S, fc.K, fc.padding) == (8, 3, 2, 5, 0)


def test_shapes_of_an_mlp() -> None:
    layers = workload(mlp()).layers
    assert [(layer.C, layer.R, layer.K) for layer in layers] == [(1, 8, 20), (20, 1, 15), (15, 1, 12), (12, 1, 10)]


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (network(mlp(), seed).layers[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_round_trip() -> None:
    assert Architecture.from_json(vgg().to_json()) == vgg()
    assert vgg().name == "vgg_4x6x8_int8_xnor_sc_sign_magnitude_sobol32_8_bw4"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (4, 6), "pool_after": ()}, r"one for all layers, or one for each of the 3 \(conv0, conv1, fc\); got 4"),
        ({"widths": (4, 0, 8)}, r"widths must be positive; got \(4, 0, 8\)"),
        ({"pool_after": (3,)}, r"pool_after names convolutions 0..2, each once; got \(3,\)"),
        ({"pool_after": (1, 1)}, "each once"),
        ({"height": 3}, "2 poolings by 2 leave nothing of a 3 x 9 map"),
        ({"family": "mlp"}, "pool_after is for vgg; mlp pools nowhere"),
    ],
)
def test_impossible_architectures(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        vgg(**changes)
