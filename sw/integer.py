"""The network in integers: what lowering packs into a program and what the golden model computes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from gatewright.sw.layers import Layer, Workload

Mode = Literal["requantise", "sign", "raw"]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer:
    """One layer with everything post-processing needs; the arithmetic is defined in docs/hardware.md.

    weights: int16 [K, C / groups, R, S] codes (binary_weight and xnor: bits 0 and 1; else signed integers).
    bias: int64 [K], added to the sum of `product(activation code, weight code)` over C, R, S.
    multiplier, shift: int64 [K], used by mode `requantise`; low, high: clamp of the requantised value.
    """

    layer: Layer
    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    mode: Mode
    low: int = 0
    high: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """Integer layers in the order of their workload. The last one's mode is `raw`: its values are the logits, before the float scale."""

    name: str
    layers: tuple[IntegerLayer, ...]

    @cached_property
    def workload(self) -> Workload:
        """The shape of the work."""
        return Workload(name=self.name, layers=tuple(layer.layer for layer in self.layers))
