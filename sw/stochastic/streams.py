"""Streams from values, as `gatewright.hw.stochastic.generator` makes them."""

from functools import cache

import numpy as np

from gatewright.hw.stochastic.numbers import lfsr
from gatewright.hw.stochastic.sharing import Sharing, rotate


def levels(sharing: Sharing, length: int) -> np.ndarray:
    """What each comparator compares with, int64 [comparators, L]."""
    if sharing.source == "lfsr":
        groups = np.array([_register(sharing, group, length) for group in range(sharing.groups)])
    else:
        groups = _listed(sharing, length)
    return np.repeat(groups, sharing.sharing, axis=0)[: sharing.comparators]


@cache
def _listed(sharing: Sharing, length: int) -> np.ndarray:
    return np.array([sharing.levels(group, length) for group in range(sharing.groups)])


def _register(sharing: Sharing, group: int, length: int) -> np.ndarray:
    """A group's levels looked up in one period of the register."""
    source, turn, ahead = sharing.view(group)
    states, place = _period(sharing.bits)
    return rotate(states[(place[sharing.seed(source)] + ahead + np.arange(length)) % len(states)], sharing.bits, turn)


@cache
def _period(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The states of a register in order, and the place of each state."""
    states = 1 + np.array(lfsr(bits, (1 << bits) - 1))
    place = np.empty(1 << bits, dtype=np.int64)
    place[states] = np.arange(len(states))
    return states, place


def generate(values: np.ndarray, sharing: Sharing, length: int) -> np.ndarray:
    """Streams of values of 0 .. 2**bits - 1, [..., comparators], bool [..., comparators, L]."""
    compared = np.greater_equal if sharing.source == "lfsr" else np.greater
    return compared(np.asarray(values)[..., None], levels(sharing, length))
