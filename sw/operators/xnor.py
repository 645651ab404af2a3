"""Weights and activations of -1 and +1 (bits 0 and 1): the product counts equal bits.

There is no zero, so an XNOR layer pads with -1 (zero bits). An unused lane has activation -1 and weight +1, and counts nothing.
Sums are the products less the bits that differ, which are counted 64 at a time.
"""

from typing import Any

import numpy as np

from gatewright.sw.arithmetic import Arithmetic, checked, signs


class Xnor(Arithmetic):
    """1 where the bits are equal, else 0; so the sum of n products of values is 2 * count - n."""

    weight_range = (0, 1)
    gain = 0.5
    offset = 0.5
    unused_weight_bits = 1
    packed = True

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        return (np.asarray(activation_bits) == np.asarray(weight_bits)).astype(np.int64)

    def counts(self, bits: np.ndarray, weights: np.ndarray, stride: int, padding: int, first: int, groups: int) -> np.ndarray:
        from gatewright.sw.binary import BinaryKernels, packed  # compiled code takes a second

        kernels = BinaryKernels(weights, groups)
        return kernels.products - kernels.differing(packed(bits, padding, groups), stride)

    def activation_value(self, codes: Any) -> Any:
        return 2 * codes - 1

    def weight_value(self, codes: Any) -> Any:
        return 2 * codes - 1

    def quantise(self, latent: Any, deviation: Any = None) -> tuple[Any, Any]:
        return signs(latent)

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        return checked(codes, 0, 1, f"{self.operator.name} weight")


ARITHMETIC = Xnor
