"""What ONNX import refuses, by name and with a remedy."""

import sys

import numpy as np
import onnx
import onnx.shape_inference
import pytest
from onnx import TensorProto, helper

from gatewright.hw.errors import BadInput, Missing
from gatewright.sw.imports.onnx_graph import read
from gatewright.sw.imports.onnx_integers import integers
from tests.sw.onnx_graphs import PIXEL, Graph, plain, saved


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
