"""The same weights on shorter streams."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.hw.config import integer, stochastic
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.cascade import logits
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.data import digits, encode
from gatewright.sw.models import Architecture
from gatewright.sw.operators import arithmetic
from gatewright.sw.shorten import shortened, shorter
from gatewright.sw.train import train

SHAPE = {"family": "vgg", "channels": 1, "height": 8, "width": 8, "widths": (4,), "pool_after": (0,)}


@pytest.fixture(scope="module")
def trained() -> Trained:
    operators = (stochastic(32), integer(8))
    data = digits()
    few = replace(data, train=data.train.take(slice(0, 640)))
    return train(Architecture(operators=operators, **SHAPE), few, Recipe(epochs=2, batch=64, learning_rate=0.04))


def test_weights_stay_and_streams_end_early(trained: Trained) -> None:
    data = digits()
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    short = shortened(trained, 4, data, 512)
    assert short.architecture.operators == (stochastic(8), integer(8))
    long, quick = trained.export(), short.export()
    for one, two in zip(long.layers, quick.layers, strict=True):
        np.testing.assert_array_equal(one.weights, two.weights)
    assert [layer.layer.operator.stream_length for layer in quick.layers] == [8, None]
    assert all((before[name] == tensor).all() for name, tensor in trained.network.state_dict().items())
    truth = data.validation.labels
    right = [(logits(network, data.validation, data.maximum).argmax(1) == truth).mean() for network in (long, quick)]
    assert right[0] > 0.5
    assert right[1] > 0.3


def test_normalisation_is_settled_on_the_shorter_streams(trained: Trained) -> None:
    """The remembered means and variances are those of the shorter streams' sums on the images given; results spread as before."""
    data = digits()
    short = shortened(trained, 4, data, 512)
    first, settled = short.export().layers[0], short.network.operator_layers[0]
    codes = encode(first.layer.operator, data.train.images[:512], data.maximum)
    sums = arithmetic(first.layer.operator).accumulate(codes, first.weights, 1, 1)
    np.testing.assert_allclose(settled.running_mean.numpy(), sums.mean(axis=(0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(settled.running_variance.numpy(), sums.var(axis=(0, 2, 3)), rtol=0.1)  # the mean of the batches'
    spread = [golden.forward(t.export(), codes)[0].std() for t in (short, trained)]
    assert 0.8 < spread[0] / spread[1] < 1.25


def test_what_cannot_be_shortened_is_refused() -> None:
    with pytest.raises(BadInput, match="no streams to end early"):
        shorter(Architecture(operators=(integer(8),), **SHAPE), 2)
    with pytest.raises(BadInput, match="their 32 bits do not divide"):
        shorter(Architecture(operators=(stochastic(32),), **SHAPE), 3)
    with pytest.raises(BadInput, match="stream_length must be"):
        shorter(Architecture(operators=(stochastic(8),), **SHAPE), 2)
