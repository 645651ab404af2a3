"""Early termination of counts; the decision is the whole stream's."""

import numpy as np


def settle(counts: np.ndarray, inputs: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts [..., L'] (L' >= length) of `inputs` bipolar streams: cycles played, int64 [...], and whether the sum is at least zero."""
    ones = 2 * np.cumsum(counts[..., :length], axis=-1)
    left = 2 * inputs * (length - 1 - np.arange(length))
    won, lost = ones >= inputs * length, ones + left < inputs * length
    played = (won | lost).argmax(axis=-1)
    return played + 1, np.take_along_axis(won, played[..., None], axis=-1)[..., 0]
