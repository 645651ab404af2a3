"""The golden model: an integer network on integer images, in numpy, following docs/hardware.md line by line.

Post-processing and pooling are written apart from the PyTorch modules they are compared with; products are the operators' arithmetic
on both sides, which tests hold to bit-by-bit references and to the circuits. The generated circuits are compared with it.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.operators import arithmetic


def post_process(layer: IntegerLayer, accumulated: np.ndarray) -> np.ndarray:
    """Accumulators int64 [N, K, P, Q] to codes (or logits) of the same shape."""
    bias, multiplier, shift = (part.reshape(1, -1, 1, 1).astype(np.int64) for part in (layer.bias, layer.multiplier, layer.shift))
    v = accumulated + bias
    if layer.mode == "raw":
        return v
    if layer.mode == "sign":
        return (v >= 0).astype(np.int64)
    rounded = (v * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(rounded, layer.low, layer.high)


def pool(layer: Layer, codes: np.ndarray) -> np.ndarray:
    """Codes int64 [N, K, P, Q] to [N, K, out_h, out_w]."""
    if layer.pooling is None:
        return codes
    windows = np.lib.stride_tricks.sliding_window_view(codes, (layer.pool_window, layer.pool_window), axis=(2, 3))
    windows = windows[:, :, :: layer.pool_stride, :: layer.pool_stride]
    if layer.pooling == "max":
        return np.asarray(windows.max(axis=(4, 5)))
    p = (layer.pool_window**2 - 1).bit_length()
    return np.asarray((windows.sum(axis=(4, 5)) + ((1 << p) >> 1)) >> p)


def run_layer(layer: IntegerLayer, codes: np.ndarray) -> np.ndarray:
    """One layer on activation codes [N, C, H, W], int64 [N, K, out_h, out_w]."""
    shape = layer.layer
    if codes.shape[1:] != (shape.C, shape.H, shape.W):
        raise BadInput(f"layer {shape.name} takes {shape.C} x {shape.H} x {shape.W} (C, H, W) codes; got {codes.shape[1:]}.")
    accumulated = arithmetic(shape.operator).accumulate(codes, layer.weights, shape.stride, shape.padding, groups=shape.groups)
    return pool(shape, post_process(layer, accumulated))


def read(work: Workload, i: int, maps: Mapping[int, np.ndarray]) -> np.ndarray:
    """What layer i takes, codes [N, C, H, W], from the feature maps by number (see `Workload.maps`)."""
    codes = np.concatenate([maps[k] for k in work.sources(i)], axis=1)
    gather = work.layers[i].gather
    return codes[:, gather] if gather else codes


def inputs(network: IntegerNetwork, codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of every layer what it takes and what it gives: codes [N, C, H, W] and, after pooling, [N, K, out_h, out_w].

    A feature map is forgotten when its last reader has run.
    """
    work = network.workload
    maps = {0: codes}
    for i, layer in enumerate(network.layers):
        taken = read(work, i, maps)
        given = run_layer(layer, taken)
        target = work.target(i)
        maps[target] = np.concatenate([maps[target], given], axis=1) if target in maps else given
        for k in {*work.sources(i)}:
            if max(work.maps[k].readers) == i:
                del maps[k]
        yield taken, given


def forward(network: IntegerNetwork, codes: np.ndarray) -> list[np.ndarray]:
    """Every layer's output after pooling, int64 [N, K, out_h, out_w]; the last is the logits.

    codes: integers [N, C, H, W] in the activation format of the operator that reads the image. Raises BadInput for other shapes or values.
    """
    return [given for _, given in inputs(network, codes)]


def classify(network: IntegerNetwork, codes: np.ndarray) -> np.ndarray:
    """The class of each image, int64 [N]: the greatest logit, the first where several are equal."""
    return np.asarray(forward(network, codes)[-1].reshape(len(codes), -1).argmax(axis=1))
