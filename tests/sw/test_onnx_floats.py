"""ONNX graphs in floating point compute what the ONNX reference computes."""

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.imports.lower import lower
from gatewright.sw.imports.onnx_graph import read
from gatewright.sw.imports.onnx_integers import integers
from gatewright.sw.imports.steps import float_results
from tests.sw.onnx_graphs import PIXEL, Graph, images, plain, reference_codes, residual, saved


def shuffled(g):
    """Two halves, one through a depthwise convolution, joined and shuffled, as in ShuffleNetV2; the shuffle's sizes are computed."""
    x = g.op("Relu", g.conv("image", 8, 1, pads=[1] * 4))
    left, right = g.op("Split", x, g.constant(np.array([4, 4])), outputs=2, axis=1)
    right = g.op("Relu", g.conv(g.conv(right, 4, 1, pads=[1] * 4, group=4), 4, 4, size=1))
    x = g.op("Concat", left, right, axis=1)
    batch = g.op("Unsqueeze", g.op("Gather", g.op("Shape", x), g.constant(np.array(0)), axis=0), g.constant(np.array([0])))
    halves = g.op("Concat", batch, g.constant(np.array([2, 4, 8, 8])), axis=0)
    x = g.op("Transpose", g.op("Reshape", x, halves), perm=[0, 2, 1, 3, 4])
    x = g.op("Reshape", x, g.constant(np.array([0, 8, 8, 8])))
    x = g.op("Slice", x, g.constant(np.array([1])), g.constant(np.array([2**62])), g.constant(np.array([1])), g.constant(np.array([2])))
    x = g.op("GlobalAveragePool", g.op("Relu", g.conv(x, 6, 4)))
    return g.op("Gemm", g.op("Squeeze", x, g.constant(np.array([2, 3]))), g.floats(6, 10), g.floats(10))


def channels_last(g):
    """Pixels normalised in the graph, and a map flattened with its channels last."""
    x = g.op("Div", g.op("Sub", "image", g.constant(np.float32(0.3))), g.constant(np.full((1, 1, 1), 0.4, np.float32)))
    x = g.op("AveragePool", g.op("Relu", g.conv(x, 4, 1, strides=[2, 2])), kernel_shape=[3, 3])
    x = g.op("Dropout", g.op("Identity", x))
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 3, 1]), g.constant(np.array([-1, 4])))
    return g.op("Softmax", g.op("Gemm", x, g.floats(4, 10), g.floats(10)))


@pytest.mark.parametrize("build", [plain, residual, shuffled, channels_last])
def test_floats_equal_the_reference(build, tmp_path):
    g = Graph()
    model = g.model(build(g))
    found = read(saved(model, tmp_path))
    x = images()
    expected = ReferenceEvaluator(model).run(None, {"image": x})[0]
    logits = found.network.evaluate(torch.from_numpy(x)).numpy()
    if build is channels_last:
        logits = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert not found.quantised
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def interleaved(g, x, channels):
    """The two halves of a map's channels in turns, as in ShuffleNet."""
    x = g.op("Reshape", x, g.constant(np.array([0, 2, channels // 2, 8, 8])))
    return g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3, 4]), g.constant(np.array([0, channels, 8, 8])))


def averaged_sum(g):
    x = g.op("Add", interleaved(g, g.conv("image", 10, 1, pads=[1] * 4), 10), g.conv("image", 10, 1, pads=[1] * 4))
    return g.op("Softmax", g.op("Flatten", g.op("GlobalAveragePool", x)), axis=1)


def depthwise_logits(g):
    x = g.op("Concat", g.conv("image", 7, 1, pads=[1] * 4), g.conv("image", 3, 1, size=1), axis=1)
    return g.op("Flatten", g.conv(interleaved(g, x, 10), 10, 1, size=8, group=10))


@pytest.mark.parametrize("build", [averaged_sum, depthwise_logits])
def test_classes_keep_their_order(build, tmp_path):
    """Logits that a sum or a depthwise layer gives, whose operands' channels were moved."""
    g = Graph()
    model = g.model(build(g))
    lowered = lower(read(saved(model, tmp_path)).network, [integer(8)])
    x = images()
    expected = ReferenceEvaluator(model).run(None, {"image": x})[0]
    logits = float_results(lowered.workload, lowered.floats, torch.from_numpy(x))[-1].before.flatten(1)
    found = logits.softmax(1) if build is averaged_sum else logits
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_classes_of_integers_keep_their_order(tmp_path):
    g = Graph(seed=6)
    x = g.qdq("image", PIXEL)
    a, b = (g.qdq(g.weighted("Conv", x, (10, 1, 3, 3), PIXEL, pads=[1] * 4, name=name), 0.1, 0, np.int8) for name in "ab")
    x = g.qdq(g.op("Add", interleaved(g, a, 10), b, name="sum"), 0.2, 0, np.int8)
    model = g.model(g.op("Flatten", g.weighted("Conv", interleaved(g, x, 10), (10, 1, 8, 8), 0.2, group=10, name="own")))
    net = integers(read(saved(model, tmp_path)))
    pixels = np.random.default_rng(5).integers(0, 256, (20, 1, 8, 8))
    logits, _ = reference_codes(model, (pixels / 255).astype(np.float32))
    found = golden.forward(net, pixels)[-1].reshape(20, 10)
    assert np.corrcoef(found.reshape(-1), logits.reshape(-1))[0, 1] > 0.99
    assert (golden.classify(net, pixels) == logits.argmax(axis=1)).mean() >= 0.9


def test_flat_images_and_fixed_batches(tmp_path):
    g = Graph(shape=(4, 64))
    x = g.op("Relu", g.op("MatMul", "image", g.floats(64, 12)))
    model = g.model(g.op("MatMul", g.op("Reshape", x, g.constant(np.array([4, 12]))), g.floats(12, 10)))
    path = saved(model, tmp_path)
    found = read(path, (1, 8, 8)).network
    x = images()
    expected = ReferenceEvaluator(model).run(None, {"image": x.reshape(4, 64)})[0]
    np.testing.assert_allclose(found.evaluate(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(BadInput, match=r"net.onnx: the input image is \[64\] for one image, but images are \[1, 9, 9\]"):
        read(path, (1, 9, 9))
