"""Training on the digits: it learns, it repeats itself, it reports what the integers do, it is stored whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gatewright.hw.config import Operator, integer, stochastic, xnor
from gatewright.hw.errors import BadInput, Missing
from gatewright.sw import golden
from gatewright.sw.accuracy import accuracy, wilson
from gatewright.sw.checkpoint import Epoch, Recipe, Trained, load, load_position, save
from gatewright.sw.data import Dataset, encode
from gatewright.sw.data import load as load_data
from gatewright.sw.models import Architecture
from gatewright.sw.train import Training, device_named, predict, rate, train


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


def test_equal_networks_are_equal_files(tmp_path: Path, trained: Trained) -> None:
    paths = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for path in paths:
        save(trained, path)
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert {path.stat().st_mode for path in paths} == {ordinary.stat().st_mode}
    assert len({path.read_bytes() for path in paths}) == 1  # the library alone would give 120 orders of the metadata
    with safe_open(paths[0], framework="pt") as file:
        assert set(file.keys()) == set(trained.network.state_dict())


def test_other_files_are_refused(tmp_path: Path, trained: Trained) -> None:
    path = tmp_path / "network.safetensors"
    save(trained, path)
    whole = path.read_bytes()
    for content in (b"", b"not a network", whole[:-10], whole.replace(b'"mlp', b'"vgg')):
        path.write_bytes(content)
        with pytest.raises(BadInput):
            load(path)
    for place in (len(whole) - 1, len(whole) // 2):  # a bit of a weight; the format itself would not notice
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BadInput, match="damaged: its content does not match the hash"):
            load(path)
    path.write_bytes(whole.replace(b'\\"seed\\":0', b'\\"seed\\":1'))
    with pytest.raises(BadInput, match="damaged"):
        load(path)
    with pytest.raises(BadInput, match="absent"):
        load(tmp_path / "absent")


FULL = Recipe(epochs=3, batch=64, margin=1, mirror=True, warm_up=0.5, precision="bfloat16", seed=3)


def small(digits: Dataset) -> Dataset:
    return replace(digits, train=digits.train.take(slice(0, 300)))


@pytest.mark.parametrize("recipe", [FULL, FULL.replace(precision="float32")])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, digits: Dataset, recipe: Recipe) -> None:
    data, path = small(digits), tmp_path / "network.safetensors"
    network = architecture(integer(8), family="vgg", widths=(4,), operators=(integer(8), stochastic(32)))
    whole, stopped = Training(network, data, recipe), Training(network, data, recipe)
    while whole.left:
        whole.epoch()
    while stopped.left:
        stopped.epoch()
        save(stopped.trained, path, stopped.position)
        torch.manual_seed(stopped.left)  # nothing of this process may matter
        stopped = Training(network, data, recipe)
        stopped.go_on(path)
    assert stopped.history == whole.history
    ours, theirs = whole.position, stopped.position
    assert ours.keys() == theirs.keys() != set()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if name != "seconds")
    for one, other in zip(state(whole.trained), state(stopped.trained), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_same_training_goes_on(tmp_path: Path, digits: Dataset) -> None:
    data, path, network = small(digits), tmp_path / "network.safetensors", architecture(integer(8))
    training = Training(network, data, Recipe(epochs=2))
    training.epoch()
    save(training.trained, path, training.position)
    assert load(path).history == training.history  # an unfinished network can be used, too
    for other in (Training(network, data, Recipe(epochs=3)), Training(architecture(integer(4)), data, Recipe(epochs=2))):
        with pytest.raises(BadInput, match="is of a training with another (recipe|network)"):
            other.go_on(path)
    save(training.trained, path)
    assert load_position(path)[1] == {}
    with pytest.raises(BadInput, match="without the state that training goes on from"):
        Training(network, data, Recipe(epochs=2)).go_on(path)


def test_mixed_precision_trains_another_network_to_like_accuracy(digits: Dataset, trained: Trained) -> None:
    narrow = train(architecture(integer(8)), digits, Recipe(epochs=4, precision="bfloat16"))
    assert narrow.history[-1].loss != trained.history[-1].loss
    assert abs(narrow.history[-1].validation - trained.history[-1].validation) < 0.05
    codes = encode(integer(8), digits.validation.images, digits.maximum)
    np.testing.assert_array_equal(golden.classify(narrow.export(), codes), predict(narrow.network, codes))


def test_the_rate_rises_then_falls_along_a_cosine(digits: Dataset) -> None:
    training = Training(architecture(integer(8)), digits, Recipe(epochs=4, batch=100, learning_rate=0.5, warm_up=1))
    rates = [rate(training.recipe, step, training.batches) for step in range(4 * training.batches + 1)]
    assert training.batches == 10
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) * 0.05)
    np.testing.assert_allclose(rates[10:], [0.25 * (1 + np.cos(np.pi * step / 30)) for step in range(31)], atol=1e-12)


def test_devices() -> None:
    assert device_named("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert device_named("auto").type == device_named("cuda").type == "cuda"
    else:
        assert device_named("auto").type == "cpu"
        with pytest.raises(Missing, match="needs a CUDA device"):
            device_named("cuda")


def test_a_warm_up_ends_before_the_training() -> None:
    with pytest.raises(BadInput, match="warm_up must be less than the 3 epochs; got 3"):
        Recipe(epochs=3, warm_up=3)


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
