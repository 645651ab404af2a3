"""The quantised PyTorch network and the golden model give the same integers, layer by layer, for every operator."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.modules import QuantisedNetwork, export
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
