"""A stochastic layer played cycle by cycle: every element compares, multiplies and adds its pulses, as docs/stochastic.md says."""

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.stochastic import numbers
from tests.stochastic.levels import level

PAIRS = {4: [(0, 2), (1, 3)], 8: [(0, 4), (2, 6), (1, 5), (3, 7)]}  # of an approximate adder, joined by AND and OR in turn


def step(operator: Operator, a: np.ndarray, w: np.ndarray, channels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """What elements accumulate, int64 [M, K], for activations [M, n] and weights [K, n] by their bits.

    channels, places: [n], where each product's operands stand in the map and in the kernel.
    """
    size, length = 32 // operator.width, operator.stream_length or 0
    lanes, bipolar, half = channels % size, operator.coding == "bipolar", 1 << (operator.weight_bits - 1)
    sign = np.ones(w.shape, dtype=np.int64) if bipolar else np.where(w >= half, -1, 1)
    if bipolar:
        a, w = (a + (1 << (operator.activation_bits - 1))) % (1 << operator.activation_bits), (w + half) % (2 * half)
    else:
        w = w % half
    total = np.zeros((len(a), len(w)), dtype=np.int64)
    for first in range(0, length, operator.width):
        played = []
        for t in range(first, first + operator.width):
            x, y = a > levels(operator, "activation", lanes, length, t), w > levels(operator, "weight", lanes, length, t)
            played.append(x[:, None] == y[None] if bipolar else x[:, None] & y[None])  # [M, K, n]
        if operator.adder == "approximate":
            for number, (i, j) in enumerate(PAIRS[operator.width]):
                joined = played[i] & played[j] if number % 2 == 0 else played[i] | played[j]
                total += 2 * (joined * sign).sum(axis=2)
            continue
        for t, pulses in enumerate(played, first):
            if operator.adder == "or":
                for at in np.unique(np.stack([channels // size, places]), axis=1).T:
                    inside = (channels // size == at[0]) & (places == at[1])
                    total += (pulses & (sign > 0) & inside).any(axis=2).astype(np.int64) - (pulses & (sign < 0) & inside).any(axis=2)
            else:
                chosen = lanes == numbers.sobol(8, 3, length)[t] * size >> 8 if operator.adder == "mux" else lanes >= 0
                total += (size if operator.adder == "mux" else 1) * (pulses * sign)[:, :, chosen].sum(axis=2)
    return total


def levels(operator: Operator, side: str, lanes: np.ndarray, length: int, t: int) -> np.ndarray:
    """What each lane's operand is compared with at time t."""
    bits = operator.activation_bits if side == "activation" else operator.weight_bits - (operator.coding == "sign_magnitude")
    sharing = operator.sharing or 16
    return np.array([level(operator.source or "", bits, side, length, int(lane) // sharing, t) for lane in lanes])
