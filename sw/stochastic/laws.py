"""What stochastic circuits compute on average, and how far they stray, for independent random streams of L bits.

Values are bipolar unless said otherwise: p_i = a_i w_i is a product, s the sum of N of them. The formulas take numpy arrays and torch
tensors, so that a search can differentiate them. `gatewright.sw.stochastic.measure` measures each of them at every degree of sharing.
"""

from typing import Any

import numpy as np

LOW_DISCREPANCY = {16: 3.0, 64: 5.5, 256: 10.0}
"""Stream length: how many times more accurate a sum of 25 conditional products of low-discrepancy streams is than of random ones."""


def counter_std(products: Any, length: int) -> Any:
    """Standard deviation of the sum of products [..., N] counted exactly (APC)."""
    return ((1 - products**2).sum(-1) / length) ** 0.5


def mux_std(total: Any, inputs: int, length: int) -> Any:
    """Standard deviation of N times the multiplexer's value, the sum being `total`: about sqrt(N) times the counter's."""
    return inputs * ((1 - (total / inputs) ** 2) / length) ** 0.5


def saturating_sum(values: Any) -> Any:
    """What an OR of unipolar streams of values [..., N] is on average."""
    return 1 - (1 - values).prod(-1)


def stanh(value: Any, states: int) -> Any:
    """The value of Stanh's output."""
    return _tanh(states * value / 2)


def btanh(total: Any, states: int, inputs: int) -> Any:
    """The value of Btanh's output; states = 2 * inputs gives tanh(total)."""
    return _tanh(total * states / (2 * inputs))


def relu(value: Any) -> Any:
    """The value of stochastic ReLU's output; the measured one is above it by reflected noise, at most about sqrt(2 / (pi L)) at zero."""
    return (value + abs(value)) / 2


def _tanh(x: Any) -> Any:
    return x.tanh() if hasattr(x, "tanh") else np.tanh(x)
