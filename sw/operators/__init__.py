"""The registry of operators' arithmetic: one module each, found by its name; other packages add theirs by entry point.

The functions below are the short way to an operator's `Arithmetic` (see `gatewright.sw.arithmetic`).
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.arithmetic import Arithmetic


@cache
def modules() -> dict[str, Any]:
    """Every operator's arithmetic module by its kind. A module has `ARITHMETIC`, a subclass of `Arithmetic`; floating point has none."""
    mine = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found: dict[str, Any] = {module.__name__.rpartition(".")[2]: module for module in mine if hasattr(module, "ARITHMETIC")}
    for entry in entry_points(group="gatewright.operators.arithmetic"):
        found[entry.name] = entry.load()
    return found


@cache
def arithmetic(operator: Operator) -> Arithmetic:
    """The arithmetic of an operator; one shared object per operator, so that tables are computed once."""
    if operator.kind not in modules():
        raise BadInput(f"no arithmetic for kind {operator.kind!r}; known kinds are {', '.join(sorted(modules()))}.")
    made: Arithmetic = modules()[operator.kind].ARITHMETIC(operator)
    return made


def product(operator: Operator, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Elementwise product of activation and weight codes, int64; see `Arithmetic.product`."""
    return arithmetic(operator).product(activations, weights)


def accumulate(operator: Operator, activations: np.ndarray, weights: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Convolution of codes [N, C, H, W] and [K, C, R, S] in the operator's arithmetic, int64 [N, K, P, Q]."""
    return arithmetic(operator).accumulate(activations, weights, stride, padding)


def value(operator: Operator, accumulated: np.ndarray, products: int) -> np.ndarray:
    """The sum of (integer activation x integer weight) that an accumulator of `products` products stands for, float64."""
    return arithmetic(operator).value(accumulated, products)


def pack_activations(operator: Operator, codes: np.ndarray) -> np.ndarray:
    """Unsigned lane contents, uint8 below 2**activation_width."""
    return arithmetic(operator).pack_activations(codes)


def pack_weights(operator: Operator, codes: np.ndarray) -> np.ndarray:
    """Unsigned lane contents, uint8 below 2**weight_width."""
    return arithmetic(operator).pack_weights(codes)


def unused_weight_bits(operator: Operator) -> int:
    """Lane contents of a weight word's lane beyond C (the activation lane holds zero bits)."""
    return arithmetic(operator).unused_weight_bits


def unused_product(operator: Operator) -> int:
    """What each unused lane adds to every accumulator; lowering takes it off the bias."""
    return arithmetic(operator).unused_product
