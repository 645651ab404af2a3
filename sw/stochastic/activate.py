"""Activations of streams, without a loop over time."""

import numpy as np


def saturated(steps: np.ndarray, states: int, start: int) -> np.ndarray:
    """The states before each step of a counter that stays within 0 .. states - 1, int64 [..., L].

    A step x -> clip(x + d, low, high) after another is one of the same form, so prefixes of all lengths take log2 L rounds
    (a parallel scan, Hillis and Steele 1986).
    """
    shift = np.asarray(steps, dtype=np.int64).copy()
    low, high = np.zeros_like(shift), np.full_like(shift, states - 1)
    reach = 1
    while reach < shift.shape[-1]:
        later, earlier = (..., slice(reach, None)), (..., slice(None, -reach))
        joined = shift[earlier] + shift[later]
        lows, highs = (np.clip(part[earlier] + shift[later], low[later], high[later]) for part in (low, high))
        shift[later], low[later], high[later] = joined, lows, highs
        reach *= 2
    after = np.clip(start + shift, low, high)
    return np.concatenate([np.full_like(after[..., :1], start), after[..., :-1]], axis=-1)


def tanh(counts: np.ndarray, states: int, inputs: int = 1) -> np.ndarray:
    """Stanh (a stream, inputs 1) or Btanh (counts of `inputs` streams) [..., L], bool [..., L]."""
    steps = 2 * np.asarray(counts, dtype=np.int64) - inputs
    return saturated(steps, states, states // 2) >= states // 2


def relu(stream: np.ndarray, states: int) -> np.ndarray:
    """Bipolar streams [..., L] reflected at zero, bool [..., L]."""
    empty = ~stream & (saturated(2 * stream.astype(np.int64) - 1, states, 0) == 0)
    turns = np.cumsum(empty, axis=-1) % 2 == 1  # the first is answered by 1
    return stream | (empty & turns)
