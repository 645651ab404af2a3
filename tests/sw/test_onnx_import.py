"""ONNX files against onnx.reference: floats equal, quantised graphs equal code for code where rounding is the same, else to one code."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.shape_inference
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput, Missing
from gatewright.sw import checkpoint, golden
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import digits, encode
from gatewright.sw.imports.lower import lower
from gatewright.sw.imports.onnx_graph import read
from gatewright.sw.imports.onnx_grids import joint_weights, multipliers
from gatewright.sw.imports.onnx_integers import integers
from gatewright.sw.imports.steps import float_results
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.models import Architecture, layer_names, network, workload
from gatewright.sw.requantise import fold
from gatewright.sw.train import Training, train

PIXEL = 1 / 255


class Graph:
    """An ONNX graph under construction: `op` adds a node and gives the name of its result; weights are drawn from a seed."""

    def __init__(self, shape=("N", 1, 8, 8), seed=0):
        self.nodes, self.constants, self.shape = [], [], shape
        self.rng = np.random.default_rng(seed)

    def constant(self, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def op(self, operation, *inputs, outputs=1, name="", **attributes):
        path = name or f"{operation.lower()}{len(self.nodes)}"
        names = [f"{path}_{i}" for i in range(outputs)]
        names = names if outputs > 1 else [f"{path}_out"]
        self.nodes.append(helper.make_node(operation, [i or "" for i in inputs], names, name=path, **attributes))
        return names[0] if outputs == 1 else names

    def floats(self, *shape):
        return self.constant(self.rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1, shape).astype(np.float32))

    def conv(self, x, kernels, channels, size=3, bias=True, **attributes):
        return self.op("Conv", x, self.floats(kernels, channels, size, size), *([self.floats(kernels)] * bias), **attributes)

    def qdq(self, x, scale, zero=0, kind=np.uint8):
        """Rounded to codes of a scale and zero point."""
        parameters = self.constant(np.float32(scale)), self.constant(np.array(zero, dtype=kind))
        return self.op("DequantizeLinear", self.op("QuantizeLinear", x, *parameters), *parameters)

    def weighted(self, operation, x, shape, reads, scale=0.01, channelwise=False, kind=np.int8, span=127, zero=0, name="", **attributes):
        """A convolution or matrix product with codes as weights and biases; `reads`: the scale of x."""
        scales = np.full(shape[0], scale, np.float32)
        if channelwise:
            scales = (scales * self.rng.uniform(0.5, 1.5, shape[0])).astype(np.float32)
        codes = (self.rng.integers(-span, span + 1, shape) + zero).astype(kind)
        zeros, on = np.full(scales.shape, zero, kind), {"axis": 0}
        if not channelwise:
            zeros, on, given = zeros[0], {}, scales[0]
        weight = self.op(
            "DequantizeLinear", self.constant(codes), self.constant(scales if channelwise else given), self.constant(zeros), **on
        )
        biases = self.rng.integers(-2000, 2000, shape[0]).astype(np.int32)
        bias = self.op("DequantizeLinear", self.constant(biases), self.constant(scales * np.float32(reads)), "", axis=0)
        return self.op(operation, x, weight, bias, name=name, **attributes)

    def model(self, output, classes=10, opset=21):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape)
        logits = helper.make_tensor_value_info(output, TensorProto.FLOAT, [self.shape[0], classes])
        graph = helper.make_graph(self.nodes, "test", [image], [logits], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def saved(model, folder: Path) -> Path:
    path = folder / "net.onnx"
    onnx.save(model, path)
    return path


def images(shape=(4, 1, 8, 8), seed=1):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


# Floating point.


def plain(g):
    x = g.op("Relu", g.conv("image", 6, 1, pads=[1] * 4, bias=False))
    gamma, beta, mean = (g.floats(6) for _ in range(3))
    x = g.op("BatchNormalization", x, gamma, beta, mean, g.constant(np.full(6, 0.7, np.float32)), epsilon=1e-3)
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.op("Clip", g.conv(x, 8, 6, strides=[2, 2], pads=[1] * 4), g.constant(np.float32(0)), g.constant(np.float32(6)))
    return g.op("Gemm", g.op("Flatten", x), g.floats(10, 32), g.floats(10), transB=1)


def residual(g):
    a = g.op("Relu", g.conv("image", 8, 1, auto_pad="SAME_UPPER"))
    b = g.conv(g.op("Relu", g.conv(a, 8, 8, pads=[1] * 4)), 8, 8, pads=[1] * 4)
    x = g.op("Relu", g.op("Add", a, b))
    mean = g.op("ReduceMean", x, g.constant(np.array([2, 3])), keepdims=0)
    return g.op("Add", g.op("MatMul", mean, g.floats(8, 10)), g.floats(10))


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


# Quantised graphs.


def quantised(g, scales=(0.05, 0.11, 0.09, 0.04), zero=120, channelwise=True, weight=0.01):
    """Convolution, residual block, both poolings, depthwise convolution, concatenation, matrix product."""
    first, second, third, fourth = scales
    x = g.qdq("image", PIXEL)
    settings = {"channelwise": channelwise, "scale": weight}
    a = g.qdq(g.op("Relu", g.weighted("Conv", x, (8, 1, 3, 3), PIXEL, pads=[1] * 4, name="stem", **settings)), first)
    b = g.qdq(g.weighted("Conv", a, (8, 8, 3, 3), first, pads=[1] * 4, name="conv", **settings), second, zero)
    x = g.qdq(g.op("Relu", g.op("Add", a, b, name="sum")), third)
    x = g.qdq(g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), third)
    d = g.qdq(g.op("Relu", g.weighted("Conv", x, (8, 1, 3, 3), third, group=8, pads=[1] * 4, name="depthwise", **settings)), third)
    x = g.op("Concat", x, d, axis=1)
    x = g.qdq(g.op("GlobalAveragePool", x, name="average"), fourth)
    return g.weighted("Gemm", g.op("Flatten", x), (10, 16), fourth, transB=1, name="fc", scale=weight)


class HalfUp(OpRun):
    """QuantizeLinear that rounds halves up, as the accelerator does."""

    op_domain, op_schema = "", onnx.defs.get_schema("QuantizeLinear", 21)
    __qualname__ = __name__ = "QuantizeLinear"

    def _run(self, x, scale, zero, **_):
        info = np.iinfo(zero.dtype)
        return (np.clip(np.floor(x / scale + 0.5) + zero, info.min, info.max).astype(zero.dtype),)


HalfUp.__name__ = "QuantizeLinear"


def reference_codes(model, x, new_ops=()):
    """The logits, and every QuantizeLinear's codes by the name of the node whose result it rounds (through ReLU and pooling)."""
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    makers = {o: n for n in model.graph.node for o in n.output}
    names = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in makers:
            maker = makers[node.input[0]]
            while maker.op_type in ("Relu", "MaxPool"):
                maker = makers[maker.input[0]]
                while maker.op_type in ("DequantizeLinear", "QuantizeLinear"):
                    maker = makers[maker.input[0]]
            names[node.output[0]] = maker.name
            wider.graph.output.append(helper.make_empty_tensor_value_info(node.output[0]))
    logits, *codes = ReferenceEvaluator(wider, new_ops=list(new_ops)).run(None, {"image": x})
    return logits, {name: array.astype(np.int64) for name, array in zip(names.values(), codes, strict=True)}


def differences(net: IntegerNetwork, codes, expected):
    """By layer the difference of codes from the file's, less what it is stored with, where each layer reads the file's codes."""
    work, maps, found = net.workload, {0: codes}, {}
    for i, layer in enumerate(net.layers):
        given = golden.run_layer(layer, golden.read(work, i, maps))
        name = layer.layer.name.removesuffix(".0").removesuffix(".1")
        if name in expected and layer.mode != "raw":
            part = [name for name in expected if name == layer.layer.name.rpartition(".")[0]]
            wanted = expected[name] if not part else expected[name][:, int(layer.layer.name[-1]) * layer.layer.K :][:, : layer.layer.K]
            wanted = wanted.reshape(given.shape)
            moved = wanted + round(np.median(given - wanted))
            found[layer.layer.name] = given - moved
            given = np.clip(moved, layer.low, layer.high)
        target = work.target(i)
        maps[target] = np.concatenate([maps[target], given], axis=1) if target in maps else given
    return found


def test_codes_equal_where_scales_are_powers_of_two(tmp_path):
    """Then our multipliers are exact, and with halves rounded up every code of every layer must be the reference's."""
    g = Graph()
    model = g.model(quantised(g, (2**-3, 2**-2, 2**-2, 2**-3), channelwise=False, weight=2**-8))
    for constant in model.graph.initializer:  # a pixel's scale of 1/256 makes sums exact; images below hold its codes
        if np.array_equal(numpy_helper.to_array(constant), np.float32(PIXEL)):
            constant.CopyFrom(numpy_helper.from_array(np.float32(2**-8), constant.name))
    net = integers(read(saved(model, tmp_path)))
    conversion, *layers = net.layers
    assert conversion.layer.name.startswith("quantizelinear")
    pixels = np.random.default_rng(5).integers(0, 256, (3, 1, 8, 8))
    codes = golden.run_layer(conversion, pixels)
    assert (codes == np.minimum(255, np.floor(pixels / 255 * 256 + 0.5))).mean() > 0.98
    logits, expected = reference_codes(model, (codes / 256).astype(np.float32), [HalfUp])
    found = golden.forward(net, pixels)
    by_name = {layer.layer.name: array for layer, array in zip(net.layers, found, strict=True)}
    pooled = {"stem": expected["stem"], "conv": expected["conv"], "depthwise": expected["depthwise"]}
    assert [layer.layer.name for layer in layers] == ["stem", "conv", "sum", "depthwise", "average.0", "average.1", "fc"]
    for name, array in pooled.items():
        np.testing.assert_array_equal(by_name[name], array, err_msg=name)
    np.testing.assert_array_equal(np.concatenate([by_name["average.0"], by_name["average.1"]], axis=1), expected["average"])
    np.testing.assert_array_equal(by_name["fc"].reshape(3, 10) * 2.0**-11, logits)


def test_codes_differ_by_one_at_most(tmp_path):
    g = Graph(seed=3)
    model = g.model(quantised(g))
    net = integers(read(saved(model, tmp_path)))
    pixels = np.random.default_rng(5).integers(0, 256, (20, 1, 8, 8))
    logits, expected = reference_codes(model, (pixels / 255).astype(np.float32))
    found = differences(net, pixels, expected)
    assert set(found) == {"stem", "conv", "sum", "depthwise", "average.0", "average.1"}
    assert all(abs(d).max() <= 1 for d in found.values())
    equal = {name: (d == 0).mean() for name, d in found.items()}
    assert min(equal.values()) > 0.8
    assert min(equal[name] for name in ("sum", "average.0", "average.1")) > 0.98  # their weights make the ratios nearly exact
    assert (golden.classify(net, pixels) == logits.argmax(axis=1)).mean() >= 0.9


def test_weights_and_biases_are_the_files(tmp_path):
    g = Graph(seed=4)
    model = g.model(quantised(g))
    constants = [numpy_helper.to_array(c) for c in model.graph.initializer]
    net = {layer.layer.name: layer for layer in integers(read(saved(model, tmp_path))).layers}
    codes, biases = ([c for c in constants if c.dtype == kind and c.ndim == dims] for kind, dims in ((np.int8, 4), (np.int32, 1)))
    for name, weight, bias in zip(("stem", "conv", "depthwise"), codes, biases, strict=False):
        np.testing.assert_array_equal(net[name].weights, weight)
        extra = 0 if name != "conv" else np.rint(120 * 2.0 ** net[name].shift / net[name].multiplier)
        np.testing.assert_array_equal(net[name].bias, bias + extra)


def small(first=(PIXEL, 0, np.uint8), hidden=(0.05, 0, np.uint8), relu=True, pads=(1, 1, 1, 1), channelwise=False, last=None):
    """Two convolutions and a matrix product with given codes of maps."""
    g = Graph(seed=7)
    x = g.qdq("image", *first)
    x = g.weighted("Conv", x, (8, 1, 3, 3), first[0], pads=[1] * 4, name="first", channelwise=channelwise)
    x = g.qdq(g.op("Relu", x) if relu else x, *hidden)
    x = g.qdq(g.op("Relu", g.weighted("Conv", x, (8, 8, 3, 3), hidden[0], pads=pads, name="second")), 0.2)
    x = g.op("Flatten", g.qdq(g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.2))
    x = g.weighted("Gemm", x, (10, 128 if pads[0] else 72), 0.2, transB=1, name="fc", channelwise=last is not None)
    return g.model(x if last is None else g.qdq(x, *last))


FORMS = {
    "int8 zero": {"first": (1 / 127, 0, np.int8), "hidden": (0.1, 0, np.int8), "relu": False},
    "int8 low": {"first": (PIXEL, -128, np.int8), "hidden": (0.05, -128, np.int8)},
    "uint8 middle": {"first": (1 / 127, 128, np.uint8), "hidden": (0.1, 128, np.uint8), "relu": False},
    "uint8 other": {"hidden": (0.1, 101, np.uint8), "relu": False, "pads": (0, 0, 0, 0)},
    "int8 other": {"hidden": (0.1, -37, np.int8), "relu": False, "pads": (0, 0, 0, 0)},
    "signed then not": {"first": (1 / 127, 0, np.int8)},
    "results": {"last": (3.0, 131, np.uint8)},
}


@pytest.mark.parametrize("form", FORMS)
def test_zero_points(form, tmp_path):
    model = small(**FORMS[form])
    net = integers(read(saved(model, tmp_path)))
    top = net.layers[0].layer.operator.activation_range[1]
    pixels = np.random.default_rng(5).integers(0, top + 1, (20, 1, 8, 8))
    logits, expected = reference_codes(model, (pixels / top).astype(np.float32))
    found = differences(net, pixels, expected)
    assert {"first", "second"} <= set(found)
    assert all(abs(d).max() <= 1 for d in found.values())
    ours = golden.forward(net, pixels)[-1].reshape(20, 10)
    if form == "results":
        assert abs(ours - np.rint(logits / 3)).max() <= 2
    else:
        assert (ours.argmax(axis=1) == logits.argmax(axis=1)).mean() >= 0.9


def test_sum_of_signed_and_unsigned_codes(tmp_path):
    """A map that a convolution with padding reads without sign and an addition with one is stored with a sign, and converted back."""
    g = Graph(seed=8)
    x = g.qdq("image", PIXEL)
    a = g.qdq(g.op("Relu", g.weighted("Conv", x, (8, 1, 3, 3), PIXEL, pads=[1] * 4, name="a")), 0.05)
    b = g.qdq(g.weighted("Conv", a, (8, 8, 3, 3), 0.05, pads=[1] * 4, name="b"), 0.11, 0, np.int8)
    c = g.qdq(g.weighted("Conv", b, (8, 8, 3, 3), 0.11, pads=[1] * 4, name="c"), 0.3, 0, np.int8)
    x = g.qdq(g.op("Add", a, c, name="sum"), 0.3, 0, np.int8)
    x = g.op("Flatten", g.qdq(g.op("Relu", g.weighted("Conv", x, (4, 8, 3, 3), 0.3, name="d")), 0.5))
    model = g.model(g.weighted("Gemm", x, (10, 144), 0.5, transB=1, name="fc"))
    net = integers(read(saved(model, tmp_path)))
    assert {layer.layer.operator for layer in net.layers} == {integer(8), integer(8, signed=True)}
    pixels = np.random.default_rng(5).integers(0, 256, (10, 1, 8, 8))
    _, expected = reference_codes(model, (pixels / 255).astype(np.float32))
    found = differences(net, pixels, expected)
    assert {"a", "b", "c", "sum", "d"} <= set(found)
    assert all(abs(d).max() <= 1 for d in found.values())


def test_pixels_are_converted_where_the_graph_scales_them(tmp_path):
    g = Graph(seed=9)
    x = g.op("Div", g.op("Sub", "image", g.constant(np.float32(0.5))), g.constant(np.float32(0.25)))
    x = g.qdq(x, 2 / 127, 0, np.int8)
    x = g.op("Flatten", g.qdq(g.op("Relu", g.weighted("Conv", x, (4, 1, 3, 3), 2 / 127, pads=[1] * 4, name="first")), 0.05))
    net = integers(read(saved(g.model(g.weighted("Gemm", x, (10, 256), 0.05, transB=1)), tmp_path)))
    pixels = np.arange(256).reshape(4, 1, 8, 8)
    expected = np.rint((pixels / 255 - 0.5) / 0.25 / (2 / 127))
    assert abs(golden.run_layer(net.layers[0], pixels) - expected).max() <= 1
    assert (golden.run_layer(net.layers[0], pixels) == expected).mean() > 0.95


def test_integer_operations_equal_their_spelling_with_reals(tmp_path):
    """QLinearConv and QLinearMatMul are DequantizeLinear, Conv or MatMul, QuantizeLinear."""
    g, rng = Graph(), np.random.default_rng(2)

    def scale(value, zero, kind=np.uint8):
        return g.constant(np.float32(value)), g.constant(np.array(zero, kind))

    weights, matrix = rng.integers(-127, 128, (4, 1, 3, 3)).astype(np.int8), rng.integers(-127, 128, (256, 10)).astype(np.int8)
    biases = rng.integers(-500, 500, 4).astype(np.int32)
    codes = g.op("QuantizeLinear", "image", *scale(PIXEL, 0))
    x = g.op(
        "QLinearConv",
        codes,
        *scale(PIXEL, 0),
        g.constant(weights),
        *scale(0.01, 0, np.int8),
        *scale(0.05, 0),
        g.constant(biases),
        pads=[1] * 4,
        name="conv",
    )
    x = g.op("Reshape", x, g.constant(np.array([-1, 256])))
    x = g.op("QLinearMatMul", x, *scale(0.05, 0), g.constant(matrix), *scale(0.01, 0, np.int8), *scale(0.2, 128), name="matmul")
    net = integers(read(saved(g.model(g.op("DequantizeLinear", x, *scale(0.2, 128))), tmp_path)))
    assert [layer.layer.name for layer in net.layers] == ["conv", "matmul"]
    np.testing.assert_array_equal(net.layers[0].weights, weights)
    np.testing.assert_array_equal(net.layers[0].bias, biases)
    np.testing.assert_array_equal(net.layers[1].weights.reshape(10, -1), matrix.T)
    assert (net.layers[0].low, net.layers[0].high) == (0, 255)


def test_classes_of_real_digits(tmp_path):
    """A least-squares classifier on random features of the handwritten digits, quantised: nearly all images in the file's class."""
    data = digits()
    rng = np.random.default_rng(0)
    kernels = rng.normal(0, 0.4, (8, 1, 3, 3)).astype(np.float32)

    def features(split):
        x = torch.from_numpy(split.images).float() / data.maximum
        return torch.nn.functional.conv2d(x, torch.from_numpy(kernels)).relu().flatten(1).numpy()

    x = features(data.train)
    targets = np.eye(10)[data.train.labels]
    solved = np.linalg.solve(x.T @ x + 3 * np.eye(x.shape[1]), x.T @ targets).T.astype(np.float32)
    g = Graph()
    kernel_scale, scale, weight_scale = abs(kernels).max() / 127, x.max() / 255, abs(solved).max() / 127
    parts = []
    for array, step in ((kernels, kernel_scale), (solved, weight_scale)):
        parts.append(g.op("DequantizeLinear", g.constant(np.rint(array / step).astype(np.int8)), g.constant(np.float32(step)), ""))
    a = g.qdq(g.op("Relu", g.op("Conv", g.qdq("image", PIXEL), parts[0], name="conv")), scale)
    model = g.model(g.op("Gemm", g.op("Flatten", a), parts[1], transB=1))
    path = saved(model, tmp_path)
    net = integers(read(path))
    held_out = data.validation.take(slice(0, 100))
    pixels = encode(net.layers[0].layer.operator, held_out.images, data.maximum)
    logits, expected = reference_codes(model, held_out.images.astype(np.float32) / data.maximum)
    assert (golden.classify(net, pixels) == logits.argmax(axis=1)).mean() >= 0.98
    assert (golden.classify(net, pixels) == held_out.labels).mean() > 0.9
    assert (differences(net, pixels, expected)["conv"] == 0).mean() > 0.9
    _check_family(path, net, pixels, data, tmp_path)


def _check_family(path, net, pixels, data, folder):
    """As an architecture the file is its integers: evaluated in PyTorch, saved and read again, and not trained."""
    a = Architecture(family="onnx", channels=1, height=8, width=8, source=str(path))
    assert workload(a) == net.workload
    assert layer_names(a) == ()
    trained = train(a, data, Recipe())
    checkpoint.save(trained, folder / "net.safetensors")
    again = checkpoint.load(folder / "net.safetensors").export()
    for one, other, third in zip(
        golden.forward(net, pixels), golden.forward(again, pixels), trained.network.trace(torch.from_numpy(pixels)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third.numpy())
    with pytest.raises(BadInput, match="is quantised: its integers are in the file, and there is nothing to train"):
        Training(a, data, Recipe())
    with pytest.raises(BadInput, match="is quantised and has its own operators: leave operators out.* got int4"):
        workload(a.replace(operators=(integer(4),)))
    with pytest.raises(BadInput, match="gives 10 logits and 7 classes are wanted"):
        workload(a.replace(classes=7))


def test_float_family_begins_with_the_files_weights(tmp_path):
    g = Graph()
    path = saved(g.model(residual(g)), tmp_path)
    a = Architecture(family="onnx", channels=1, height=8, width=8, source=str(path), operators=(integer(8),))
    names = layer_names(a)
    assert len(names) == 4
    first = network(a).operator_layers[0]
    assert first.layer.name == names[0]
    stored = next(numpy_helper.to_array(c) for c in g.constants if len(c.dims) == 4)
    np.testing.assert_allclose(first.weight.detach().numpy(), stored, rtol=1e-6)


# Multipliers and weights.


def test_multipliers_are_those_of_training():
    ratios = np.exp(np.random.default_rng(0).uniform(np.log(2.0**-23), np.log(100), 2000))
    m, s = multipliers(ratios)
    folded = fold("requantise", torch.from_numpy(ratios), torch.zeros(2000), torch.zeros(2000))
    np.testing.assert_array_equal(m, folded.multiplier.numpy())
    np.testing.assert_array_equal(s, folded.shift.numpy())
    assert (abs(m / 2.0**s / ratios - 1) <= 2.0**-8).all()


def test_weights_of_sums_are_the_best():
    assert joint_weights((1.0, 1.0))[:2] == (1, 1)
    for ratios in ((0.37, 1.21), (0.051, 0.9), (1.7, 1.7)):
        u, v, m, s = joint_weights(ratios)
        error = abs(u * m / 2**s - ratios[0]) + abs(v * m / 2**s - ratios[1])
        rng = np.random.default_rng(0)
        other = rng.integers([1, 1, 1, 1], [128, 128, 256, 32], (200_000, 4)).astype(float)
        errors = abs(other[:, :2] * (other[:, 2] / 2 ** other[:, 3])[:, None] - np.array(ratios)).sum(axis=1)
        assert error <= errors.min()
        assert error < 0.004 * sum(ratios)


# What is refused.


def refusal_of(operation, *constants, **attributes):
    def build(g):
        y = g.op(operation, "image", *(g.constant(c) for c in constants), name="/net/it", **attributes)
        return g.op("Flatten", y)

    return build


def flat(g):
    return g.op("Flatten", "image")


F32 = np.float32
REFUSALS = {
    "curve": (lambda g: g.op("Sigmoid", flat(g), name="/net/it"), r"net.onnx: net.it \(Sigmoid\): the datapath clamps, it has no curves"),
    "norm": (
        refusal_of("LayerNormalization", np.ones(8, F32)),
        r"net.it \(LayerNormalization\): it needs each image's own mean and variance; use BatchNorm2d",
    ),
    "deconvolution": (
        lambda g: g.op("Flatten", g.op("ConvTranspose", "image", g.floats(1, 1, 1, 1), name="/net/it")),
        r"net.it \(ConvTranspose\): maps do not grow",
    ),
    "softmax": (refusal_of("Softmax"), r"net.it \(Softmax\): host-side: it needs exponentials and divides by their sum; use ReLU here"),
    "softmax of pixels": (
        lambda g: g.op("Softmax", "image", name="/net/it"),
        r"net.it \(Softmax\): .* over the classes only as the very last",
    ),
    "channels": (
        lambda g: g.op("Flatten", g.op("Conv", g.conv("image", 4, 1), g.floats(2, 3, 1, 1), name="it")),
        r"it \(Conv\): takes 3 channels, but gets 4 from a 1 x 8 x 8 image; make it take 4\.$",
    ),
    "dilation": (
        refusal_of("Conv", np.ones((1, 1, 3, 3), F32), dilations=[2, 2], pads=[2] * 4),
        "dilation must be 1; got .*use a larger kernel",
    ),
    "padding": (
        refusal_of("Conv", np.ones((1, 1, 2, 2), F32), pads=[0, 0, 1, 1]),
        r"padding must be the same on all four sides; got \[0, 0, 1, 1\]",
    ),
    "stride": (refusal_of("MaxPool", kernel_shape=[2, 2], strides=[2, 1]), "stride must be the same for rows and columns"),
    "padded pooling": (refusal_of("MaxPool", kernel_shape=[3, 3], pads=[1] * 4), "pooling has no padding"),
    "ceiling": (refusal_of("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), "ceil_mode adds windows that leave the 8 x 8 map"),
    "clip": (refusal_of("Clip", F32(0.5), F32(3)), "it must clamp from zero or symmetrically; got 0.5 to 3"),
    "concat": (
        lambda g: g.op("Concat", flat(g), g.constant(np.ones((1, 4), F32)), axis=1, name="/net/it"),
        "its input 2 must come from the image",
    ),
    "product": (lambda g: g.op("Mul", flat(g), flat(g), name="/net/it"), "products of two activations are host-side"),
    "attention": (
        lambda g: g.op("MatMul", flat(g), g.op("Transpose", flat(g)), name="/net/it"),
        "host-side: attention multiplies activations by activations",
    ),
    "whole tensor": (
        lambda g: g.op("Add", flat(g), g.constant(np.arange(64, dtype=F32)), name="/net/it"),
        r"net.it \(Add\): it moves pixels, or mixes them with channels",
    ),
    "pixels": (
        lambda g: g.conv(g.op("Transpose", "image", perm=[0, 1, 3, 2]), 10, 1, size=8, name="it"),
        r"it \(Conv\): it moves pixels, or mixes them with channels; only whole channels can be moved",
    ),
    "images mixed": (lambda g: g.op("Reshape", "image", g.constant(np.array([8, -1])), name="/net/it"), "it must keep the images apart"),
    "dynamic": (
        lambda g: g.op("Cast", g.op("DynamicQuantizeLinear", flat(g), outputs=3, name="/net/it")[0], to=1),
        "its scale is computed from each image; quantise the network statically",
    ),
    "no logits": (
        lambda g: g.op("Relu", "image"),
        r"the output relu0_out must be logits \[N, classes\] of one layer; got a map of 1 x 8 x 8",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what, tmp_path):
    build, message = REFUSALS[what]
    g = Graph()
    model = g.model(build(g))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path = saved(onnx.shape_inference.infer_shapes(model), tmp_path)
    with pytest.raises(BadInput, match=message):
        read(path)


def unquantised_weights(g):
    return g.op("Gemm", g.op("Flatten", g.qdq("image", PIXEL)), g.floats(10, 64), transB=1, name="fc")


def unrounded(g):
    x = g.weighted("Conv", g.qdq("image", PIXEL), (4, 1, 3, 3), PIXEL, name="conv")
    return g.weighted("Gemm", g.op("Flatten", g.op("Relu", x)), (10, 144), 1.0, transB=1, name="fc")


def classwise(g):
    return g.weighted("Gemm", g.op("Flatten", g.qdq("image", PIXEL)), (10, 64), PIXEL, transB=1, name="fc", channelwise=True)


def asymmetric(g):
    codes = np.linspace(0, 255, 640).reshape(10, 64).astype(np.uint8)
    weight = g.op("DequantizeLinear", g.constant(codes), g.constant(F32(0.01)), g.constant(np.uint8(100)))
    return g.op("Gemm", g.op("Flatten", g.qdq("image", PIXEL)), weight, transB=1, name="fc")


def padded(g):
    x = g.qdq(g.weighted("Conv", g.qdq("image", PIXEL), (4, 1, 3, 3), PIXEL, name="conv"), 0.1, 101)
    x = g.qdq(g.op("Relu", g.weighted("Conv", x, (4, 4, 3, 3), 0.1, pads=[1] * 4)), 0.1)
    return g.weighted("Gemm", g.op("Flatten", x), (10, 144), 0.1, transB=1)


def other_scale(g):
    codes = g.op("QuantizeLinear", flat(g), g.constant(F32(PIXEL)), g.constant(np.uint8(0)))
    x = g.op("DequantizeLinear", codes, g.constant(F32(0.5)), g.constant(np.uint8(0)), name="dq")
    return g.weighted("Gemm", x, (10, 64), 0.5, transB=1)


def sixteen(g):
    return g.weighted("Gemm", g.op("Flatten", g.qdq("image", PIXEL, 0, np.uint16)), (10, 64), PIXEL, transB=1)


INTEGER_REFUSALS = {
    unquantised_weights: r"fc \(Dense\): its weights are not quantised; put DequantizeLinear before them",
    unrounded: r"conv \(Convolution\): its result is not quantised",
    classwise: r"fc \(Dense\): its results have a scale for each class; quantise its weights with one scale, or its results",
    asymmetric: r"fc \(Dense\): its weights less their zero point go from -100 to 155, beyond 8 bits; quantise them symmetrically",
    padded: r"net: the codes of conv go from 0 to 255 with the zero point 101, and a convolution .*zero point 0 in int8",
    other_scale: r"dq \(DequantizeLinear\): it reads codes of scale 0.00392157 and zero point 0 as such of scale 0.5 and zero point 0",
    sixteen: r"quantizelinear0 \(QuantizeLinear\): activations are int8 or uint8; got uint16. Quantise them to 8 bits",
}


@pytest.mark.parametrize("build", INTEGER_REFUSALS, ids=lambda build: build.__name__)
def test_refusals_of_quantised_graphs(build, tmp_path):
    g = Graph()
    with pytest.raises(BadInput, match=INTEGER_REFUSALS[build]):
        integers(read(saved(g.model(build(g)), tmp_path)))


def test_damaged_files_are_refused(tmp_path):
    g = Graph()
    path = saved(g.model(plain(g)), tmp_path)
    content = path.read_bytes()
    for damage in (content[: len(content) // 2], b"not a model", content[:40] + bytes(40) + content[80:]):
        path.write_bytes(damage)
        with pytest.raises(BadInput, match="net.onnx is not a valid ONNX file .*Export it again"):
            read(path)
    with pytest.raises(BadInput, match="There is no ONNX file .*other.onnx"):
        read(tmp_path / "other.onnx")


def test_inputs_and_outputs(tmp_path):
    g = Graph(shape=("N", 1, "h", "w"))
    with pytest.raises(BadInput, match=r"must be \[N, C, H, W\] or \[N, pixels\], where only N may be of any size; got \[N, 1, h, w\]"):
        read(saved(g.model(g.op("Flatten", g.op("GlobalAveragePool", "image")), classes=1), tmp_path))
    g = Graph()
    model = g.model(g.op("Gemm", flat(g), g.floats(10, 64), transB=1, name="fc"))
    model.graph.output.append(helper.make_tensor_value_info("flatten0_out", TensorProto.FLOAT, ["N", 64]))
    with pytest.raises(BadInput, match="a network gives one output, its logits; this graph gives fc_out, flatten0_out"):
        read(saved(model, tmp_path))


def test_the_package_is_an_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    with pytest.raises(Missing, match=r"not installed: pip install 'gatewright\[onnx\]'"):
        read(tmp_path / "net.onnx")
