"""Magnitudes under both operands' signs (ENOS, Nasrin et al., arXiv 2104.05217): a product is two terms, each with one sign.

Both operands' codes count in one unit, so their scales are tied: the activations' is what the layer before (or the image) gives them,
and training scales a layer's weights so that `weight_clip` of their standard deviations are the greatest weight code. With unsigned
activations and sgn(0) = 1 every activation's sign is 1: the weights' magnitudes add a constant, and only their signs matter.
"""

from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.sw.arithmetic import Arithmetic, Terms
from gatewright.sw.operators.int import signed

STEEPNESS = 4.0  # of sgn in training; networks on digits reached less with 1 or 2, no more with 8


class MultiplicationFree(Arithmetic):
    """`l1`: a * sgn(w) + sgn(a) * w. `mfnet`: |a| * sgn(w) + sgn(a) * |w|. Training leaves out the most negative weight."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        self.limit = (1 << (operator.weight_bits - 1)) - 1
        self.weight_range = (-self.limit, self.limit)
        self.weight_clip = {2: 1.2, 3: 2.0, 4: 2.5, 5: 2.9}.get(operator.weight_bits, 3.5)
        self.activation_clip = {2: 1.6, 3: 2.2, 4: 2.6, 5: 3.0}.get(operator.activation_bits, 3.5)

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        a, w = np.asarray(activation_bits, dtype=np.int64), signed(weight_bits, self.operator.weight_bits)
        if self.operator.activation_signed:
            a = signed(a, self.operator.activation_bits)
        if self.operator.variant == "l1":
            return a * self.sign(w) + self.sign(a) * w
        return abs(a) * self.sign(w) + self.sign(a) * abs(w)

    def sign(self, values: Any) -> Any:
        """sgn of an array or a tensor, sgn(0) being the operator's."""
        return (values > 0) * 1 - (values < 0) * 1 + (values == 0) * (self.operator.zero_sign or 0)

    def activation_terms(self, values: Any) -> Terms:
        return self.magnitude(values), (self.sign(values), 0.0)

    def weight_terms(self, values: Any) -> Terms:
        """Signs must learn: going back, sgn rises linearly in the middle half of the weights' range, and is constant beyond."""
        slope = STEEPNESS / self.limit * (abs(values) <= self.limit / 2)
        return (self.sign(values), slope), self.magnitude(values)

    def magnitude(self, values: Any) -> tuple[Any, Any]:
        """What takes the other operand's sign, with its derivative."""
        return (values, 1.0) if self.operator.variant == "l1" else (abs(values), self.sign(values))


ARITHMETIC = MultiplicationFree
