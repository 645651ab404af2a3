"""Signed powers of two times integer activations (deep shift; Elhoushi et al., arXiv 1905.13298).

A code c >= 0 is the weight 2**c, a code c < 0 is -2**(-1 - c), so codes ascend with the weights: -8, -4, -2, -1, 1, 2, 4, 8 for 4
exponents. There is no weight 0. Zero bits of an activation are 0, so padding and unused lanes add 0.
"""

from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.sw.arithmetic import Arithmetic, checked
from gatewright.sw.operators.int import signed


class Shift(Arithmetic):
    """Plus or minus a << e. Training rounds weights to the nearest power of two, as DeepShift-Q does."""

    weight_clip = 2.0

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        self.exponents = operator.exponents or 0
        self.weight_range = (-self.exponents, self.exponents - 1)
        self.activation_clip = {2: 1.6, 3: 2.2, 4: 2.6, 5: 3.0}.get(operator.activation_bits, 3.5)

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        """Bits that are no weight, an exponent beyond those in use, have products 0: no program holds them."""
        activations, bits = np.asarray(activation_bits, dtype=np.int64), np.asarray(weight_bits, dtype=np.int64)
        if self.operator.activation_signed:
            activations = signed(activations, self.operator.activation_bits)
        sign = 1 << (self.operator.weight_bits - 1)
        exponent = bits & (sign - 1)
        return np.where(exponent < self.exponents, np.where(bits & sign, -1, 1) * (activations << exponent), 0)

    def weight_value(self, codes: Any) -> Any:
        negative = (codes < 0) * 1
        sign = 1 - 2 * negative
        return sign * 2.0 ** (sign * codes - negative)

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        codes = checked(codes, *self.weight_range, f"{self.operator.name} weight")
        return np.where(codes < 0, (1 << (self.operator.weight_bits - 1)) + ~codes, codes)

    def quantise(self, latent: Any, deviation: Any = None) -> tuple[Any, Any]:
        """The nearest exponent to the logarithm; the greatest weight, 2**(exponents - 1), is `weight_clip` standard deviations."""
        greatest = 2.0 ** (self.exponents - 1)
        scaled = self.standardised(latent, greatest, deviation)
        exponent = scaled.detach().abs().log2().round().clamp(0, self.exponents - 1)
        negative = (scaled.detach() < 0).to(latent.dtype)
        return (1 - 2 * negative) * exponent - negative, scaled.clamp(-greatest, greatest)


ARITHMETIC = Shift
