"""Products of streams: by a gate, or conditional."""

from functools import cache

import numpy as np

from gatewright.hw.stochastic.numbers import sobol


def unipolar(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """AND, bool [..., L]; of sign-magnitude streams the magnitude (the sign is the XOR of the signs)."""
    return a & b


def bipolar(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """XNOR, bool [..., L]."""
    return ~(a ^ b)


def conditional(a: np.ndarray, values: np.ndarray, bits: int, index_bits: int, *, bipolar: bool = False, dimension: int = 1) -> np.ndarray:
    """Stream a [..., L] times values [...] of 0 .. 2**bits - 1, whose numbers are drawn only when a pulses (or, bipolar, does not)."""
    drawn = _points(bits, dimension, 1 << min(bits, index_bits))  # they repeat when the index or the sequence does
    index = np.cumsum(a, axis=-1) - a  # pulses before each bit
    ones = np.asarray(values)[..., None] > drawn[index % len(drawn)]
    if not bipolar:
        return a & ones
    pauses = np.cumsum(~a, axis=-1) - ~a
    return np.where(a, ones, np.asarray(values)[..., None] <= drawn[pauses % len(drawn)])


@cache
def _points(bits: int, dimension: int, number: int) -> np.ndarray:
    return np.array(sobol(bits, dimension, number))
