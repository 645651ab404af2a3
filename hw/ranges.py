"""Ranges of integers in bits."""


def range_bits(low: int, high: int) -> int:
    """Bits of a two's complement number that holds low..high."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
