"""Where the operands of a convolution's sums lie: at a sum's place plus each of its group's offsets. No matrix of patches is made."""

from collections.abc import Sequence
from functools import reduce

import numpy as np


def addresses(*axes: tuple[int, int]) -> np.ndarray:
    """All elements of a part of an array, its axes being (elements, distance between them), the last one fastest; int64, one dimension."""
    return np.asarray(reduce(np.add.outer, (np.arange(count) * distance for count, distance in axes)), dtype=np.int64).reshape(-1)


def windows(shape: tuple[int, ...], kernel: Sequence[int], stride: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Places [N * P * Q] and offsets [groups, C / groups * R * S] of a kernel (R, S) in a map [N, C, H, W] that has its padding."""
    images, channels, height, width = shape
    p, q = outputs(shape, kernel, stride)
    places = addresses((images, channels * height * width), (p, stride * width), (q, stride))
    offsets = addresses((channels, height * width), (kernel[0], width), (kernel[1], 1))
    return places, offsets.reshape(groups, -1)


def outputs(shape: tuple[int, ...], kernel: Sequence[int], stride: int) -> tuple[int, int]:
    """P and Q."""
    return (shape[2] - kernel[0]) // stride + 1, (shape[3] - kernel[1]) // stride + 1


def maps(sums: np.ndarray, shape: tuple[int, ...], kernel: Sequence[int], stride: int) -> np.ndarray:
    """Sums [N * P * Q, groups, K / groups] as maps [N, K, P, Q]."""
    return sums.reshape(shape[0], *outputs(shape, kernel, stride), -1).transpose(0, 3, 1, 2)
