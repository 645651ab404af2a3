"""The quantised PyTorch network and the golden model give the same integers, layer by layer, for every operator."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.differentiable import convolve, quantise_weight
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.modules import QuantisedNetwork, export
from gatewright.sw.operators import arithmetic
from gatewright.sw.train import settle

UNIFORM: list[tuple[Operator, ...]] = [
    (operator,) * 4
    for operator in (
        integer(8),
        integer(4),
        integer(2, 3),
        integer(4, signed=True),
        binary_weight(),
        binary_weight(2, signed=True),
        xnor(),
        stochastic(32),
        stochastic(64, "bipolar"),
        stochastic(16, "sign_magnitude", "lfsr", 4),
        stochastic(24, "bipolar", "lfsr", 5),
        shift(),
        shift(3, 4, exponents=3, signed=True),
        multiplication_free("l1"),
        multiplication_free("mfnet", 4, signed=True, zero_sign=0),
    )
]
MIXED: list[tuple[Operator, ...]] = [
    (integer(8), xnor(), binary_weight(4), integer(8)),
    (xnor(), stochastic(16, "bipolar", "sobol", 4), integer(3, 8), xnor()),
    (stochastic(64), integer(8, 2), xnor(), stochastic(128)),
]


def chain(operators: tuple[Operator, ...]) -> Workload:
    """Padding, stride 2, overlapping average pooling of 9, max pooling, and a kernel over the whole map."""
    a, b, c, d = operators
    return Workload(
        name="chain",
        layers=(
            Layer(name="a", operator=a, C=2, K=5, H=11, W=9, R=3, S=3, padding=1, pooling="average", pool_window=3, pool_stride=1),
            Layer(name="b", operator=b, C=5, K=6, H=9, W=7, R=3, S=3, stride=2, padding=1, pooling="max", pool_window=2, pool_stride=1),
            Layer(name="c", operator=c, C=6, K=7, H=4, W=3, R=2, S=1, padding=0, pooling="average", pool_window=2, pool_stride=1),
            Layer(name="d", operator=d, C=7, K=4, H=2, W=2, R=2, S=2),
        ),
    )


def trained(operators: tuple[Operator, ...], steps: int = 6) -> tuple[QuantisedNetwork, torch.Tensor]:
    """A network after a few steps on random images, and images."""
    model = QuantisedNetwork(chain(operators), seed=1)
    generator = torch.Generator().manual_seed(2)
    low, high = operators[0].activation_range
    x = torch.randint(low, high + 1, (24, 2, 11, 9), generator=generator).float()
    labels = torch.randint(0, 4, (24,), generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimiser.step()
    settle(model, x, batch=24)
    return model, x


@pytest.mark.parametrize("operators", UNIFORM + MIXED, ids=lambda operators: "-".join(dict.fromkeys(op.name for op in operators)))
def test_golden_equals_pytorch_layer_by_layer(operators: tuple[Operator, ...]) -> None:
    model, x = trained(operators)
    outputs = golden.forward(export(model), x.long().numpy())
    traced = model.trace(x)
    assert len(outputs) == len(traced) == 4
    for ours, theirs in zip(outputs, traced, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())
        assert (ours != ours[:1]).any(), "every image gives the same, so equality shows little"
    assert [out.shape[1:] for out in outputs] == [(a.K, a.out_h, a.out_w) for a in model.workload.layers]
    np.testing.assert_array_equal(model(x).detach().numpy(), outputs[-1].reshape(24, 4))


@pytest.mark.parametrize("operators", UNIFORM, ids=lambda operators: operators[0].name)
def test_codes_fit_the_next_operator(operators: tuple[Operator, ...]) -> None:
    model, x = trained(operators, steps=2)
    low, high = operators[0].activation_range
    for codes in model.trace(x)[:-1]:
        assert int(codes.min()) >= low
        assert int(codes.max()) <= high
    for layer in export(model).layers:
        assert layer.weights.dtype == np.int16
        assert ((layer.shift >= 1) & (layer.shift <= 31) & (layer.multiplier >= 1) & (layer.multiplier <= 255)).all()


@pytest.mark.parametrize("operators", [UNIFORM[0], UNIFORM[6], UNIFORM[7], UNIFORM[8]], ids=lambda operators: operators[0].name)
def test_training_lowers_the_loss(operators: tuple[Operator, ...]) -> None:
    def loss(steps: int) -> float:
        model, x = trained(operators, steps)
        labels = torch.randint(0, 4, (24,), generator=torch.Generator().manual_seed(2))
        return F.cross_entropy(model.train()(x), labels).item()

    assert loss(30) < loss(0)


def test_every_parameter_learns() -> None:
    model, x = trained(MIXED[0], steps=0)
    model.train()(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("operators", [UNIFORM[0], UNIFORM[6], UNIFORM[7]], ids=lambda operators: operators[0].name)
def test_corruption_is_noticed(operators: tuple[Operator, ...]) -> None:
    """A wrong bias in the last layer, and a turned kernel in the first, both change the logits."""
    model, x = trained(operators)
    network, codes = export(model), x.long().numpy()
    right = golden.forward(network, codes)[-1]
    last = network.layers[-1]
    off = replace(last, bias=last.bias + np.eye(1, len(last.bias), dtype=np.int64)[0])
    wrong = golden.forward(IntegerNetwork(name="off", layers=(*network.layers[:-1], off)), codes)[-1]
    np.testing.assert_array_equal(wrong - right, np.broadcast_to(np.eye(1, 4, dtype=np.int64).reshape(1, 4, 1, 1), right.shape))

    first = network.layers[0]
    turned = replace(first, weights=first.weights[:, :, ::-1])
    assert (golden.forward(IntegerNetwork(name="turned", layers=(turned, *network.layers[1:])), codes)[-1] != right).any()


def test_the_golden_model_checks_its_input() -> None:
    model, x = trained(UNIFORM[0], steps=0)
    network, codes = export(model), x.long().numpy()
    with pytest.raises(BadInput, match=r"layer a takes 2 x 11 x 9 \(C, H, W\) codes; got \(2, 9, 11\)"):
        golden.forward(network, codes.transpose(0, 1, 3, 2))
    with pytest.raises(BadInput, match="int8 activation codes go from 0 to 255; got 300"):
        golden.forward(network, codes * 0 + 300)


def test_pooling_of_logits_is_refused() -> None:
    layer = Layer(name="end", operator=integer(8), C=1, K=2, H=2, W=2, pooling="max", pool_window=2, pool_stride=2)
    with pytest.raises(BadInput, match="layer end gives the logits and cannot have pooling"):
        QuantisedNetwork(Workload(name="w", layers=(layer,)))


def test_trace_needs_evaluation_mode() -> None:
    model, x = trained(UNIFORM[0], steps=0)
    with pytest.raises(BadInput, match=r"call eval\(\) first"):
        model.train().trace(x)


def test_the_first_of_equal_logits_wins() -> None:
    layer = export(trained(UNIFORM[0], steps=0)[0]).layers[-1]
    network = IntegerNetwork(name="zeros", layers=(replace(layer, weights=layer.weights * 0, bias=layer.bias * 0),))
    assert golden.classify(network, np.ones((3, 7, 2, 2), dtype=np.int64)).tolist() == [0, 0, 0]


SIGNED = integer(8, signed=True)


def moved(reader: Operator, join: Operator = SIGNED, **changes: object) -> tuple[QuantisedNetwork, torch.Tensor]:
    """A layer of unit weights that copies three channels of an image of every code, and one that reads the copy; what the copy gives."""
    copy = Layer(name="copy", operator=join, **({"C": 3, "K": 3, "groups": 3, "unit_weights": True, "H": 16, "W": 16} | changes))
    last = Layer(name="last", operator=reader, C=copy.K, K=2, H=16, W=16, R=16, S=16)
    model = QuantisedNetwork(Workload(name="moved", layers=(copy, last)))
    low, high = join.activation_range
    image = torch.arange(low, high + 1).repeat(3 * 256)[: 3 * 256].reshape(1, 3, 16, 16).float()
    return model, image


@pytest.mark.parametrize(
    ("join", "reader", "expected"),
    [
        (SIGNED, SIGNED, lambda codes: codes),
        (SIGNED, integer(8), lambda codes: 2 * codes.clamp(min=0)),
        (integer(8), SIGNED, lambda codes: ((codes + 1) // 2).clamp(max=127)),
        (integer(4), integer(8), lambda codes: 16 * codes),
    ],
    ids=["same", "unsigned", "signed", "wider"],
)
def test_codes_that_are_moved_are_handed_on(join: Operator, reader: Operator, expected: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model, image = moved(reader, join)
    assert [name for name, _ in model.layers[0].named_parameters()] == []
    wanted = expected(image.long())
    assert torch.equal(model.layers[0](image).long(), wanted), "in training"
    assert torch.equal(model.eval().trace(image)[0], wanted)
    np.testing.assert_array_equal(golden.forward(export(model), image.long().numpy())[0], wanted.numpy())


def test_codes_become_bits_above_a_threshold_that_is_learned() -> None:
    model, image = moved(xnor())
    mean = image.mean((0, 2, 3), keepdim=True)
    bits = model.layers[0](image)
    assert torch.equal(bits, (image >= mean).float())
    bits.sum().backward()
    assert (model.layers[0].beta.grad > 0).all()


def test_sums_gathers_and_joint_maps_against_pytorch() -> None:
    """Two layers write one map, a sum adds it to the image in another order, a layer with groups reads the sum."""
    sizes = {"H": 5, "W": 4}
    layers = (
        Layer(name="a", operator=SIGNED, C=4, K=3, R=3, S=3, padding=1, inputs=("image",), output="joint", relu=True, **sizes),
        Layer(name="b", operator=SIGNED, C=4, K=1, inputs=("image",), output="joint", **sizes),
        Layer(
            name="sum",
            operator=SIGNED,
            C=8,
            K=4,
            groups=4,
            inputs=("joint", "image"),
            gather=(0, 7, 1, 6, 2, 5, 3, 4),
            unit_weights=True,
            **sizes,
        ),
        Layer(name="grouped", operator=SIGNED, C=4, K=6, R=3, S=3, groups=2, **sizes),
        Layer(name="end", operator=SIGNED, C=6, K=2, H=3, W=2, R=3, S=2),
    )
    model = QuantisedNetwork(Workload(name="w", layers=layers), seed=4)
    image = torch.randint(-128, 128, (6, 4, 5, 4), generator=torch.Generator().manual_seed(5)).float()
    settle(model, image, batch=6)
    a, b, total, grouped, _ = model.trace(image)
    assert a.min() == 0
    assert b.min() < 0
    joint = torch.cat([a, b], dim=1)
    added = model.layers[2].export()
    v = joint + image.long().flip(1) + torch.from_numpy(added.bias).reshape(1, 4, 1, 1)
    scaled = v * torch.from_numpy(added.multiplier / 2.0**added.shift).reshape(1, 4, 1, 1)
    assert torch.equal(total, (scaled + 0.5).floor().clamp(-128, 127).long())
    weights = torch.from_numpy(model.layers[3].export().weights).double()
    assert torch.equal(model.layers[3].accumulate(total.float()), F.conv2d(total.double(), weights, groups=2).float())
    assert grouped.shape == (6, 6, 3, 2)
    model.train()(image).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("operator", [stochastic(16, sharing=2), stochastic(16, adder="or"), multiplication_free("l1", 4), xnor()], ids=str)
def test_groups_are_layers_of_their_own(operator: Operator, groups: int) -> None:
    """A layer with groups gives what a layer for each group gives, reading from the channel where the group starts."""
    arithmetic_of = arithmetic(operator)
    generator = torch.Generator().manual_seed(6)
    low, high = operator.activation_range
    x = torch.randint(low, high + 1, (2, 6, 5, 4), generator=generator).float()
    latent = torch.randn(12, 6 // groups, 3, 3, generator=generator, requires_grad=True)
    codes, values = quantise_weight(arithmetic_of, latent)
    got = convolve(arithmetic_of, x, codes, values, 2, 1, exact=True, groups=groups)
    size = 6 // groups
    each = zip(x.chunk(groups, 1), codes.chunk(groups), values.chunk(groups), strict=True)
    wanted = [convolve(arithmetic_of, *part, 2, 1, exact=True, first=i * size) for i, part in enumerate(each)]
    assert torch.equal(got, torch.cat(wanted, dim=1))
    whole = arithmetic_of.accumulate(x.long().numpy(), codes.detach().long().numpy(), 2, 1, groups=groups)
    np.testing.assert_array_equal(got.detach().numpy(), whole)
    gradients = [torch.autograd.grad(result.square().sum(), latent, retain_graph=True)[0] for result in (got, torch.cat(wanted, dim=1))]
    torch.testing.assert_close(*gradients)
