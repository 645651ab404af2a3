"""Floating-point networks against PyTorch's own layers and numpy's half precision; their weights in circuits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gatewright.hw.config import floating, integer, stochastic
from gatewright.hw.errors import BadInput
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import Dataset, Split, digits, encode
from gatewright.sw.float_network import FloatNetwork, float_accuracy
from gatewright.sw.floating import converted, load, save, train_float
from gatewright.sw.models import Architecture
from gatewright.sw.modules import export
from gatewright.sw.train import predict


def architecture(**changes: object) -> Architecture:
    fields = {"family": "vgg", "channels": 1, "height": 8, "width": 8, "widths": (6, 8), "kernels": (5, 3), "pool_after": (0, 1)}
    return Architecture(**(fields | {"pooling": ("max", "average"), "operators": (floating("fp32"),)} | changes))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits()


@pytest.fixture(scope="module")
def trained(data: Dataset) -> FloatNetwork:
    return train_float(architecture(), data, Recipe(epochs=3, batch=50))


def twin(found: FloatNetwork, activation: nn.Module) -> nn.Sequential:
    """The same in PyTorch's own layers; the logits' one scale for all classes is a normalisation of each sample's whole batch."""
    parts: list[nn.Module] = []
    for layer, pool in zip(found.operator_layers[:-1], (nn.MaxPool2d(2), nn.AvgPool2d(2)), strict=True):
        conv = nn.Conv2d(layer.weight.shape[1], layer.weight.shape[0], layer.weight.shape[2], padding="same", bias=False)
        norm = nn.BatchNorm2d(len(layer.weight), eps=1e-5)
        conv.weight.data, norm.weight.data, norm.bias.data = layer.weight.data, layer.log_gain.data.exp(), layer.beta.data
        norm.running_mean.data, norm.running_var.data = layer.running_mean.clone(), layer.running_variance.clone()
        parts += [conv, norm, activation, pool]
    last = found.operator_layers[-1]
    dense = nn.Linear(last.weight[0].numel(), len(last.weight), bias=False)
    dense.weight.data = last.weight.data.flatten(1)
    return nn.Sequential(*parts, nn.Flatten(), dense)


@pytest.mark.parametrize(("activations", "activation"), [((), nn.ReLU()), (("clamp", "clamp"), nn.Hardtanh(-3, 3))], ids=["relu", "clamp"])
@pytest.mark.parametrize("training", [True, False])
def test_against_pytorch_s_own_layers(activations: tuple, activation: nn.Module, training: bool) -> None:
    found, generator = FloatNetwork(architecture(activations=activations), seed=4), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in found.operator_layers:
            for value in (layer.log_gain, layer.beta, layer.running_mean):
                value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
            layer.running_variance.copy_(1 + torch.rand(layer.running_variance.shape, generator=generator))
    x = torch.rand(7, 1, 8, 8, generator=generator)
    other = twin(found, activation).train(training)
    sums = other(x)
    last = found.operator_layers[-1]
    mean, variance = (sums.mean(), sums.var(correction=0)) if training else (last.running_mean, last.running_variance)
    wanted = 3.0 * ((sums - mean) / (variance + 1e-5).sqrt() * last.log_gain.exp() + last.beta)
    torch.testing.assert_close(found.train(training)(x), wanted, atol=2e-5, rtol=1e-4)


def test_half_precision_is_numpy_s() -> None:
    """Of a network of one layer, whose every stored number is rounded."""
    found = FloatNetwork(architecture(widths=(), kernels=(), pool_after=(), pooling="max"), seed=1).eval()
    layer, rng = found.operator_layers[0], np.random.default_rng(8)
    with torch.no_grad():
        layer.beta.copy_(torch.from_numpy(rng.normal(size=10)))
        layer.running_variance.fill_(0.7)
    x = rng.random((20, 1, 8, 8), dtype=np.float32)
    half = np.float16
    weights = layer.weight.detach().numpy().reshape(10, -1).astype(half).astype(np.float64)
    sums = (x.reshape(20, -1).astype(half).astype(np.float64) @ weights.T).astype(half).astype(np.float32)
    scale, shift = half(3 / np.sqrt(np.float32(0.7 + 1e-5))), (3 * layer.beta.detach().numpy()).astype(half)
    wanted = (sums * np.float32(scale) + shift.astype(np.float32)).astype(half)
    mine = found(torch.from_numpy(x), "fp16").detach().numpy()
    assert np.array_equal(mine, mine.astype(half))
    assert np.mean(mine == wanted) > 0.97  # float32 sums in another order may round to the other side
    assert not np.array_equal(mine, found(torch.from_numpy(x)).detach().numpy())


def test_it_learns_repeats_itself_and_is_stored_whole(trained: FloatNetwork, data: Dataset, tmp_path: Path) -> None:
    found = float_accuracy(trained, data.validation, data.maximum, "fp32")
    assert found.value > 0.85
    assert abs(found.value - float_accuracy(trained, data.validation, data.maximum, "fp16").value) < 0.02
    losses: list[tuple[int, float]] = []
    again = train_float(architecture(), data, Recipe(epochs=3, batch=50), lambda epoch, loss: losses.append((epoch, loss)))
    assert all(torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values(), strict=True))
    assert [epoch for epoch, _ in losses] == [1, 2, 3]
    assert losses[2][1] < losses[0][1]
    save(trained, tmp_path / "float.safetensors")
    kept = load(tmp_path / "float.safetensors")
    assert kept.architecture == trained.architecture
    assert float_accuracy(kept, data.validation, data.maximum, "fp32") == found


def test_accuracy_counts_what_is_right(trained: FloatNetwork, data: Dataset) -> None:
    part = data.validation.take(slice(3))
    said = trained.eval()(torch.from_numpy(part.images).float() / 16).argmax(dim=1).numpy()
    wrong = Split(images=part.images, labels=np.array([said[0], (said[1] + 1) % 10, said[2]]))
    assert (float_accuracy(trained, wrong, 16, "fp32").value, float_accuracy(trained, wrong, 16, "fp32").n) == (2 / 3, 3)


def test_weights_are_converted_as_they_are(trained: FloatNetwork, data: Dataset) -> None:
    wanted = architecture(operators=(integer(8),))
    model = converted(trained, wanted, data, 256)
    assert torch.equal(model.operator_layers[1].weight, trained.operator_layers[1].weight)
    codes = encode(integer(8), data.validation.images, data.maximum)
    eight = (predict(model, codes) == data.validation.labels).mean()
    assert abs(eight - float_accuracy(trained, data.validation, data.maximum, "fp32").value) < 0.02
    step = trained.operator_layers[0].weight.detach().std() * 3.5 / 127  # 8 bits hold 3.5 standard deviations
    latent = trained.operator_layers[0].weight.detach() / step
    assert np.array_equal(export(model).layers[0].weights, latent.round().clamp(-127, 127).numpy())
    coarse = converted(trained, architecture(operators=(stochastic(8, "bipolar"),)), data, 256)
    assert (predict(coarse, encode(stochastic(8, "bipolar"), data.validation.images, 16)) == data.validation.labels).mean() < eight - 0.1


def test_what_is_refused(trained: FloatNetwork, data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a vgg with operators fp32, fp16 or bf16 throughout; got vgg_6k5x8_int8"):
        FloatNetwork(architecture(operators=(integer(8),)))
    with pytest.raises(BadInput, match="differ in operators alone"):
        converted(trained, architecture(operators=(integer(8),), widths=(6, 9)), data, 64)
    (tmp_path / "other").write_text("text")
    with pytest.raises(BadInput, match="not a network that Gatewright trained"):
        load(tmp_path / "other")
