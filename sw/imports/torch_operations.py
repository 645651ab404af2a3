"""What each PyTorch operation of a forward becomes. Functions, methods and modules of one kind share a handler, with torch's signature."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isqrt
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.advice import CONSTANT, refused
from gatewright.sw.imports.arrangement import Arrangement, NotAMap
from gatewright.sw.imports.network import Add, Affine, Concat, Convolution, Dense, Pool, Relu

POOL_SAMPLES = 64  # of one window; see `gatewright.sw.layers.Layer`


@dataclass(frozen=True, eq=False)
class Elements:
    """A tensor of the user's forward, for one image, as the numbers of its elements; see `gatewright.sw.imports.arrangement`.

    An operation in place writes new numbers into it, and whatever is a view of it sees them, as in PyTorch.
    """

    numbers: Tensor


@dataclass
class Call:
    """One operation being imported: where its values go, the path of the module it is in, its name in messages."""

    values: Arrangement
    path: str
    what: str

    def refuse(self, rule: str = "") -> BadInput:
        """The error that says why this operation is not possible."""
        return refused(self.path, self.what, rule)

    def elements(self, x: Any) -> Tensor:
        """The numbers of an operand that must come from the image."""
        if not isinstance(x, Elements):
            raise self.refuse(f"its operand is a constant; {CONSTANT}")
        return x.numbers

    def map(self, x: Any) -> tuple[str, tuple[int, int, int]]:
        """Name and shape of an operand that must be a map [1, C, H, W]."""
        numbers = self.elements(x)
        if numbers.dim() != 4:
            raise self.refuse(f"it reads maps, channels x height x width; got the shape {tuple(numbers.shape)} for one image")
        try:
            name = self.values.map(numbers, self.path)
        except NotAMap as error:
            raise self.refuse(str(error)) from None
        return name, self.values.shape(name)

    def flat(self, x: Any) -> tuple[str, Tensor]:
        """Name of the map that a vector [1, n] is, and the place in it of each element."""
        numbers = self.elements(x)
        if numbers.dim() != 2 or numbers.shape[0] != 1:
            raise self.refuse(f"it reads one vector an image; got the shape {tuple(numbers.shape)} for one image; flatten(1) before it")
        try:
            return self.values.flat(numbers, self.path)
        except NotAMap as error:
            raise self.refuse(str(error)) from None

    def elementwise(self, make: Callable[..., Any], xs: list[Any], **settings: Any) -> Elements:
        """A step that treats all elements of maps or flattened maps alike."""
        like = self.elements(xs[0])
        if any(self.elements(x).shape != like.shape for x in xs):
            raise self.refuse(f"both operands must have one shape; got {' and '.join(str(tuple(x.numbers.shape)) for x in xs)}")
        if like.dim() == 4:
            names = [self.map(x)[0] for x in xs]
            return Elements(self.values.emit(make, self.path, names, self.values.shape(names[0]), **settings))
        flats = [self.flat(x) for x in xs]
        if any(not torch.equal(places, flats[0][1]) for _, places in flats) or len({self.values.shape(n) for n, _ in flats}) > 1:
            raise self.refuse("its operands are flattened in different ways; combine the maps before they are flattened")
        out = self.values.emit(make, self.path, [name for name, _ in flats], self.values.shape(flats[0][0]), **settings)
        return Elements(out.flatten()[flats[0][1]].reshape(like.shape))


Handler = Callable[..., Any]


def square(call: Call, name: str, value: Any) -> int:
    """One number for rows and columns."""
    sizes = set(value) if isinstance(value, tuple | list) else {value}
    if len(sizes) != 1:
        raise call.refuse(f"{name} must be the same for rows and columns; got {tuple(value)}")
    return int(sizes.pop())


def conv2d(call: Call, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    name, (_, height, width) = call.map(x)
    weight = constant(call, weight)
    if square(call, "dilation", dilation) != 1:
        raise call.refuse(f"dilation must be 1; got {dilation}; use a larger kernel, or a stride before it")
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
    shift = torch.zeros(len(weight)) if bias is None else constant(call, bias)
    settings = {"weight": weight, "bias": shift, "stride": stride, "padding": padding, "groups": groups}
    return Elements(call.values.emit(Convolution, call.path, [name], (len(weight), size[0], size[1]), **settings))


def linear(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    name, places = call.flat(x)
    weight = constant(call, weight)
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


def constant(call: Call, value: Any) -> Tensor:
    """Weights: they must not depend on the image."""
    if isinstance(value, Elements):
        raise call.refuse("its weights depend on the image; products of two activations are host-side")
    return torch.as_tensor(value).detach().float()


def per_channel(call: Call, x: Any, value: Any) -> Tensor:
    """A constant operand as one number for each channel of x, [C]."""
    given, shape = constant(call, value), call.elements(x).shape
    try:
        spread = given.broadcast_to(shape).reshape(shape[1], -1) if len(shape) in (2, 4) and shape[0] == 1 else None
    except RuntimeError:
        spread = None
    if spread is None or not bool((spread == spread[:, :1]).all()):
        raise call.refuse(f"a constant operand must be one number a channel; got the shape {tuple(given.shape)} for {tuple(shape)}")
    return spread[:, 0].clone()


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
    shape = (1, -1, 1, 1)[: call.elements(x).dim()]
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


def identity(call: Call, x: Any, *_: Any, **__: Any) -> Any:
    return x


def pooled(call: Call, kind: Literal["max", "average"], x: Any, window: int, stride: int) -> Elements:
    """Pooling; a window of more than 64 samples in two steps, where it can be."""
    name, (channels, height, width) = call.map(x)
    if window > min(height, width):
        raise call.refuse(f"its window {window} x {window} is larger than the map of {height} x {width}")
    if window**2 <= POOL_SAMPLES:
        size = (channels, (height - window) // stride + 1, (width - window) // stride + 1)
        return Elements(call.values.emit(Pool, call.path, [name], size, kind=kind, window=window, stride=stride))
    parts = [n for n in range(2, isqrt(POOL_SAMPLES) + 1) if window % n == 0] if window == stride else []
    if not parts:
        rule = f"a window holds at most {POOL_SAMPLES} samples; got {window} x {window} with stride {stride}; pool in two steps"
        raise call.refuse(rule)
    first = pooled(call, kind, x, parts[-1], parts[-1])
    return pooled(call, kind, first, window // parts[-1], window // parts[-1])


def _window(call: Call, x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool) -> tuple[int, int]:
    window = square(call, "the window", kernel)
    step = window if stride is None or stride == [] else square(call, "stride", stride)
    if square(call, "padding", padding):
        raise call.refuse(f"pooling has no padding; got {padding}; use a window of 2 without padding, or a convolution with a stride")
    _, (_, height, width) = call.map(x)
    if ceil and any((size - window) % step for size in (height, width)):
        raise call.refuse(f"ceil_mode adds windows that leave the {height} x {width} map; leave ceil_mode out, or choose the window to fit")
    return window, step


def max_pool2d(
    call: Call,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if square(call, "dilation", dilation) != 1 or return_indices:
        raise call.refuse("dilation must be 1 and return_indices left out; use a plain window")
    return pooled(call, "max", x, *_window(call, x, kernel_size, stride, padding, ceil_mode))


def avg_pool2d(
    call: Call,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    if divisor_override is not None:
        raise call.refuse("it must divide by the size of its window; leave divisor_override out")
    return pooled(call, "average", x, *_window(call, x, kernel_size, stride, padding, ceil_mode))


def _adaptive(call: Call, kind: Literal["max", "average"], x: Any, output_size: Any) -> Any:
    _, (_, height, width) = call.map(x)
    wanted = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    out = [size if n is None else int(n) for n, size in zip(wanted, (height, width), strict=True)]
    if out == [height, width]:
        return x
    if height % out[0] or width % out[1] or height // out[0] != width // out[1]:
        raise call.refuse(
            f"windows must be square and alike, so the {height} x {width} map must be {out[0]} x {out[1]} times a square; "
            "choose another size, or a convolution with a stride"
        )
    return pooled(call, kind, x, height // out[0], height // out[0])


def adaptive_avg_pool2d(call: Call, x: Any, output_size: Any) -> Any:
    return _adaptive(call, "average", x, output_size)


def adaptive_max_pool2d(call: Call, x: Any, output_size: Any, return_indices: bool = False) -> Any:
    return _adaptive(call, "max", x, output_size)


def _over_map(call: Call, kind: Literal["max", "average"], x: Any, dim: Any, keepdim: bool) -> Any:
    dims = {n % 4 for n in (dim if isinstance(dim, tuple | list) else (dim,)) if n is not None}
    if call.elements(x).dim() != 4 or dims != {2, 3}:
        raise call.refuse(f"it must be taken over height and width of a map, dim=(2, 3); got {dim}")
    result = _adaptive(call, kind, x, 1)
    return result if keepdim else Elements(result.numbers.flatten(1))


def mean(call: Call, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    return _over_map(call, "average", x, dim, keepdim)


def amax(call: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return _over_map(call, "max", x, dim, keepdim)


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


FUNCTIONS: dict[str, Handler] = {
    "conv2d": conv2d,
    "linear": linear,
    "matmul": matmul,
    "mm": matmul,
    "addmm": addmm,
    "add": add,
    "iadd": add,
    "add_": add,
    "mul": mul,
    "imul": mul,
    "mul_": mul,
    "multiply": mul,
    "sub": sub,
    "isub": sub,
    "sub_": sub,
    "div": div,
    "div_": div,
    "truediv": div,
    "itruediv": div,
    "batch_norm": batch_norm,
    "relu": relu,
    "relu_": relu,
    "relu6": relu6,
    "hardtanh": hardtanh,
    "hardtanh_": hardtanh,
    "clamp": clamp,
    "clamp_": clamp,
    "clip": clamp,
    "clamp_min": clamp,
    "dropout": dropout,
    "dropout2d": dropout,
    "float": identity,
    "detach": identity,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_max_pool2d": adaptive_max_pool2d,
    "mean": mean,
    "amax": amax,
    "cat": cat,
    "concat": cat,
    "concatenate": cat,
}

# What only moves elements: done on their numbers as PyTorch does it on the elements.
VIEWS = {
    *("flatten", "view", "reshape", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "contiguous", "clone", "t"),
    *("unsqueeze", "squeeze", "unflatten", "narrow", "select", "chunk", "split", "tensor_split", "unbind", "getitem", "stack", "roll"),
    *("index_select", "channel_shuffle", "native_channel_shuffle", "flip", "view_as", "reshape_as"),
}
QUESTIONS = {"size", "dim", "numel"}  # about a shape

MODULES: dict[type[nn.Module], Callable[[Call, Any, Any], Any]] = {
    nn.Conv2d: lambda call, m, x: conv2d(call, x, m.weight, m.bias, m.stride, zeros_around(call, m), m.dilation, m.groups),
    nn.Linear: lambda call, m, x: linear(call, x, m.weight, m.bias),
    nn.BatchNorm2d: lambda call, m, x: normalised(call, m, x),
    nn.BatchNorm1d: lambda call, m, x: normalised(call, m, x),
    nn.ReLU: lambda call, m, x: relu(call, x),
    nn.ReLU6: lambda call, m, x: relu6(call, x),
    nn.Hardtanh: lambda call, m, x: hardtanh(call, x, m.min_val, m.max_val),
    nn.MaxPool2d: lambda call, m, x: max_pool2d(call, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices),
    nn.AvgPool2d: lambda call, m, x: avg_pool2d(
        call, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda call, m, x: adaptive_avg_pool2d(call, x, m.output_size),
    nn.AdaptiveMaxPool2d: lambda call, m, x: adaptive_max_pool2d(call, x, m.output_size),
    nn.Identity: lambda call, m, x: x,
    nn.Dropout: lambda call, m, x: x,
    nn.Dropout2d: lambda call, m, x: x,
    nn.AlphaDropout: lambda call, m, x: x,
    nn.Flatten: lambda call, m, x: Elements(call.elements(x).flatten(m.start_dim, m.end_dim)),
    nn.Unflatten: lambda call, m, x: Elements(call.elements(x).unflatten(m.dim, m.unflattened_size)),
    nn.ChannelShuffle: lambda call, m, x: Elements(F.channel_shuffle(call.elements(x), m.groups)),
}


def zeros_around(call: Call, module: nn.Conv2d) -> Any:
    """The padding of a convolution that pads with zeros."""
    if module.padding_mode != "zeros":
        raise call.refuse(f"padding_mode must be 'zeros'; got {module.padding_mode!r}; leave it out")
    return module.padding


def normalised(call: Call, module: nn.BatchNorm2d | nn.BatchNorm1d, x: Any) -> Any:
    """Batch norm by a module's remembered statistics."""
    return batch_norm(call, x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps)
