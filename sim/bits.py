"""Integers to bit planes and back: bit i of word j of plane b is bit b of the value in stream 64 j + i."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput

Planes = NDArray[np.uint64]
WORDS_MAX = 8


def words(streams: int) -> int:
    """Machine words that hold `streams` streams: 1, 2, 4 or 8."""
    if not 1 <= streams <= 64 * WORDS_MAX:
        raise BadInput(f"A simulation runs 1 to {64 * WORDS_MAX} streams at a time, got {streams}. Split the stimulus.")
    return 1 << (-(-streams // 64) - 1).bit_length()


def pack(values: Any, bits: int, words: int, what: str = "values") -> Planes:
    """Integers [..., streams] to planes [..., bits, words]. Negative ones are two's complement; more than 64 bits need Python ints.

    Raises BadInput for values that do not fit in `bits`.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iubO":
        raise BadInput(f"{what}: expected integers, got {array.dtype}.")
    if array.size and not (-(1 << bits - 1) <= array.min() and array.max() < 1 << bits):
        raise BadInput(f"{what}: must fit in {bits} bits, got values from {array.min()} to {array.max()}.")
    result = np.zeros((*array.shape[:-1], bits, 64 * words), dtype=np.uint8)
    if array.dtype != object:
        array = array.astype(np.int64) if array.dtype.kind in "ib" else array.astype(np.uint64)
    for bit in range(bits):
        shift = bit if array.dtype == object or bit < 64 else 63  # beyond its 64 bits a number repeats its sign
        plane = (array >> array.dtype.type(shift)) & array.dtype.type(1) if array.dtype != object else (array >> shift) & 1
        if array.dtype == np.uint64 and bit >= 64:
            plane = np.zeros_like(array)
        result[..., bit, : array.shape[-1]] = plane
    return np.packbits(result, axis=-1, bitorder="little").view(np.uint64)


def unpack(planes: Planes, streams: int) -> NDArray[Any]:
    """Planes [..., bits, words] to unsigned integers [..., streams]: uint64, or Python ints above 64 bits."""
    flat = np.unpackbits(np.ascontiguousarray(planes).view(np.uint8), axis=-1, bitorder="little")[..., :streams]
    bits = flat.shape[-2]
    result = np.zeros((*flat.shape[:-2], streams), dtype=np.uint64 if bits <= 64 else object)
    for bit in range(bits):
        plane = flat[..., bit, :].astype(result.dtype)
        result |= plane << (np.uint64(bit) if bits <= 64 else bit)
    return result
