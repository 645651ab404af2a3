"""QuantizeLinear and DequantizeLinear: of constants the weights' scales, of the image's tensors the codes their values are rounded to."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from gatewright.sw.imports.calls import Elements
from gatewright.sw.imports.network import IMAGE, Affine
from gatewright.sw.imports.onnx_grids import RANGES, Grid, WeightScale
from gatewright.sw.imports.onnx_node import Codes, Constant, Node

if TYPE_CHECKING:
    from gatewright.sw.imports.onnx_graph import Reader

ELEMENTS = {2: "uint8", 3: "int8", 21: "uint4", 22: "int4"}  # ONNX's numbers of types, in the attribute output_dtype


def parameters(node: Node) -> tuple[np.ndarray, Constant | None]:
    """Scale, float64 of one dimension, and zero point."""
    scale = node.constant(1).array.astype(np.float64)
    if scale.ndim > 1 or node.number("block_size", 0):
        raise node.call.refuse("its scales are for blocks; one scale for the tensor, or one for each output channel, can be used")
    if not (scale > 0).all() or not np.isfinite(scale).all():
        raise node.call.refuse(f"scales must be positive; got {scale.min():g}")
    return scale.reshape(-1), node.given(2)


def quantise(reader: "Reader", node: Node) -> Elements | Constant:
    """QuantizeLinear: of a constant its codes; values from the image get the grid, and one that has another is converted."""
    if isinstance(node.inputs[0], Constant):
        return _codes(node, node.inputs[0].array)
    x, wanted = node.elements(), grid(node)
    result = x.numbers.clone()
    for name, mine in sources(reader, x):
        values, shape = reader.values, reader.values.shape(name)
        if name not in reader.grids and (name != IMAGE or wanted.of_pixels):
            reader.grids[name] = wanted
        if reader.grids.get(name) != wanted:
            first, ones = values.firsts[values.names.index(name)], torch.ones(shape[0])
            made = values.emit(Affine, node.call.path, [name], shape, scale=ones, shift=torch.zeros(shape[0]))
            reader.grids[values.names[-1]] = wanted
            result[mine] += int(made.min()) - first
    return Codes(result)


def _codes(node: Node, array: np.ndarray) -> Constant:
    """Weights in floating point as codes."""
    scale, zero = parameters(node)
    if zero is None or zero.array.dtype.name not in RANGES:
        raise node.call.refuse("weights are quantised to int8 or uint8; give a zero point of that type")
    along = WeightScale(scale, int(node.number("axis", 1)) % max(array.ndim, 1), 8).along
    codes = np.rint(array / along(scale, array.ndim)) + along(zero.array.astype(np.float64).reshape(-1), array.ndim)
    return Constant(np.clip(codes, *RANGES[zero.array.dtype.name]).astype(zero.array.dtype))


def grid(node: Node) -> Grid:
    """The codes that a QuantizeLinear of the image's tensors gives."""
    scale, zero = parameters(node)
    kind = ELEMENTS.get(int(node.number("output_dtype", 2)), "another type") if zero is None else zero.array.dtype.name
    if scale.size > 1:
        raise node.call.refuse(f"activations have one scale a tensor; got {scale.size}. Only weights may have one for each channel")
    if kind not in RANGES:
        raise node.call.refuse(f"activations are int8 or uint8; got {kind}. Quantise them to 8 bits")
    return Grid(float(scale[0]), 0 if zero is None else int(zero.array.reshape(())), *RANGES[kind])


def dequantise(reader: "Reader", node: Node) -> Elements | Constant:
    """DequantizeLinear: of codes from the image, the reals they stand for; of a constant, its reals with their scale."""
    scale, zero = parameters(node)
    x = node.inputs[0]
    if isinstance(x, Constant):
        if (kind := x.array.dtype.name) not in (*RANGES, "int32"):
            raise node.call.refuse(f"weights are int8 or uint8 and biases int32; got {kind}")
        axis = int(node.number("axis", 1)) % max(x.array.ndim, 1)
        bits = 32 if kind == "int32" else (RANGES[kind][1] - RANGES[kind][0]).bit_length()
        zeros = np.zeros(1) if zero is None else zero.array.astype(np.float64).reshape(-1)
        found = WeightScale(scale, axis, bits)
        return Constant((x.array.astype(np.float64) - found.along(zeros, x.array.ndim)) * found.along(scale, x.array.ndim), found)
    have, point = node.elements(), 0 if zero is None else int(zero.array.reshape(-1)[0])
    if not isinstance(have, Codes):
        raise node.call.refuse("its input is a tensor of reals; put QuantizeLinear before it")
    for name, _ in sources(reader, have):
        known = reader.grids[name]
        if scale.size > 1 or (known.scale, known.zero) != (float(scale[0]), point):
            raise node.call.refuse(
                f"it reads codes of scale {known.scale:g} and zero point {known.zero} as such of scale {scale[0]:g} and zero point "
                f"{point}; both must agree"
            )
    return Elements(have.numbers)


def sources(reader: "Reader", x: Elements) -> list[tuple[str, torch.Tensor]]:
    """The values that a tensor has elements of, and which of its places are theirs."""
    numbers = torch.searchsorted(torch.tensor(reader.values.firsts), x.numbers.contiguous(), right=True) - 1
    return [(reader.values.names[int(i)], numbers == i) for i in numbers.unique()]
