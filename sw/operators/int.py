"""Two's complement multiplication: codes are the values, zero bits are 0, an unused lane adds 0."""

import numpy as np

from gatewright.hw.config import Operator
from gatewright.sw.arithmetic import Arithmetic


def signed(bits: np.ndarray, width: int) -> np.ndarray:
    """Unsigned numbers of `width` bits read as two's complement, int64."""
    half = 1 << (width - 1)
    return ((np.asarray(bits, dtype=np.int64) + half) & (2 * half - 1)) - half


class Integer(Arithmetic):
    """a * w. Training leaves out the most negative weight, so that the weights' range is symmetric."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        limit = (1 << (operator.weight_bits - 1)) - 1
        self.weight_range = (-limit, limit)
        # Few levels are spent best on the middle of the distribution (near the Lloyd-Max steps of a normal variable).
        self.weight_clip = {2: 1.2, 3: 2.0, 4: 2.5, 5: 2.9}.get(operator.weight_bits, 3.5)
        self.activation_clip = {2: 1.6, 3: 2.2, 4: 2.6, 5: 3.0}.get(operator.activation_bits, 3.5)

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        activations = np.asarray(activation_bits, dtype=np.int64)
        if self.operator.activation_signed:
            activations = signed(activations, self.operator.activation_bits)
        return activations * signed(weight_bits, self.operator.weight_bits)


ARITHMETIC = Integer
