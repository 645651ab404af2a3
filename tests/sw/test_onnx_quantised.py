"""Quantised ONNX graphs in true integers, code for code, against the ONNX reference with our rounding."""

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sw import checkpoint, golden
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import digits, encode
from gatewright.sw.imports.onnx_graph import read
from gatewright.sw.imports.onnx_grids import joint_weights, multipliers
from gatewright.sw.imports.onnx_integers import integers
from gatewright.sw.models import Architecture, layer_names, network, workload
from gatewright.sw.requantise import fold
from gatewright.sw.train import Training, train
from tests.sw.onnx_graphs import FORMS, PIXEL, Graph, HalfUp, differences, quantised, reference_codes, residual, saved, small


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
