"""What pooling becomes: square windows without padding. The handlers have the signatures of PyTorch's functions."""

from math import isqrt
from typing import Any, Literal

from gatewright.sw.imports.calls import Call, Elements, square
from gatewright.sw.imports.network import Pool

POOL_SAMPLES = 64  # of one window; see `gatewright.sw.layers.Layer`


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
