"""What each operation that computes becomes; pooling is next door. The handlers have the signatures of PyTorch's functions."""

from math import inf
from typing import Any

import torch
from torch import Tensor

from gatewright.sw.imports.advice import SOFTMAX
from gatewright.sw.imports.calls import Call, Elements, constant, per_channel, square
from gatewright.sw.imports.network import Add, Affine, Concat, Convolution, Dense, Relu


def conv2d(call: Call, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    name, (channels, height, width) = call.map(x)
    weight = constant(call, weight)
    if weight.shape[1] * groups != channels:
        raise call.misfit("channels", weight.shape[1] * groups, channels, name)
    if len(weight) % groups:
        raise call.refuse(f"its {len(weight)} outputs must be a multiple of its groups; got {groups} groups")
    if square(call, "dilation", dilation) != 1:
        raise call.refuse(f"dilation must be 1; got {dilation}; use a larger kernel")
    stride = square(call, "stride", stride)
    if padding == "valid":
        padding = 0
    if padding == "same":
        if any(size % 2 == 0 for size in weight.shape[2:]) or weight.shape[2] != weight.shape[3]:
            raise call.refuse(f"padding 'same' needs a square kernel of odd size; got {tuple(weight.shape[2:])}; give padding as a number")
        padding = weight.shape[2] // 2
    padding = square(call, "padding", padding)
    if padding >= min(weight.shape[2:]) and padding:
        raise call.refuse(f"padding must be less than the kernel; got {padding} and {tuple(weight.shape[2:])}; use a larger kernel")
    size = [(n + 2 * padding - k) // stride + 1 for n, k in zip((height, width), weight.shape[2:], strict=True)]
    if min(size) < 1:
        kernel = f"{weight.shape[2]} x {weight.shape[3]}"
        raise call.refuse(f"its kernel {kernel} is larger than the map of {height} x {width} and its padding; use a smaller kernel")
    shift = torch.zeros(len(weight)) if bias is None else constant(call, bias)
    settings = {"weight": weight, "bias": shift, "stride": stride, "padding": padding, "groups": groups}
    return Elements(call.values.emit(Convolution, call.path, [name], (len(weight), size[0], size[1]), **settings))


def linear(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    name, places = call.flat(x)
    weight = constant(call, weight)
    if weight.shape[1] != len(places):
        raise call.misfit("inputs", weight.shape[1], len(places), name)
    ordered = torch.empty_like(weight)
    ordered[:, places] = weight
    shift = torch.zeros(len(weight)) if bias is None else constant(call, bias)
    return Elements(call.values.emit(Dense, call.path, [name], (len(weight), 1, 1), weight=ordered, bias=shift).flatten(1))


def matmul(call: Call, x: Any, weight: Any) -> Any:
    if isinstance(weight, Elements) or not isinstance(x, Elements) or weight.dim() != 2:
        raise call.refuse()
    return linear(call, x, weight.T)


def addmm(call: Call, bias: Any, x: Any, weight: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    if isinstance(bias, Elements) or (beta, alpha) != (1, 1):
        raise call.refuse("its first operand must be a constant, and alpha and beta 1; use Linear")
    return add(call, matmul(call, x, weight), bias)


def affine(call: Call, x: Any, scale: Any, shift: Any) -> Any:
    """x * scale + shift, numbers or tensors with one number a channel."""
    numbers = call.elements(x)
    scale, shift = per_channel(call, x, scale), per_channel(call, x, shift)
    if bool((scale == 1).all() and (shift == 0).all()):
        return x
    if numbers.dim() == 2:
        numbers = numbers[:, :, None, None]
        name, shape = call.map(Elements(numbers))
        return Elements(call.values.emit(Affine, call.path, [name], shape, scale=scale, shift=shift).flatten(1))
    name, shape = call.map(x)
    return Elements(call.values.emit(Affine, call.path, [name], shape, scale=scale, shift=shift))


def add(call: Call, a: Any, b: Any, *, alpha: float = 1) -> Any:
    if alpha != 1:
        raise call.refuse(f"alpha must be 1; got {alpha}; give the factor to the weights of the layer before it")
    if isinstance(a, Elements) and isinstance(b, Elements):
        return call.elementwise(Add, [a, b])
    return affine(call, a, 1.0, b) if isinstance(a, Elements) else affine(call, b, 1.0, a)


def mul(call: Call, a: Any, b: Any) -> Any:
    if isinstance(a, Elements) and isinstance(b, Elements):
        raise call.refuse()
    return affine(call, a, b, 0.0) if isinstance(a, Elements) else affine(call, b, a, 0.0)


def sub(call: Call, a: Any, b: Any, *, alpha: float = 1) -> Any:
    if isinstance(b, Elements) or alpha != 1:
        raise call.refuse()
    return affine(call, a, 1.0, -constant(call, b))


def div(call: Call, a: Any, b: Any) -> Any:
    if isinstance(b, Elements):
        raise call.refuse()
    return affine(call, a, 1 / constant(call, b), 0.0)


def batch_norm(
    call: Call,
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    if training or running_mean is None or running_var is None:
        raise call.refuse("it must use remembered statistics; keep track_running_stats on, and pass training=self.training")
    mean, variance = constant(call, running_mean).double(), constant(call, running_var).double()
    scale = (variance + eps).rsqrt() * (1 if weight is None else constant(call, weight).double())
    shift = (0 if bias is None else constant(call, bias).double()) - mean * scale
    numbers = call.elements(x)
    if numbers.dim() > 1 and len(mean) != numbers.shape[1]:
        raise call.misfit("channels", len(mean), numbers.shape[1])
    shape = (1, -1, 1, 1)[: numbers.dim()]
    return affine(call, x, scale.float().reshape(shape), shift.float().reshape(shape))


def relu(call: Call, x: Any, inplace: bool = False) -> Any:
    return call.elementwise(Relu, [x])


def relu6(call: Call, x: Any, inplace: bool = False) -> Any:
    return call.elementwise(Relu, [x], limit=6.0)


def hardtanh(call: Call, x: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    if min_val not in (0, -max_val) or max_val <= 0:
        raise call.refuse(f"it must clamp from zero or symmetrically; got {min_val} to {max_val}; use ReLU6, or Hardtanh with -a and a")
    return call.elementwise(Relu, [x], low=float(min_val), limit=float(max_val))


def clamp(call: Call, x: Any, min: Any = None, max: Any = None) -> Any:
    if isinstance(min, Elements | Tensor) or isinstance(max, Elements | Tensor) or min is None:
        raise call.refuse("it must clamp from zero or symmetrically, to a number; use ReLU, ReLU6 or Hardtanh")
    return hardtanh(call, x, min, inf if max is None else max)


def dropout(call: Call, x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    if training:
        raise call.refuse("it drops in evaluation too; use nn.Dropout, or pass training=self.training")
    return x


def softmax(call: Call, x: Any, dim: int | None = None, *_: Any, **__: Any) -> Any:
    """Nothing, where it is over the classes and the network's last operation: it keeps the order of the logits."""
    over = call.elements(x).dim()
    if not call.last or dim not in (None, 1, 1 - over):
        raise call.refuse(SOFTMAX)
    return x


def identity(call: Call, x: Any, *_: Any, **__: Any) -> Any:
    return x


def cat(call: Call, tensors: Any, dim: int = 0) -> Any:
    numbers = [call.elements(x) for x in tensors]
    if numbers[0].dim() != 4:
        return Elements(torch.cat(numbers, dim))
    if dim % 4 != 1 or len({n.shape[2:] for n in numbers}) > 1:
        shapes = ", ".join(str(tuple(n.shape)) for n in numbers)
        raise call.refuse(f"maps are joined by their channels (dim=1) and must have one size; got dim={dim} of {shapes}")
    maps = [call.map(x) for x in tensors]
    _, height, width = maps[0][1]
    return Elements(call.values.emit(Concat, call.path, [name for name, _ in maps], (sum(s[0] for _, s in maps), height, width)))
