"""Quantisation as ONNX files state it, and the 8-bit multipliers that stand for its scales."""

from dataclasses import dataclass

import numpy as np

from gatewright.hw.config import MULTIPLIER_BITS, SHIFT_MAX

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15)}
PIXEL_TOLERANCE = 1e-3  # of a pixel's scale: a quarter of a code at the greatest one
LARGEST_WEIGHT = 127


@dataclass(frozen=True)
class Grid:
    """Codes low..high of a tensor: a code q stands for (q - zero) * scale."""

    scale: float
    zero: int
    low: int
    high: int

    @property
    def of_pixels(self) -> bool:
        """Whether pixels have the codes that `gatewright.sw.data.encode` gives them: black is the zero point, white 255 or 127 more."""
        top = self.high - self.zero
        return top in (127, 255) and abs(self.scale * top - 1) < PIXEL_TOLERANCE


@dataclass(frozen=True, eq=False)
class WeightScale:
    """What a constant's codes are multiples of. scale: float64 [1], or one for each place on `axis`; bits: of a code."""

    scale: np.ndarray
    axis: int
    bits: int

    def transposed(self, order: list[int]) -> "WeightScale":
        """The same with the constant's axes in another order."""
        return WeightScale(self.scale, order.index(self.axis), self.bits)

    def along(self, numbers: np.ndarray, dims: int) -> np.ndarray:
        """One number, or one for each place on the axis, in a shape that goes with a constant of `dims` dimensions."""
        shape = [1] * dims
        if numbers.size > 1:
            shape[self.axis] = -1
        return numbers.reshape(shape)


def multipliers(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The m / 2**s nearest to positive ratios, int64: 128 <= m <= 255, 1 <= s <= 31 (beyond 127.5 and below 2**-24 the nearest legal)."""
    ratio = np.asarray(ratio, dtype=np.float64)
    top = 1 << MULTIPLIER_BITS
    shift = np.clip(MULTIPLIER_BITS - 1 - np.floor(np.log2(ratio)), 1, SHIFT_MAX)
    shift = np.where((np.rint(ratio * 2**shift) >= top) & (shift > 1), shift - 1, shift)
    return np.clip(np.rint(ratio * 2**shift), 1, top - 1).astype(np.int64), shift.astype(np.int64)


def joint_weights(ratios: tuple[float, float], least: int = 1) -> tuple[int, int, int, int]:
    """Weights u, v and multiplier m, shift s of a sum: u * m / 2**s and v * m / 2**s together come nearest to two positive ratios.

    Of all weights `least` to 127 and multipliers 1 to 255; of equally near ones the least weights, so that what is equal has weights 1.
    """
    m, s = np.meshgrid(np.arange(1, 1 << MULTIPLIER_BITS), np.arange(1, SHIFT_MAX + 1), indexing="ij")
    unit = m / 2.0**s
    u, v = (np.clip(np.rint(ratio / unit), least, LARGEST_WEIGHT) for ratio in ratios)
    error = abs(u * unit - ratios[0]) + abs(v * unit - ratios[1])
    best = np.lexsort((m.reshape(-1), (u + v).reshape(-1), error.reshape(-1)))[0]
    return int(u.flat[best]), int(v.flat[best]), int(m.flat[best]), int(s.flat[best])
