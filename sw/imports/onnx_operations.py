"""What each ONNX operation on tensors that come from the image becomes: mostly the PyTorch operation of the same meaning."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewright.sw.imports import operations, pools
from gatewright.sw.imports.advice import ACTIVATION, ATTENTION, NORM, PADDING, RECURRENT, SHRINKING, UPSAMPLING
from gatewright.sw.imports.calls import Elements
from gatewright.sw.imports.network import Pool
from gatewright.sw.imports.onnx_node import Constant, Node, Tensor
from gatewright.sw.imports.onnx_quantise import dequantise, quantise
from gatewright.sw.imports.onnx_views import VIEWS, like

if TYPE_CHECKING:
    from gatewright.sw.imports.onnx_graph import Reader


def numbers(constant: Constant) -> torch.Tensor:
    return torch.from_numpy(constant.array.astype(np.float64))


def given_numbers(node: Node, i: int) -> torch.Tensor | None:
    """The same of an input that may be left out."""
    constant = node.given(i)
    return None if constant is None else numbers(constant)


def convolution(reader: "Reader", node: Node) -> Tensor:
    """Conv."""
    x, weight = node.real(), node.constant(1)
    if weight.array.ndim != 4 or x.numbers.dim() != 4:
        raise node.call.refuse("only convolutions of two dimensions are run; give a map of one row where the data has one dimension")
    stride, dilation = (node.integers(name) or [1, 1] for name in ("strides", "dilations"))
    settings = {"stride": stride, "padding": padding(node, x, weight.array.shape[2:], stride), "dilation": dilation}
    groups = int(node.number("group", 1))
    made = operations.conv2d(node.call, x, numbers(weight), given_numbers(node, 2), **settings, groups=groups)
    return scaled_by(reader, node, weight, made)


def padding(node: Node, x: Elements, kernel: tuple[int, ...], stride: list[int]) -> list[int]:
    """The padding on each side, which must be the same on all four: a list of one."""
    automatic, pads = node.attributes.get("auto_pad", b"NOTSET").decode(), node.integers("pads") or [0, 0, 0, 0]
    if automatic.startswith("SAME"):
        size = x.numbers.shape[2:]
        total = [max(0, (ceil(n / s) - 1) * s + k - n) for n, k, s in zip(size, kernel, stride, strict=True)]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = [*less, *more] if automatic == "SAME_UPPER" else [*more, *less]
    if len({*pads}) != 1:
        raise node.call.refuse(f"padding must be the same on all four sides; got {pads} (top, left, bottom, right)")
    return pads[:1]


def scaled_by(reader: "Reader", node: Node, weight: Constant, made: Elements) -> Elements:
    """Remember the scale of a step's quantised weights, whose output channels lie on `axis` 0."""
    if weight.scale is not None:
        if weight.scale.scale.size > 1 and weight.scale.axis != 0:
            raise node.call.refuse("its weights have scales along another axis; one for each output channel, or one for all, can be used")
        reader.scales[reader.values.names[-1]] = weight.scale
    return made


def product(reader: "Reader", node: Node) -> Tensor:
    """Gemm and MatMul: a matrix of constants, [n, K] or transposed."""
    if isinstance(node.inputs[1], Elements):
        raise node.call.refuse(ATTENTION)
    x, weight = node.real(), node.constant(1)
    alpha, beta = node.number("alpha", 1), node.number("beta", 1)
    if weight.array.ndim != 2 or node.number("transA", 0) or (alpha != 1 and weight.scale):
        raise node.call.refuse("it must multiply [N, n] by a matrix, with transA 0, and alpha 1 where weights are quantised")
    order = [0, 1] if node.number("transB", 0) else [1, 0]
    turned = Constant(weight.array.transpose(order), weight.scale and weight.scale.transposed(order))
    shift = given_numbers(node, 2) if node.operation == "Gemm" else None
    rows = len(turned.array)
    bias = None if shift is None else (shift.reshape(-1) * beta).broadcast_to((rows,))
    return scaled_by(reader, node, turned, operations.linear(node.call, x, numbers(turned) * alpha, bias))


def arithmetic(reader: "Reader", node: Node) -> Tensor:
    """Add of two tensors; Add, Sub, Mul and Div of a constant."""
    if len(node.inputs) != 2:
        raise node.call.refuse(f"it takes {len(node.inputs)} tensors; add them two at a time")
    parts = [numbers(t) if isinstance(t, Constant) else node.real(i) for i, t in enumerate(node.inputs)]
    shapes = [tuple(part.numbers.shape if isinstance(part, Elements) else part.shape) for part in parts]
    call = node.call
    if node.operation == "Sub" and not isinstance(parts[0], Elements):
        return operations.affine(call, parts[1], -1.0, parts[0])
    if all(isinstance(part, Elements) for part in parts) and shapes[0] != shapes[1]:
        raise call.refuse(f"it takes tensors of the shapes {shapes[0]} and {shapes[1]} for one image; they must agree")
    handlers: dict[str, Callable[..., Any]] = {"Add": operations.add, "Sum": operations.add, "Sub": operations.sub}
    return handlers.get(node.operation, operations.mul if node.operation == "Mul" else operations.div)(call, *parts)


def normalisation(reader: "Reader", node: Node) -> Tensor:
    """BatchNormalization, with its remembered statistics."""
    gamma, beta, mean, variance = (numbers(node.constant(i)) for i in range(1, 5))
    return operations.batch_norm(node.call, node.real(), mean, variance, gamma, beta, eps=node.number("epsilon", 1e-5))


def clip(reader: "Reader", node: Node) -> Tensor:
    """Relu and Clip."""
    low, high = (0.0, inf) if node.operation == "Relu" else (node.number("min", -inf, 1), node.number("max", inf, 2))
    return operations.hardtanh(node.call, node.real(), low, high)


def pooling(reader: "Reader", node: Node) -> Tensor:
    """MaxPool and AveragePool."""
    kind = "max" if node.operation == "MaxPool" else "average"
    x = node.elements() if kind == "max" else node.real()
    window, stride = (node.integers(name) or [1, 1] for name in ("kernel_shape", "strides"))
    settings = (window, stride, padding(node, x, tuple(window), stride))
    ceiling = bool(node.number("ceil_mode", 0))
    if kind == "average":
        return pools.avg_pool2d(node.call, x, *settings, ceil_mode=ceiling)
    made = pools.max_pool2d(node.call, x, *settings, dilation=node.integers("dilations") or [1, 1], ceil_mode=ceiling)
    return greatest(reader, x, made)


def greatest(reader: "Reader", x: Elements, made: Elements) -> Elements:
    """What a pooling by the greatest gives: codes of the same grid, where it reads such."""
    for step in reader.values.steps[-2:]:  # a large window is pooled in two steps
        if isinstance(step, Pool) and step.kind == "max" and step.inputs[0] in reader.grids:
            reader.grids[step.output] = reader.grids[step.inputs[0]]
    return like(x, made.numbers)


def over_map(reader: "Reader", node: Node) -> Tensor:
    """GlobalAveragePool, GlobalMaxPool; ReduceMean and ReduceMax of height and width."""
    axes, keep = (node.integers("axes", 1) or [], bool(node.number("keepdims", 1))) if "Reduce" in node.operation else ([2, 3], True)
    if "Max" in node.operation:
        return greatest(reader, node.elements(), pools.amax(node.call, node.elements(), axes, keep))
    return pools.mean(node.call, node.real(), axes, keep)


def softmax(reader: "Reader", node: Node) -> Tensor:
    """Softmax and LogSoftmax. Before version 13 of the operators they are over axis 1 and all after it, where none is given."""
    version = next(opset.version for opset in reader.model.opset_import if opset.domain in ("", "ai.onnx"))
    return operations.softmax(node.call, node.real(), int(node.number("axis", -1 if version >= 13 else 1)))


def linear_operation(reader: "Reader", node: Node) -> Tensor:
    """QLinearConv and QLinearMatMul: the operation between DequantizeLinear and QuantizeLinear."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *rest = node.inputs
    convolves = node.operation == "QLinearConv"
    reals = dequantise(reader, replace(node, inputs=(x, x_scale, x_zero)))
    weight = dequantise(reader, replace(node, inputs=(w, w_scale, w_zero), attributes={"axis": 0 if convolves else 1}))
    bias = [Constant(c.array * node.constant(1).array * node.constant(4).array) for c in rest if isinstance(c, Constant)]
    inner = replace(node, inputs=(reals, weight, *bias))
    given = convolution(reader, inner) if convolves else product(reader, inner)
    return quantise(reader, replace(node, inputs=(given, y_scale, y_zero)))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Conv": convolution,
    **dict.fromkeys(("Gemm", "MatMul"), product),
    **dict.fromkeys(("Add", "Sum", "Sub", "Mul", "Div"), arithmetic),
    "BatchNormalization": normalisation,
    **dict.fromkeys(("Relu", "Clip"), clip),
    **dict.fromkeys(("MaxPool", "AveragePool"), pooling),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"), over_map),
    **VIEWS,
    **dict.fromkeys(("Softmax", "LogSoftmax"), softmax),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), linear_operation),
    "QuantizeLinear": quantise,
    "DequantizeLinear": dequantise,
}
DYNAMIC = "its scale is computed from each image; quantise the network statically, with QuantizeLinear and DequantizeLinear"
CURVES = ("Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "Celu", "HardSwish", "HardSigmoid", "Gelu", "PRelu", "Mish", "Softplus", "Swish")
INSTEAD: dict[str, str] = {
    **dict.fromkeys((*CURVES, "Softsign", "ThresholdedRelu", "Exp", "Erf", "Abs", "Sqrt", "Pow"), ACTIVATION),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "InstanceNormalization", "RMSNormalization"), NORM),
    **dict.fromkeys(("LRN", "LpNormalization", "MeanVarianceNormalization"), NORM),
    **dict.fromkeys(("Attention", "Einsum"), ATTENTION),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
    **dict.fromkeys(("ConvTranspose", "Resize", "Upsample", "DepthToSpace", "Expand", "Tile"), UPSAMPLING),
    "Pad": PADDING,
    **dict.fromkeys(("SpaceToDepth", "LpPool", "GlobalLpPool"), SHRINKING),
    **dict.fromkeys(("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"), DYNAMIC),
}
