"""Sums of streams [..., N, L]: as one stream, or as counts."""

import numpy as np


def mux(streams: np.ndarray, select: np.ndarray) -> np.ndarray:
    """The stream selected at each time, select int [..., L], bool [..., L]. Its value is the mean."""
    return np.take_along_axis(streams, np.asarray(select)[..., None, :], axis=-2)[..., 0, :]


def saturating(streams: np.ndarray) -> np.ndarray:
    """OR, bool [..., L]."""
    return np.asarray(streams.any(axis=-2))


def carry(streams: np.ndarray, offset: int = 0) -> np.ndarray:
    """The stream that overflows when the pulses, after `offset`, reach each multiple of N, bool [..., L]. Its value is the mean."""
    filled = (offset + streams.sum(axis=-2).cumsum(axis=-1)) // streams.shape[-2]
    return np.diff(filled, axis=-1, prepend=0).astype(bool)


def count(streams: np.ndarray, *, approximate: bool = False) -> np.ndarray:
    """The parallel counter's number of ones at each time, int64 [..., L]; approximate: twice the ANDs and ORs of pairs in turn."""
    if not approximate:
        return streams.sum(axis=-2, dtype=np.int64)
    first, second = streams[..., ::2, :], streams[..., 1::2, :]
    ands, ors = (first & second)[..., ::2, :], (first | second)[..., 1::2, :]
    return 2 * (ands.sum(axis=-2, dtype=np.int64) + ors.sum(axis=-2, dtype=np.int64))
