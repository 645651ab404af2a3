"""Floating point on bit patterns, bit for bit as the circuits compute it: every operation in float64, then rounded.

Why two roundings do no harm: the product of two 24-bit significands is exact in float64's 53 bits, and a sum rounded to 53 >= 2 * 24 + 2
bits rounds to 24 bits as the exact one does (Figueroa, "When is double rounding innocuous?", SIGNUM Newsletter 30(3), 1995).
No product or sum of these formats but zero is below float64's normal range.
"""

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput

Bits = NDArray[np.uint64]
FIELDS = {"fp32": (8, 23), "fp16": (5, 10), "bf16": (8, 7)}


class Float:
    """The arithmetic of one number format; bits are uint64 arrays of any equal shapes. NaN is always the canonical quiet one."""

    def __init__(self, exponent_bits: int, mantissa_bits: int) -> None:
        self.exponent_bits, self.mantissa_bits = exponent_bits, mantissa_bits
        self.bias = (1 << (exponent_bits - 1)) - 1
        self.sign = 1 << (exponent_bits + mantissa_bits)
        self.infinity = ((1 << exponent_bits) - 1) << mantissa_bits
        self.nan = self.infinity | 1 << (mantissa_bits - 1)

    def encode(self, values: np.ndarray) -> Bits:
        """The nearest numbers to some values, ties to even."""
        values = np.asarray(values, dtype=np.float64)
        magnitude = np.where(np.isfinite(values), np.abs(values), 0.0)
        _, exponent = np.frexp(magnitude)  # the magnitude is 0.5..1 times two to it; subnormals have that of the least normal number
        place = np.where(magnitude > 0, np.maximum(exponent.astype(np.int64) - 1, 1 - self.bias), 1 - self.bias)
        steps = np.rint(np.ldexp(magnitude, self.mantissa_bits - place)).astype(np.int64)
        # The hidden one of a normal number carries into the exponent field, and so does rounding up to the next power of two.
        patterns = np.minimum(((place + self.bias - 1) << self.mantissa_bits) + steps, self.infinity)
        patterns = np.where(np.isinf(values), self.infinity, patterns) + np.where(np.signbit(values), self.sign, 0)
        return np.where(np.isnan(values), self.nan, patterns).astype(np.uint64)

    def decode(self, bits: np.ndarray) -> NDArray[np.float64]:
        """The values of some numbers, exactly."""
        patterns = np.asarray(bits).astype(np.int64)
        field, mantissa = (patterns & self.infinity) >> self.mantissa_bits, patterns & ((1 << self.mantissa_bits) - 1)
        significand = np.where(field > 0, mantissa + (1 << self.mantissa_bits), mantissa)
        values = np.ldexp(significand.astype(np.float64), np.maximum(field, 1) - self.bias - self.mantissa_bits)
        special = np.where(mantissa > 0, np.nan, np.inf)
        values = np.where(field == self.infinity >> self.mantissa_bits, special, values)
        return np.where(patterns & self.sign, -values, values)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> Bits:
        with np.errstate(invalid="ignore"):
            return self.encode(self.decode(a) * self.decode(b))

    def add(self, a: np.ndarray, b: np.ndarray) -> Bits:
        with np.errstate(invalid="ignore"):
            return self.encode(self.decode(a) + self.decode(b))

    def multiply_add(self, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Bits:
        """round(round(a * b) + c)."""
        return self.add(self.multiply(a, b), c)

    def accumulate(self, a: np.ndarray, b: np.ndarray) -> Bits:
        """Sums of products along the first axis, one after the other from +0."""
        total = np.zeros(np.shape(a)[1:], dtype=np.uint64)
        for x, y in zip(a, b, strict=True):
            total = self.multiply_add(x, y, total)
        return total


def floats(operator: Operator) -> Float:
    """The arithmetic of a `float` operator."""
    if operator.kind != "float":
        raise BadInput(f"{operator.name} is not a floating-point operator; fp32, fp16 and bf16 are.")
    return Float(*FIELDS[str(operator.number_format)])
