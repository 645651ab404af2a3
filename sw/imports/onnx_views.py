"""ONNX operations that compute nothing: they join, choose, reorder or reshape, and are done on the numbers of a tensor's elements."""

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewright.sw.imports.calls import Elements
from gatewright.sw.imports.onnx_node import Constant, Node, Tensor

if TYPE_CHECKING:
    from gatewright.sw.imports.onnx_graph import Reader


def like(x: Elements, changed: torch.Tensor) -> Elements:
    """Other elements of the same kind."""
    return type(x)(changed)


def concatenation(reader: "Reader", node: Node) -> Tensor:
    """Concat of tensors from the image."""
    parts = [node.elements(i) for i in range(len(node.inputs))]
    if len({type(part) for part in parts}) > 1:
        raise node.call.refuse("it joins integer codes and reals; put DequantizeLinear before all of its inputs")
    return like(parts[0], torch.cat([part.numbers for part in parts], dim=int(node.number("axis", 1))))


def reshape(reader: "Reader", node: Node) -> Tensor:
    """Reshape."""
    x, sizes = node.elements(), [int(n) for n in node.constant(1).array.reshape(-1)]
    sizes = [x.numbers.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    if sizes[0] not in (1, -1, node.batch) or sizes.count(-1) > 1:
        raise node.call.refuse(f"it must keep the images apart, in the first dimension; got the shape {sizes}")
    return like(x, x.numbers.reshape(1, *sizes[1:]))


def transposition(reader: "Reader", node: Node) -> Tensor:
    """Transpose, also of quantised constants."""
    x = node.inputs[0]
    dims = x.array.ndim if isinstance(x, Constant) else node.elements().numbers.dim()
    order = node.integers("perm") or list(range(dims))[::-1]
    if isinstance(x, Constant):
        return Constant(x.array.transpose(order), x.scale and x.scale.transposed(order))
    return like(node.elements(), node.elements().numbers.permute(order))


def flattening(reader: "Reader", node: Node) -> Tensor:
    """Flatten, of every image for itself."""
    x = node.elements()
    if (axis := int(node.number("axis", 1)) % x.numbers.dim()) != 1:
        raise node.call.refuse(f"it must flatten from axis 1, an image at a time; got axis {axis}")
    return like(x, x.numbers.flatten(1))


def squeezing(reader: "Reader", node: Node) -> Tensor:
    """Squeeze and Unsqueeze."""
    x, axes = node.elements(), node.integers("axes", 1)
    found = x.numbers
    if node.operation == "Unsqueeze":
        dims = found.dim() + len(axes or [])
        for axis in sorted(a % dims for a in axes or []):
            found = found.unsqueeze(axis)
    else:
        for axis in sorted((a % found.dim() for a in axes or range(1, found.dim())), reverse=True):
            found = found.squeeze(axis)
    return like(x, found)


def slicing(reader: "Reader", node: Node) -> Tensor:
    """Slice."""
    x = node.elements()
    starts, ends = node.integers("starts", 1) or [], node.integers("ends", 2) or []
    axes, steps = node.integers("axes", 3) or list(range(len(starts))), node.integers("steps", 4) or [1] * len(starts)
    array = x.numbers.numpy()
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = np.arange(array.shape[axis])[slice(start, end if end > -(1 << 31) else None, step)]
        array = array.take(places, axis=axis)
    return like(x, torch.from_numpy(array))


def splitting(reader: "Reader", node: Node) -> list[Tensor]:
    """Split."""
    x, axis = node.elements(), int(node.number("axis", 0))
    size = x.numbers.shape[axis]
    sizes = node.integers("split", 1)
    if sizes is None:
        part = ceil(size / int(node.number("num_outputs", node.outputs)))
        sizes = [min(part, size - start) for start in range(0, size, part)]
    return [like(x, part) for part in torch.split(x.numbers, sizes, dim=axis)]


def gathering(reader: "Reader", node: Node) -> Tensor:
    """Gather of constant places."""
    x, places = node.elements(), node.constant(1).array
    return like(x, torch.from_numpy(x.numbers.numpy().take(places, axis=int(node.number("axis", 0)))))


def same(reader: "Reader", node: Node) -> Tensor:
    """Identity, Dropout (of a trained network) and Cast between floats."""
    return node.elements()


def sizes_of(reader: "Reader", node: Node) -> Tensor:
    """Shape, of one image."""
    part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
    return Constant(np.array(node.elements().numbers.shape, dtype=np.int64)[part])


VIEWS: dict[str, Callable[..., Any]] = {
    "Concat": concatenation,
    "Reshape": reshape,
    "Transpose": transposition,
    "Flatten": flattening,
    **dict.fromkeys(("Squeeze", "Unsqueeze"), squeezing),
    "Slice": slicing,
    "Split": splitting,
    "Gather": gathering,
    **dict.fromkeys(("Identity", "Dropout", "Cast"), same),
    "Shape": sizes_of,
}
