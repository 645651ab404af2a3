"""Convolutions of bits: how many bits of a window and of a kernel differ, 64 channels at once."""

from functools import partial

import numpy as np

from gatewright.sw.addresses import addresses, maps, outputs
from gatewright.sw.kernels import threads
from gatewright.sw.kernels.packed import differing, pack

LARGE = 1 << 26  # products that are worth a thread


def packed(bits: np.ndarray, padding: int = 0, groups: int = 1) -> np.ndarray:
    """Bits int64 [N, C, H, W] and zeros around them, as words of 64 channels, uint64 [N, H, W, groups, C / groups / 64 rounded up]."""
    images, channels, height, width = bits.shape
    words = np.zeros((images, height + 2 * padding, width + 2 * padding, groups, -(-channels // groups // 64)), dtype=np.uint64)
    pack(np.ascontiguousarray(bits), padding, words)
    return words


class BinaryKernels:
    """Weights of a convolution, bits int64 [K, C / groups, R, S]."""

    def __init__(self, bits: np.ndarray, groups: int = 1) -> None:
        self.groups, (self.kernels, _, *self.kernel) = groups, bits.shape
        words = packed(bits).reshape(groups, self.kernels // groups, -1)
        self.words = np.ascontiguousarray(words.transpose(0, 2, 1))
        self.products = bits[0].size

    def differing(self, words: np.ndarray, stride: int = 1) -> np.ndarray:
        """For `packed` maps, how many bits of each window and each kernel differ, int64 [N, K, P, Q]."""
        images, height, width, groups, number = words.shape
        pixel, (r, s) = groups * number, self.kernel
        shape = (images, self.kernels, height, width)
        p, q = outputs(shape, self.kernel, stride)
        places = addresses((images, height * width * pixel), (p, stride * width * pixel), (q, stride * pixel))
        offsets = addresses((groups, number), (r, width * pixel), (s, pixel), (number, 1)).reshape(groups, -1)
        counts = np.zeros((len(places), groups, self.kernels // groups), dtype=np.int64)
        workers = max(1, min(threads.limit(), counts.size * self.products // LARGE))
        flat = words.reshape(-1)
        parts = threads.slices(len(places), workers)
        threads.together([partial(differing, flat, places[part], offsets, self.words, counts[part]) for part in parts], workers)
        return maps(counts, shape, self.kernel, stride)
