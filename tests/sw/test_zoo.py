"""Every family with every operator: a legal workload, a training step that reaches every weight, the golden model's integers."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.mapping import Mapping, Tiling
from gatewright.sw.models import Architecture, families, layer_names, network, workload
from gatewright.sw.modules import export
from gatewright.sw.train import settle

OPERATORS = (
    integer(8),
    integer(4, signed=True),
    binary_weight(),
    xnor(),
    shift(),
    stochastic(32),
    stochastic(16, "bipolar", bits=4),
    multiplication_free("mfnet", 4, signed=True, zero_sign=0),
)
SMALL: dict[str, dict] = {
    "mlp": {"widths": (6, 5)},
    "vgg": {"widths": (4, 6), "pool_after": (1,)},
    "lenet5": {"widths": (3, 4, 6, 5)},
    "resnet8": {"widths": (4, 5, 6)},
    "metaformer": {"widths": (4, 6, 6, 6, 6)},
    "xnornet": {"widths": (4, 4, 5, 5, 6, 6)},
    "dqn": {"widths": (3, 4, 6), "height": 24, "width": 20},
}
DEEP: dict[str, dict] = {
    "resnet18": {"widths": (2, 3, 4, 5)},
    "resnet20": {"widths": (2, 3, 4)},
    "shufflenetv2": {"widths": (2, 4, 6, 8, 6)},
    "squeezenet": {"widths": (4, 1, 1, 1, 1, 2, 2, 2, 2)},
    "mobilenetv2": {"widths": (2, 2, 2, 3, 3, 4, 4, 4, 6)},
}


def small(family: str, operators: tuple[Operator, ...]) -> Architecture:
    fields = {"channels": 3, "height": 8, "width": 8, "classes": 3, "operators": operators}
    return Architecture(family=family, **(fields | (SMALL | DEEP)[family]))


def one_each(family: str) -> Architecture:
    """Each layer has another operator than the layers before and after it."""
    names = layer_names(small(family, OPERATORS[:1]))
    return small(family, tuple(OPERATORS[(3 * i) % len(OPERATORS)] for i in range(len(names))))


CASES = [small(family, (operator,)) for family in SMALL for operator in OPERATORS] + [one_each(family) for family in SMALL | DEEP]


@pytest.mark.parametrize("architecture", CASES, ids=lambda a: a.name)
def test_any_layer_takes_any_operator(architecture: Architecture) -> None:
    names, work, model = layer_names(architecture), workload(architecture), network(architecture, seed=1)
    assert model.workload == work
    weighted = {layer.name for layer in work.layers if not layer.unit_weights}
    assert {name for name in weighted if name in names or name.rpartition(".")[0] in names} == weighted
    low, high = work.layers[work.maps[0].readers[0]].operator.activation_range
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(low, high + 1, (4, 3, architecture.height, architecture.width), generator=generator).float()
    F.cross_entropy(model(x), torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    assert model.operator_layers[0].weight.grad.abs().sum() > 0, "the gradient does not reach the first layer"
    settle(model, x, batch=4)
    given, traced = golden.forward(export(model), x.long().numpy()), model.trace(x)
    for layer, ours, theirs in zip(work.layers, given, traced, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy(), err_msg=layer.name)
        assert ours.shape[1:] == (layer.K, layer.out_h, layer.out_w)


def test_every_family_is_tried() -> None:
    assert {*SMALL, *DEEP} == {name for name, family in families().items() if not family.imported}


@pytest.mark.parametrize(
    ("family", "changes", "weights", "products"),
    [
        ("lenet5", {"channels": 1, "height": 32, "width": 32}, 61470, 416520),  # C3 reads all six maps; the paper's table leaves 900 out
        ("resnet8", {}, 77360, 12501632),  # MLPerf Tiny names 12.5 M products
        ("resnet18", {}, 11164352, 555422720),  # the usual network for small images has 11.17 M parameters and 0.56 G products
        ("resnet20", {}, 270896, 40813184),  # arXiv 1512.03385, table 6: 0.27 M
        ("dqn", {"channels": 4, "height": 84, "width": 84, "classes": 4}, 676864, 2966528),
    ],
)
def test_sizes_are_those_published(family: str, changes: dict, weights: int, products: int) -> None:
    fields = {"channels": 3, "height": 32, "width": 32, "operators": (integer(8, signed=True),)}
    layers = [layer for layer in workload(Architecture(family=family, **(fields | changes))).layers if not layer.unit_weights]
    assert sum(layer.K * layer.group_channels * layer.R * layer.S for layer in layers) == weights
    assert sum(layer.K * layer.group_channels * layer.R * layer.S * layer.P * layer.Q for layer in layers) == products


CIFAR = {"channels": 3, "height": 32, "width": 32}
PUBLISHED: tuple[tuple[str, dict], ...] = (
    ("lenet5", {"channels": 1, "height": 28, "width": 28}),
    ("resnet8", CIFAR),
    ("resnet20", CIFAR),
    ("resnet18", CIFAR),
    ("shufflenetv2", CIFAR | {"multiplier": 0.25}),
    ("shufflenetv2", CIFAR | {"multiplier": 0.5}),
    ("shufflenetv2", CIFAR),
    ("squeezenet", CIFAR),
    ("mobilenetv2", CIFAR | {"multiplier": 0.25}),
    ("mobilenetv2", CIFAR),
    ("xnornet", CIFAR),
    ("metaformer", CIFAR),
    ("dqn", {"channels": 4, "height": 84, "width": 84, "classes": 4}),
)


def row(family: str, fields: dict) -> str:
    """A line of the table in docs/networks.md, with all layers in int8s."""
    architecture = Architecture(family=family, operators=(integer(8, signed=True),), **fields)
    layers = workload(architecture).layers
    weighted, joins = ([layer for layer in layers if layer.unit_weights == unit] for unit in (False, True))
    weights = sum(layer.K * layer.group_channels * layer.R * layer.S for layer in weighted)
    products, sums = (sum(layer.products for layer in some) / 1e6 for some in (weighted, joins))
    name = family if architecture.multiplier == 1 else f"{family}, multiplier {architecture.multiplier}"
    image = f"{architecture.channels} x {architecture.height} x {architecture.width}"
    return f"| {name} | {image} | {len(layer_names(architecture))} | {weights:,} | {products:.2f} M | {len(joins)} | {sums:.3f} M |"


def test_the_table_of_the_zoo() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    rows = [row(*case) for case in PUBLISHED]
    assert [line for line in rows if line not in page.splitlines()] == [], "\n".join(rows)
    assert {name for name, _ in PUBLISHED} | {"mlp", "vgg"} == {*SMALL, *DEEP}


def test_every_layer_can_be_mapped() -> None:
    """No rule of the accelerator forbids a layer of the published sizes; depthwise layers need a weight that adds nothing."""
    fields = {"accumulator_bits": 32, "activation_words": 4096, "weight_words": 4096, "output_words": 4096, "parameter_words": 256}

    def forbidden(family: str, sizes: dict, operator: Operator) -> set[str]:
        work = workload(Architecture(family=family, operators=(operator,), **sizes))
        operators = tuple(dict.fromkeys(layer.operator for layer in work.layers))
        grid = AcceleratorConfig(rows=16, cols=16, operators=operators, **fields)
        tilings = (Tiling(layer, grid, Mapping(), 1, work.context(i)) for i, layer in enumerate(work.layers))
        return {tiling.layer.name for tiling in tilings if tiling.layer_rule()}

    for case in PUBLISHED:
        assert forbidden(*case, integer(8, signed=True)) == set(), case
    refused = forbidden("shufflenetv2", CIFAR | {"multiplier": 0.25}, xnor())
    assert refused
    assert all("depthwise" in name for name in refused)


def test_multipliers() -> None:
    fields = {"channels": 3, "height": 32, "width": 32, "operators": (integer(8, signed=True),)}

    def widths(family: str, multiplier: float, *names: str) -> list[int]:
        layers = {layer.name: layer.K for layer in workload(Architecture(family=family, multiplier=multiplier, **fields)).layers}
        return [layers[name] for name in names]

    assert widths("shufflenetv2", 0.5, "stem", "stage3.unit2.conv2", "head") == [24, 48, 1024]
    assert widths("shufflenetv2", 0.25, "stem", "stage3.unit2.conv2", "head") == [24, 24, 512]
    assert widths("mobilenetv2", 0.35, "stem", "stage7.block1.project", "head") == [16, 112, 1280]  # 11.2 is more than nine tenths above 8
    assert widths("resnet20", 0.5, "stem", "stage3.block1.conv1") == [8, 32]


def test_xnornet_has_its_own_operators() -> None:
    own = Architecture(family="xnornet", channels=3, height=32, width=32)
    assert own.operators == (integer(8), *(xnor(),) * 5, integer(8))
    assert own.name.startswith("xnornet_int8_xnor_")
    assert Architecture.from_json(own.to_json()) == own


def test_names_without_sizes_differ_by_their_operators() -> None:
    a = small("resnet8", (integer(8), *(xnor(),) * 8, integer(8)))
    b = small("resnet8", (integer(8), xnor(), *(integer(8),) * 8))
    assert a.name != b.name
    assert a.name.startswith("resnet8_4x5x6_int8_xnor_")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "resnet9"}, "family must be one of dqn, lenet5, m.*; got 'resnet9'"),
        ({"widths": (4, 5)}, r"resnet8 has 3 widths, as \(16, 32, 64\); got \(4, 5\)"),
        ({"multiplier": 0.5}, "give widths or a multiplier; got"),
        ({"family": "mlp", "multiplier": 0.5}, "a multiplier is for .*; mlp has none; got 0.5"),
        (
            {"family": "shufflenetv2", "widths": (), "multiplier": 0.3},
            "multiplier .* must be one of 0.25, 0.5, 1.0, 1.5; got 0.3",
        ),
        ({"source": "net.py:Net"}, "source names the file .*, and of no other; got 'net.py:Net'"),
        ({"pooling": "average"}, "pooling is for lenet5 or vgg or xnornet; resnet8 has its own; got 'average'"),
        ({"operators": (integer(8),) * 3}, r"one for each of the 10 \(stem, stage1.block1.conv1, .*\); got 3"),
        ({"operators": ()}, "operators"),
        ({"height": 12}, "squares of at most 8 x 8; a map of 3 x 2"),
        ({"family": "dqn", "widths": ()}, "kernel 8 x 8 is larger than|kernel 4 x 4 is larger than"),
    ],
)
def test_impossible_architectures(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        small("resnet8", (integer(8),)).replace(**changes)
