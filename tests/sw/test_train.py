"""Training on the digits: it learns, it repeats itself, it reports what the integers do, it is stored whole."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.accuracy import accuracy, wilson
from gatewright.sw.checkpoint import Epoch, Recipe, Trained, load, save
from gatewright.sw.data import Dataset, encode
from gatewright.sw.data import load as load_data
from gatewright.sw.models import Architecture
from gatewright.sw.train import predict, train


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


def architecture(operator: Operator, **changes: object) -> Architecture:
    return Architecture(
        **({"family": "mlp", "channels": 1, "height": 8, "width": 8, "widths": (32,), "operators": (operator,) * 2} | changes)
    )


def state(trained: Trained) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in trained.network.state_dict().values()]


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> Trained:
    return train(architecture(integer(8)), digits, Recipe(epochs=4))


@pytest.mark.parametrize(
    ("operator", "least"), [(integer(4), 0.9), (stochastic(32), 0.9), (stochastic(64, "bipolar"), 0.85), (xnor(), 0.8)]
)
def test_it_learns(digits: Dataset, operator: Operator, least: float) -> None:
    done = train(architecture(operator), digits, Recipe(epochs=5))
    assert done.history[-1].validation > least


def test_the_reported_accuracy_is_the_golden_models(digits: Dataset, trained: Trained) -> None:
    codes = encode(integer(8), digits.validation.images, digits.maximum)
    predicted = golden.classify(trained.export(), codes)
    np.testing.assert_array_equal(predicted, predict(trained.network, codes))
    reported = accuracy(trained.export(), digits.validation, digits.maximum)
    assert reported.n == 300
    assert reported.value == (predicted == digits.validation.labels).mean() == trained.history[-1].validation


def test_every_layer_equals_the_golden_model_on_real_images(digits: Dataset, trained: Trained) -> None:
    codes = encode(integer(8), digits.validation.images, digits.maximum)
    traced = trained.network.trace(torch.from_numpy(codes).float())
    for ours, theirs in zip(golden.forward(trained.export(), codes), traced, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


def test_progress_can_stop_the_training(digits: Dataset) -> None:
    def stop(epoch: Epoch) -> None:
        raise TimeoutError(epoch.epoch)

    with pytest.raises(TimeoutError, match="1"):
        train(architecture(integer(8)), digits, Recipe(epochs=3), stop)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_same_seed_gives_the_same_network(digits: Dataset, trained: Trained) -> None:
    epochs: list[Epoch] = []
    again = train(architecture(integer(8)), digits, Recipe(epochs=4), progress=epochs.append)
    assert again.history == trained.history == tuple(epochs)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    for one, other in zip(state(again), state(trained), strict=True):
        np.testing.assert_array_equal(one, other)
    different = train(architecture(integer(8)), digits, Recipe(epochs=1, seed=5))
    assert any((one != other).any() for one, other in zip(state(different), state(trained), strict=True))


def test_training_leaves_the_settings_alone(digits: Dataset) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.random.get_rng_state()
    train(architecture(integer(8)), digits, Recipe(epochs=1, threads=1))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.random.get_rng_state(), before[2])


def test_storing(tmp_path: Path, digits: Dataset, trained: Trained) -> None:
    path = tmp_path / "network.safetensors"
    save(trained, path)
    assert [file.name for file in tmp_path.iterdir()] == ["network.safetensors"]
    again = load(path)
    assert (again.architecture, again.recipe, again.dataset, again.history) == (
        trained.architecture,
        trained.recipe,
        "digits",
        trained.history,
    )
    codes = encode(integer(8), digits.validation.images[:50], digits.maximum)
    for one, other in zip(golden.forward(again.export(), codes), golden.forward(trained.export(), codes), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_files_are_refused(tmp_path: Path, trained: Trained) -> None:
    path = tmp_path / "network.safetensors"
    save(trained, path)
    whole = path.read_bytes()
    for content in (b"", b"not a network", whole[:-10], whole.replace(b'"mlp', b'"vgg')):
        path.write_bytes(content)
        with pytest.raises(BadInput):
            load(path)
    with pytest.raises(BadInput, match="absent"):
        load(tmp_path / "absent")


def test_data_that_do_not_fit_are_refused(digits: Dataset) -> None:
    with pytest.raises(
        BadInput, match=r"digits has images of \(1, 8, 8\) \(C, H, W\) in 10 classes; the network takes \(1, 28, 28\) in 10"
    ):
        train(architecture(integer(8), height=28, width=28), digits, Recipe(epochs=1))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    """Intervals published by Newcombe (Statistics in Medicine 17, 1998), table I, method 3."""
    interval = wilson(right, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.value == right / n


def test_wilson_refuses_nonsense() -> None:
    with pytest.raises(BadInput, match="got 3 of 2"):
        wilson(3, 2)
