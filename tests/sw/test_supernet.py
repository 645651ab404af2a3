"""Super-networks: what is taken out is a slice of what is shared; training with linear operators is exact; estimates are the integers'."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, floating, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.accuracy import accuracy
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import Dataset, Split, digits, encode
from gatewright.sw.float_network import float_accuracy, scaled
from gatewright.sw.models import Architecture
from gatewright.sw.modules import export
from gatewright.sw.super_training import SuperTraining, epochs_done, sampled, train_super
from gatewright.sw.supernet import Span, SuperNetwork, coded, estimate, inherit, inherit_float, load, save

SPAN = Span(channels=1, height=8, width=8, widths=(5, 7), kernels=(5, 3), pool_after=(0, 1))
EIGHT, FOUR, STREAM = integer(8), integer(4), stochastic(16)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits()


def architecture(operators: tuple[Operator, ...] = (EIGHT, FOUR, EIGHT), **changes: object) -> Architecture:
    fields = {"family": "vgg", "channels": 1, "height": 8, "width": 8, "widths": (4, 6), "kernels": (3, 1), "pool_after": (0, 1)}
    return Architecture(**(fields | {"operators": operators, "pooling": ("average", "max")} | changes))


def draw(chance: random.Random) -> Architecture:
    operators = [chance.choice((EIGHT, FOUR, STREAM, xnor())) for _ in range(2)]
    widths, kernels = (chance.choice((3, 4, 5)), chance.choice((4, 6, 7))), (chance.choice((1, 3, 5)), chance.choice((1, 3)))
    return architecture((EIGHT, operators[0], EIGHT), widths=widths, kernels=kernels)


def shared(seed: int = 3) -> SuperNetwork:
    """Weights, gains and biases that all differ."""
    found, generator = SuperNetwork(SPAN, seed), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in found.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.2)
    return found


def test_slices_are_the_first_channels_and_the_middle_of_kernels_and_what_each_size_adds(data: Dataset) -> None:
    whole = shared()
    conv0, conv1, fc = inherit(whole, architecture(), data, 32).operator_layers
    first, second, last = whole.layers
    assert torch.equal(conv0.weight, first.weight[:4, :, 1:4, 1:4] + first.differences["3"][:4])
    assert torch.equal(conv1.weight[:, :, 0, 0], second.weight[:6, :4, 1, 1] + second.differences["1"][:6, :4, 0, 0])
    whole_kernels = inherit(whole, architecture(kernels=(5, 3)), data, 32).operator_layers[0]
    assert torch.equal(whole_kernels.weight, first.weight[:4])
    assert torch.equal(SuperNetwork(SPAN, 3).layers[0].kernels(1), SuperNetwork(SPAN, 3).layers[0].weight[:, :, 2:3, 2:3])
    assert torch.equal(fc.weight, last.weight[:, :6])
    assert torch.equal(conv1.log_gain, second.log_gain[:6])
    assert torch.equal(conv1.beta, second.beta[:6])
    assert torch.equal(fc.beta, last.beta)
    assert fc.weight.data_ptr() != last.weight.data_ptr()


@pytest.mark.parametrize(("take_out", "operators"), [(inherit, (EIGHT,)), (inherit_float, (floating("fp32"),))], ids=["integers", "floats"])
def test_what_is_taken_out_has_every_parameter_and_no_other(
    take_out: Callable[..., object], operators: tuple[Operator, ...], data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, a = shared(), architecture(operators)
    parts = whole.sliced(a)
    assert len(parts) == 9
    for name in parts:
        monkeypatch.setattr(whole, "sliced", lambda _, missing=name: {other: part for other, part in parts.items() if other != missing})
        with pytest.raises(RuntimeError, match=rf"Missing key.*{name}"):
            take_out(whole, a, data, 32)
    monkeypatch.setattr(whole, "sliced", lambda _: parts | {"layers.3.weight": parts["layers.2.weight"]})
    with pytest.raises(RuntimeError, match=r"Unexpected key.*layers\.3\.weight"):
        take_out(whole, a, data, 32)


@pytest.mark.parametrize("operators", [(EIGHT, FOUR, EIGHT), (integer(4, signed=True), xnor(), integer(8))], ids=["int", "xnor"])
def test_linear_operators_train_as_the_inherited_network_does(operators: tuple[Operator, ...], data: Dataset) -> None:
    a = architecture(operators, activations=("clamp", "relu"))
    whole = shared()
    model = inherit(whole, a, data, 64).train()
    images = data.train.images[:50]
    wanted = model(torch.from_numpy(encode(operators[0], images, data.maximum)).float())
    torch.testing.assert_close(whole(scaled(images, data.maximum), a), wanted)


@pytest.mark.parametrize(("take_out", "operators"), [(inherit, (EIGHT,)), (inherit_float, (floating("fp32"),))], ids=["integers", "floats"])
def test_statistics_are_those_of_the_first_training_images(
    take_out: Callable[..., torch.nn.Module], operators: tuple[Operator, ...], data: Dataset
) -> None:
    def statistics(dataset: Dataset) -> list[torch.Tensor]:
        return [tensor for name, tensor in take_out(shared(), architecture(operators), dataset, 64).named_buffers() if "running" in name]

    known, train = statistics(data), data.train
    other = Split(images=np.zeros_like(data.validation.images), labels=data.validation.labels)
    late = Split(images=np.concatenate([train.images[:64], 0 * train.images[64:]]), labels=train.labels)
    assert known
    for same in (replace(data, validation=other), replace(data, train=late)):
        assert all(torch.equal(one, two) for one, two in zip(known, statistics(same), strict=True))
    early = Split(images=np.concatenate([0 * train.images[:1], train.images[1:]]), labels=train.labels)
    assert not any(torch.equal(one, two) for one, two in zip(known, statistics(replace(data, train=early)), strict=True))


def test_floating_point_networks_are_paths_too(data: Dataset) -> None:
    a, whole = architecture((floating("fp16"),)), shared()
    model = inherit_float(whole, a, data, 64)
    found = float_accuracy(model, data.validation.take(slice(200)), data.maximum, "fp16")
    assert estimate(whole, a, data, 64, 200) == found.value
    images = scaled(data.train.images[:50], data.maximum)
    torch.testing.assert_close(whole(images, a), model.train()(images))


@pytest.mark.parametrize("operator", [EIGHT, FOUR, xnor(), integer(8, signed=True)], ids=lambda operator: operator.name)
def test_images_are_coded_as_for_the_circuits(operator: Operator) -> None:
    for maximum in (16, 255):
        images = np.arange(maximum + 1, dtype=np.uint8).reshape(1, 1, 1, -1)
        assert np.array_equal(coded(operator, scaled(images, maximum)).numpy(), encode(operator, images, maximum))


@pytest.fixture(scope="module")
def trained(data: Dataset) -> SuperNetwork:
    return train_super(SPAN, draw, data, Recipe(epochs=5, batch=64, learning_rate=0.02), sample=600)


def test_training_teaches_and_repeats_itself(trained: SuperNetwork, data: Dataset, tmp_path: Path) -> None:
    losses: list[float] = []
    short = Recipe(epochs=2, batch=100, margin=1)
    first, again, other = (
        train_super(SPAN, draw, data, recipe, 300, lambda _, loss: losses.append(loss)) for recipe in (short, short, short.replace(seed=1))
    )
    assert losses[:2] == losses[2:4] != losses[4:]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    wide = architecture((EIGHT, STREAM, EIGHT), widths=(5, 7), kernels=(5, 3))
    assert estimate(trained, wide, data, 200, 300) > 0.4 > 0.25 > estimate(shared(), wide, data, 200, 300)


def test_the_gradients_of_a_step_by_hand(data: Dataset) -> None:
    """The greatest network learns the labels; the others half of them, half what the greatest makes of the images."""
    fp32 = (floating("fp32"),)
    paths = architecture(fp32, widths=(3, 4), kernels=(1, 3)), architecture(fp32, widths=(4, 6), kernels=(3, 1))
    order = iter(paths * 5)  # it looks at eight to know them again, then draws two
    training = SuperTraining(SPAN, lambda _: next(order), data, Recipe(epochs=1, batch=64), 64)
    alone, part = copy.deepcopy(training.network), sampled(data.train, 64)
    training.epoch()
    images, labels = scaled(part.images, data.maximum), torch.from_numpy(part.labels)
    greatest, *logs = (alone(images, path).log_softmax(dim=1) for path in (architecture(fp32, widths=(5, 7), kernels=(5, 3)), *paths))
    taught = greatest.detach().exp()
    loss = -greatest[range(64), labels].mean()
    for log in logs:
        loss = loss - (log[range(64), labels].mean() + (taught * log).sum(dim=1).mean()) / 2
    loss.backward()
    for (name, mine), its in zip(alone.named_parameters(), training.network.parameters(), strict=True):
        assert mine.grad is not None, name
        torch.testing.assert_close(its.grad, mine.grad, atol=1e-6, rtol=1e-4)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(data: Dataset, tmp_path: Path) -> None:
    part, recipe, told = tmp_path / "shared.part", Recipe(epochs=3, batch=100, margin=1, warm_up=1.0), list[tuple[int, float]]()
    whole = train_super(SPAN, draw, data, recipe, 300, lambda epoch, loss: told.append((epoch, loss)))
    again = list[tuple[int, float]]()

    def stopping(epoch: int, loss: float) -> None:
        again.append((epoch, loss))
        torch.manual_seed(7)  # nothing of this process may matter
        random.seed(7)
        raise KeyboardInterrupt

    for epochs in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            train_super(SPAN, draw, data, recipe, 300, stopping, part=part)
        assert epochs_done(part) == epochs
    resumed = train_super(SPAN, draw, data, recipe, 300, stopping, part=part)
    assert again == told
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert resumed.noise is None


def test_only_the_same_training_goes_on(trained: SuperNetwork, data: Dataset, tmp_path: Path) -> None:
    part, recipe = tmp_path / "shared.part", Recipe(epochs=2, batch=64)
    assert epochs_done(part) == 0
    SuperTraining(SPAN, draw, data, recipe, 64).save(part)
    SuperTraining(SPAN, draw, data, recipe, 64).go_on(part)

    def fours(_: random.Random) -> Architecture:
        return architecture((FOUR,))

    wider = SPAN.replace(widths=(5, 8))
    others = {
        "super-network": SuperTraining(wider, draw, data, recipe, 64),
        "recipe": SuperTraining(SPAN, draw, data, recipe.replace(epochs=3), 64),
        "data": SuperTraining(SPAN, draw, replace(data, name="mnist"), recipe, 64),
        "number of images": SuperTraining(SPAN, draw, data, recipe),
        "number of networks a step": SuperTraining(SPAN, draw, data, recipe, 64, 1),
        "choice of networks": SuperTraining(SPAN, fours, data, recipe, 64),
    }
    for name, other in others.items():
        with pytest.raises(BadInput, match=f"shared.part is of a training with another {name}: .*; this one has .* Give it a file"):
            other.go_on(part)
    with pytest.raises(BadInput, match="is not a super-network"):
        load(part)
    save(trained, part)
    for look in (epochs_done, SuperTraining(SPAN, draw, data, recipe, 64).go_on):
        with pytest.raises(BadInput, match="is not of an unfinished super-network: its header has no losses"):
            look(part)


def test_an_estimate_is_the_accuracy_of_the_integers(trained: SuperNetwork, data: Dataset) -> None:
    a = architecture((STREAM, xnor(), EIGHT))
    model = inherit(trained, a, data, 128)
    found = accuracy(export(model), data.validation.take(slice(120)), data.maximum)
    assert estimate(trained, a, data, 128, 120) == found.value


def test_it_is_stored_whole(trained: SuperNetwork, tmp_path: Path) -> None:
    save(trained, tmp_path / "shared.safetensors")
    kept = load(tmp_path / "shared.safetensors")
    assert kept.span == SPAN
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), kept.parameters(), strict=True))
    damaged = bytearray((tmp_path / "shared.safetensors").read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "shared.safetensors").write_bytes(damaged)
    with pytest.raises(BadInput, match="is damaged"):
        load(tmp_path / "shared.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (6, 6)}, r"widths \(6, 6\) and kernels \(3, 1\)"),
        ({"kernels": (3, 5)}, "kernels"),
        ({"height": 16}, "height 16"),
        ({"pool_after": (0,), "pooling": "max"}, r"pool_after \(0,\)"),
        ({"widths": (4,), "kernels": (3,), "pool_after": (0,), "pooling": "max", "operators": (EIGHT,)}, "widths"),
    ],
)
def test_what_is_outside_the_span_is_refused(changes: dict, message: str, data: Dataset) -> None:
    with pytest.raises(BadInput, match=f"is not in the super-network's span.*{message}"):
        inherit(shared(), architecture(**changes), data, 32)


@pytest.mark.parametrize("kernels", [(3,), (4, 3)])
def test_a_span_has_odd_kernels(kernels: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="the greatest of each of the 2 convolutions, odd; got"):
        SPAN.replace(kernels=kernels)
