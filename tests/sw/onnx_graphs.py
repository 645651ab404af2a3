"""ONNX graphs for tests, and what the reference makes of them."""

from pathlib import Path

import numpy as np
import onnx
import onnx.shape_inference
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from gatewright.sw import golden
from gatewright.sw.integer import IntegerNetwork

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
