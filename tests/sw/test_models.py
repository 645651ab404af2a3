"""Network families: module and workload agree, whatever the operators; impossible architectures are refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import Operator, binary_weight, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.golden import forward
from gatewright.sw.models import Architecture, network, workload
from gatewright.sw.modules import export

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


def free(**changes: object) -> Architecture:
    """Two convolutions whose kernels, poolings and activations differ; the last layer reads signed codes."""
    fields = {"widths": (4, 6), "pool_after": (1, 0), "kernels": (5, 1), "pooling": ("average", "max"), "activations": ("clamp", "relu")}
    return vgg(operators=(integer(4), integer(8, signed=True), integer(8, signed=True)), **(fields | changes))


def test_a_vgg_with_kernels_poolings_and_activations_of_its_own() -> None:
    first, second, fc = workload(free()).layers
    assert [(layer.R, layer.S, layer.padding, layer.P, layer.Q) for layer in (first, second)] == [(5, 5, 2, 12, 9), (1, 1, 0, 6, 4)]
    assert [(layer.pooling, layer.relu) for layer in (first, second, fc)] == [("max", False), ("average", True), (None, False)]
    assert free().name == "vgg_4k5x6k1_int4_int8s_int8s"
    assert Architecture.from_json(free().to_json()) == free()
    assert free().content_hash != free(activations=()).content_hash


def test_integers_of_free_kernels_poolings_and_activations_equal_torch() -> None:
    """The golden model against PyTorch's own layers, with post-processing in exact integer arithmetic, written out."""
    rng = np.random.default_rng(5)
    model = network(free(), seed=3).eval()
    for layer in model.operator_layers:
        layer.running_mean.copy_(torch.from_numpy(rng.normal(0, 5, layer.running_mean.shape)))
        layer.running_variance.copy_(torch.from_numpy(rng.uniform(200, 900, layer.running_variance.shape)))
    codes = rng.integers(0, 16, (3, 3, 12, 9))
    x, layers = torch.from_numpy(codes), export(model).layers
    results = []
    for layer, padding, limits, pooled in zip(layers, (2, 0, 0), ((-128, 127), (0, 127), None), ("max", "average", None), strict=True):
        x = F.conv2d(x.double(), torch.from_numpy(layer.weights).double(), padding=padding).long()
        bias, multiplier, shift = (
            torch.from_numpy(part).long().reshape(1, -1, 1, 1) for part in (layer.bias, layer.multiplier, layer.shift)
        )
        x = x + bias
        if limits:
            x = (x * multiplier + (1 << (shift - 1)) >> shift).clamp(*limits)
        if pooled == "max":
            x = F.max_pool2d(x.double(), 2).long()
        if pooled == "average":
            x = (F.avg_pool2d(x.double(), 2, divisor_override=1).long() + 2) >> 2
        results.append(x)
    assert results[0].min() < 0 <= results[1].min() == 0 < results[1].max()
    for mine, golden, traced in zip(results, forward(export(model), codes), model.trace(torch.from_numpy(codes).float()), strict=True):
        assert np.array_equal(mine.numpy(), golden)
        assert torch.equal(mine, traced)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernels": (3, 4)}, r"kernels must be odd, so that padding keeps a map's size; got \(3, 4\)"),
        ({"kernels": (3,)}, "kernels: one for each of the 2 convolutions, or none; got 1"),
        ({"activations": ("relu",) * 3}, "activations: one for each of the 2 convolutions, or none; got 3"),
        ({"activations": ("tanh", "relu")}, "'clamp' or 'relu'"),
        ({"pooling": ("max",)}, r"for vgg one for each of pool_after \(1, 0\); vgg got \('max',\)"),
    ],
)
def test_impossible_convolutions(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        free(**changes)


@pytest.mark.parametrize("changes", [{"kernels": (3,) * 3}, {"activations": ("relu",) * 3}, {"pooling": ("max",)}])
def test_other_families_have_no_kernels_of_their_own(changes: dict) -> None:
    with pytest.raises(BadInput, match="for vgg"):
        mlp(**changes)
