"""Streams from values, as `gatewright.hw.stochastic.generator` makes them."""

import numpy as np

from gatewright.hw.stochastic.sharing import Sharing


def levels(sharing: Sharing, length: int) -> np.ndarray:
    """What each comparator compares with, int64 [comparators, L]."""
    groups = np.array([sharing.levels(group, length) for group in range(sharing.groups)])
    return np.repeat(groups, sharing.sharing, axis=0)[: sharing.comparators]


def generate(values: np.ndarray, sharing: Sharing, length: int) -> np.ndarray:
    """Streams of values of 0 .. 2**bits - 1, [..., comparators], bool [..., comparators, L]."""
    compared = np.greater_equal if sharing.source == "lfsr" else np.greater
    return compared(np.asarray(values)[..., None], levels(sharing, length))


def mean(streams: np.ndarray, *, bipolar: bool = False) -> np.ndarray:
    """What streams [..., L] stand for, float64 [...]: the share of ones, or twice that less one."""
    density = streams.mean(axis=-1)
    return 2 * density - 1 if bipolar else density
