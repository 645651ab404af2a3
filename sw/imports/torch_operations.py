"""The functions, methods and modules of PyTorch that can be imported, by name and type, with their handlers."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import nn

from gatewright.sw.imports import operations, pools
from gatewright.sw.imports.calls import Call, Elements

Handler = Callable[..., Any]

FUNCTIONS: dict[str, Handler] = {
    "conv2d": operations.conv2d,
    "linear": operations.linear,
    "matmul": operations.matmul,
    "mm": operations.matmul,
    "addmm": operations.addmm,
    "add": operations.add,
    "iadd": operations.add,
    "add_": operations.add,
    "mul": operations.mul,
    "imul": operations.mul,
    "mul_": operations.mul,
    "multiply": operations.mul,
    "sub": operations.sub,
    "isub": operations.sub,
    "sub_": operations.sub,
    "div": operations.div,
    "div_": operations.div,
    "truediv": operations.div,
    "itruediv": operations.div,
    "batch_norm": operations.batch_norm,
    "relu": operations.relu,
    "relu_": operations.relu,
    "relu6": operations.relu6,
    "hardtanh": operations.hardtanh,
    "hardtanh_": operations.hardtanh,
    "clamp": operations.clamp,
    "clamp_": operations.clamp,
    "clip": operations.clamp,
    "clamp_min": operations.clamp,
    "dropout": operations.dropout,
    "dropout2d": operations.dropout,
    "softmax": operations.softmax,
    "log_softmax": operations.softmax,
    "float": operations.identity,
    "detach": operations.identity,
    "max_pool2d": pools.max_pool2d,
    "avg_pool2d": pools.avg_pool2d,
    "adaptive_avg_pool2d": pools.adaptive_avg_pool2d,
    "adaptive_max_pool2d": pools.adaptive_max_pool2d,
    "mean": pools.mean,
    "amax": pools.amax,
    "cat": operations.cat,
    "concat": operations.cat,
    "concatenate": operations.cat,
}

# What only moves elements: done on their numbers as PyTorch does it on the elements.
VIEWS = {
    *("flatten", "view", "reshape", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "contiguous", "clone", "t"),
    *("unsqueeze", "squeeze", "unflatten", "narrow", "select", "chunk", "split", "tensor_split", "unbind", "getitem", "stack", "roll"),
    *("index_select", "channel_shuffle", "native_channel_shuffle", "flip", "view_as", "reshape_as"),
}
QUESTIONS = {"size", "dim", "numel"}  # about a shape

MODULES: dict[type[nn.Module], Callable[[Call, Any, Any], Any]] = {
    nn.Conv2d: lambda call, m, x: operations.conv2d(call, x, m.weight, m.bias, m.stride, zeros_around(call, m), m.dilation, m.groups),
    nn.Linear: lambda call, m, x: operations.linear(call, x, m.weight, m.bias),
    nn.BatchNorm2d: lambda call, m, x: normalised(call, m, x),
    nn.BatchNorm1d: lambda call, m, x: normalised(call, m, x),
    nn.ReLU: lambda call, m, x: operations.relu(call, x),
    nn.ReLU6: lambda call, m, x: operations.relu6(call, x),
    nn.Hardtanh: lambda call, m, x: operations.hardtanh(call, x, m.min_val, m.max_val),
    nn.MaxPool2d: lambda call, m, x: pools.max_pool2d(
        call, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.AvgPool2d: lambda call, m, x: pools.avg_pool2d(
        call, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda call, m, x: pools.adaptive_avg_pool2d(call, x, m.output_size),
    nn.AdaptiveMaxPool2d: lambda call, m, x: pools.adaptive_max_pool2d(call, x, m.output_size),
    nn.Softmax: lambda call, m, x: operations.softmax(call, x, m.dim),
    nn.LogSoftmax: lambda call, m, x: operations.softmax(call, x, m.dim),
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
    return operations.batch_norm(call, x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps)
