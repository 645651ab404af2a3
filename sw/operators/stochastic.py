"""Products of bit streams, exactly as the gates count them.

A stream is 1 at time t where its operand exceeds the number source's t-th number; the two sources restart for every pair.
Sign-magnitude: the pulses of a and |w| that coincide, counted up or down by w's sign; zero never pulses, so padding adds 0.
Bipolar: the times at which both streams agree; zero is probability one half, so padding and unused lanes count about L / 2.
"""

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.stochastic.numbers import Side, sequence
from gatewright.sw.arithmetic import Arithmetic, checked


class Stochastic(Arithmetic):
    """Counts of coinciding pulses over a stream of L bits."""

    weight_clip = 2.5
    activation_clip = 2.5

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        limit = (1 << (operator.weight_bits - 1)) - 1
        self.weight_range = (-limit, limit)
        self.length = operator.stream_length or 0
        self.bipolar = operator.coding == "bipolar"
        # Sign-magnitude: L * (a / 2**b) * (w / 2**(wb - 1)). Bipolar: L / 2 * (1 + (a / 2**(b - 1)) * (w / 2**(wb - 1))).
        self.gain = self.length / 2.0 ** (operator.activation_bits + operator.weight_bits - 1)
        self.offset = self.length / 2 if self.bipolar else 0.0

    def stream(self, operand: np.ndarray, bits: int, side: Side) -> np.ndarray:
        """The stream of each operand of 0..2**bits - 1, bool [..., L]."""
        numbers = np.array(sequence(self.operator.source or "sobol", bits, side, self.length))
        return np.asarray(operand)[..., None] > numbers

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        activation_size, weight_size = self.operator.activation_bits, self.operator.weight_bits
        if self.bipolar:  # inverting a two's complement number's sign bit adds half its range
            a = self.stream(activation_bits ^ (1 << (activation_size - 1)), activation_size, "activation")
            w = self.stream(weight_bits ^ (1 << (weight_size - 1)), weight_size, "weight")
            return np.asarray(_count(a, w) + _count(~a, ~w))
        sign = 1 << (weight_size - 1)
        a = self.stream(activation_bits, activation_size, "activation")
        w = self.stream(weight_bits & (sign - 1), weight_size - 1, "weight")
        return np.where(weight_bits & sign, -1, 1) * _count(a, w)

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        if self.bipolar:
            return super().weight_bits(codes)
        codes = checked(codes, *self.weight_range, f"{self.operator.name} weight")
        return np.abs(codes) | (codes < 0).astype(np.int64) << (self.operator.weight_bits - 1)


def _count(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Times at which both streams are 1: a [A, 1, L] and w [1, W, L] give [A, W], int64; exact, for L is far below 2**24."""
    return np.rint(a[:, 0].astype(np.float32) @ w[0].astype(np.float32).T).astype(np.int64)


ARITHMETIC = Stochastic
