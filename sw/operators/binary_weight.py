"""Weights of -1 and +1 (bits 0 and 1) times integer activations: zero bits are 0, an unused lane adds or takes away 0."""

from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.sw.arithmetic import Arithmetic, checked, signs
from gatewright.sw.operators.int import signed


class BinaryWeight(Arithmetic):
    """+a where the weight's bit is 1, -a where it is 0."""

    weight_range = (0, 1)

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        self.activation_clip = {2: 1.6, 3: 2.2, 4: 2.6, 5: 3.0}.get(operator.activation_bits, 3.5)

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        activations = np.asarray(activation_bits, dtype=np.int64)
        if self.operator.activation_signed:
            activations = signed(activations, self.operator.activation_bits)
        return np.where(np.asarray(weight_bits) == 1, activations, -activations)

    def weight_value(self, codes: Any) -> Any:
        return 2 * codes - 1

    def quantise(self, latent: Any, deviation: Any = None) -> tuple[Any, Any]:
        return signs(latent)

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        return checked(codes, 0, 1, f"{self.operator.name} weight")


ARITHMETIC = BinaryWeight
