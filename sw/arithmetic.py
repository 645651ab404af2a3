"""What an operator computes, on integers: the base class of every operator's arithmetic.

Words: a *code* is the integer a network holds (signed, unsigned or a bit); *bits* are the same as an unsigned lane content; a
*value* is the number the code stands for in ordinary arithmetic (an XNOR code 0 has value -1). The product of two codes is
the integer the circuit adds to its accumulator, near gain * value * value + offset (or a sum of such products, its terms). All of it is
docs/hardware.md in code.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.addresses import maps, outputs, windows
from gatewright.sw.tabulated import Tabulated

FLOAT32_EXACT = 1 << 24  # integers below this are exact in float32, whatever the order of their sum
CHUNK = 1 << 22  # elements of patch matrix made at a time, so that memory stays small for any batch


Terms = tuple[tuple[Any, Any], ...]
"""Factors of values, one for each term of a product, each with the derivative by the value that training uses: arrays or tensors."""


class Arithmetic(ABC):
    """An operator's arithmetic on numpy integers. A subclass gives the product of values, the codes' meaning and the ranges."""

    weight_range: tuple[int, int]
    """Least and greatest weight code that training uses; symmetric wherever a sign exists."""
    gain: float = 1.0
    offset: float = 0.0
    unused_weight_bits: int = 0
    lane_period: int = 1
    """Channels after which products repeat: that of channel c is `lane_multiply` in lane c mod lane_period."""
    joined_lanes: int = 1
    """Neighbouring lanes whose pulses an OR joins; if more than one, the subclass has its own `counts`."""
    packed: bool = False
    """Whether the subclass has `counts` faster than matrix products, though products are linear."""
    weight_clip: float = 3.0
    """Greatest weight, in standard deviations of the layer's weights, that training represents."""
    activation_clip: float = 3.0
    """Greatest activation, in standard deviations before ReLU, that training starts from."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    @abstractmethod
    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        """The defining product of unsigned lane bits, a column [A, 1] of activations by a row [1, W] of weights, int64 [A, W]."""

    def lane_multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray, lane: int) -> np.ndarray:
        """`multiply` in a lane, where lanes differ."""
        return self.multiply(activation_bits, weight_bits)

    def activation_value(self, codes: Any) -> Any:
        """What activation codes stand for. Takes and returns a numpy array or a torch tensor."""
        return codes

    def weight_value(self, codes: Any) -> Any:
        """What weight codes stand for. Takes and returns a numpy array or a torch tensor."""
        return codes

    def activation_terms(self, values: Any) -> Terms:
        """What an activation's value is multiplied by in each term of the product: one term, the value itself, unless overridden."""
        return ((values, 1.0),)

    def weight_terms(self, values: Any) -> Terms:
        """The weight's side of the same terms."""
        return ((values, 1.0),)

    def quantise(self, latent: Any, deviation: Any = None) -> tuple[Any, Any]:
        """Codes of latent weights (a tensor), and the smooth function of them whose gradient the codes' values get in training.

        The step is proportional to `deviation`, by default the standard deviation of the whole layer's weights: no scale is learned,
        for normalisation undoes any. Imported weights have a fixed one for each output channel.
        """
        low, high = self.weight_range
        scaled = self.standardised(latent, high, deviation)
        return scaled.detach().round().clamp(low, high), scaled.clamp(low, high)

    def standardised(self, latent: Any, greatest: float, deviation: Any = None) -> Any:
        """Latent weights (a tensor) times what makes `weight_clip` of their standard deviations (or of `deviation`) `greatest`."""
        spread = latent.detach().std().clamp(min=1e-12) if deviation is None else deviation
        return latent * (greatest / (self.weight_clip * spread))

    def activation_bits(self, codes: np.ndarray) -> np.ndarray:
        """Codes as unsigned numbers of `activation_bits` bits, int64. Raises BadInput outside the operator's range."""
        low, high = self.operator.activation_range
        return checked(codes, low, high, f"{self.operator.name} activation") & ((1 << self.operator.activation_bits) - 1)

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        """Codes as unsigned numbers of `weight_bits` bits, int64 (two's complement unless a subclass says otherwise)."""
        half = 1 << (self.operator.weight_bits - 1)
        return checked(codes, -half, half - 1, f"{self.operator.name} weight") & (2 * half - 1)

    def pack_activations(self, codes: np.ndarray) -> np.ndarray:
        """Lane contents, uint8; signed codes are sign-extended to the lane."""
        self.activation_bits(codes)
        return (np.asarray(codes, dtype=np.int64) & ((1 << self.operator.activation_width) - 1)).astype(np.uint8)

    def pack_weights(self, codes: np.ndarray) -> np.ndarray:
        """Lane contents, uint8; the code's bits, and zeros above them where the lane is wider."""
        return self.weight_bits(codes).astype(np.uint8)

    @cached_property
    def tables(self) -> np.ndarray:
        """Every product in every lane, int64 [lane_period, 2**activation_bits, 2**weight_bits], indexed by bits."""
        a = np.arange(1 << self.operator.activation_bits)[:, None]
        w = np.arange(1 << self.operator.weight_bits)[None, :]
        return np.stack([self.lane_multiply(a, w, lane) for lane in range(self.lane_period)])

    @property
    def table(self) -> np.ndarray:
        """Every product in the first lane, int64 [2**activation_bits, 2**weight_bits]; in every lane where lanes do not differ."""
        first: np.ndarray = self.tables[0]
        return first

    @cached_property
    def activation_values(self) -> np.ndarray:
        """The value of each activation, indexed by bits, int64."""
        low, high = self.operator.activation_range
        codes = np.arange(low, high + 1)
        return self.activation_value(codes)[np.argsort(self.activation_bits(codes))]

    @cached_property
    def linear(self) -> bool:
        """Whether every product is exactly gain * (the sum of its terms) + offset, so that matrix products compute sums."""
        low, high = self.weight_range
        codes = np.arange(low, high + 1)
        terms = zip(self.activation_terms(self.activation_values), self.weight_terms(self.weight_value(codes)), strict=True)
        ideal = self.gain * sum(np.outer(a, w) for (a, _), (w, _) in terms) + self.offset
        return self.joined_lanes == 1 and bool(np.equal(ideal, self.tables[:, :, self.weight_bits(codes)]).all())

    @property
    def unused_product(self) -> int:
        """What one lane beyond C (the last of a word) adds to the accumulator in each product slot."""
        return self.unused_products(1)

    def unused_products(self, idle: int) -> int:
        """What the last `idle` lanes of a word, lanes beyond C, add together in each product slot."""
        return sum(int(self.tables[-1 - i % self.lane_period, 0, self.unused_weight_bits]) for i in range(idle))

    def bound(self, products: int) -> int:
        """No sum of `products` products is greater in magnitude, before or after gain and offset."""
        weights = self.weight_value(np.array(self.weight_range))
        terms = zip(self.activation_terms(self.activation_values), self.weight_terms(weights), strict=True)
        values = sum(np.abs(a).max() * np.abs(w).max() for (a, _), (w, _) in terms)
        return products * int(max(np.abs(self.tables).max(), values))

    def value(self, accumulated: np.ndarray, products: int) -> np.ndarray:
        """The sum of value x value that accumulators of `products` products stand for, float64, same shape."""
        return (np.asarray(accumulated, dtype=np.float64) - self.offset * products) / self.gain

    def product(self, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Elementwise product of codes (broadcast), int64."""
        return self.table[self.activation_bits(activations), self.weight_bits(weights)]

    def accumulate(
        self, activations: np.ndarray, weights: np.ndarray, stride: int = 1, padding: int = 0, first: int = 0, groups: int = 1
    ) -> np.ndarray:
        """Convolution of codes [N, C, H, W] with [K, C / groups, R, S], exact, int64 [N, K, P, Q].

        Outside the image the activation has zero bits, whatever that means to the operator. `first`: channel of the feature map that
        is channel 0 here (lanes go by the map's channels).
        """
        bits = self.activation_bits(activations)
        if self.packed or not self.linear or not _within(weights, *self.weight_range):
            return self.counts(bits, self.weight_bits(weights), stride, padding, first, groups)
        return self._linear_sums(bits, weights, stride, padding, groups)

    def _linear_sums(self, bits: np.ndarray, weights: np.ndarray, stride: int, padding: int, groups: int) -> np.ndarray:
        """The same by a matrix product for each term, in floating point wide enough to be exact."""
        kernels, size, *kernel = weights.shape
        sides = self.activation_terms(self.activation_values), self.weight_terms(self.weight_value(weights.astype(np.float64)))
        factors = [(a, w) for (a, _), (w, _) in zip(*sides, strict=True)]
        reach = sum(np.abs(a).max() * np.abs(w).reshape(kernels, -1).sum(axis=1).max() for a, w in factors)
        dtype = np.float32 if reach < FLOAT32_EXACT else np.float64
        around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        padded = np.pad(bits.transpose(0, 2, 3, 1), around)  # channels last: what is next to each other in a window, is so in memory
        shape = len(padded), bits.shape[1], *padded.shape[1:3]
        p, q = outputs(shape, kernel, stride)
        result, products = np.zeros((len(padded), p, q, groups, kernels // groups)), weights[0].size
        for a, w in factors:
            values = a.astype(dtype)[padded].reshape(*padded.shape[:3], groups, size)
            windows = np.lib.stride_tricks.sliding_window_view(values, kernel, axis=(1, 2))[:, ::stride, ::stride]
            columns = w.astype(dtype).reshape(groups, -1, size, *kernel).transpose(0, 3, 4, 2, 1).reshape(groups, products, -1)
            for part in _parts(len(values), windows[0].size):
                patches = windows[part].transpose(3, 0, 1, 2, 5, 6, 4).reshape(groups, -1, products)
                result[part] += (patches @ columns).transpose(1, 0, 2).reshape(-1, *result.shape[1:])
        if self.gain != 1 or self.offset:
            result = np.rint(self.gain * result + self.offset * products)
        return maps(result.astype(np.int64), shape, kernel, stride)

    def counts(self, bits: np.ndarray, weights: np.ndarray, stride: int, padding: int, first: int, groups: int) -> np.ndarray:
        """The same from bits, int64, of activations [N, C, H, W] and weights [K, C / groups, R, S], whatever their products are."""
        kernels, _, *kernel = weights.shape
        rows = self.tabulated.rows
        around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
        padded = np.pad(rows[bits], around, constant_values=rows[0])
        places, offsets = windows(padded.shape, kernel, stride, groups)
        lanes = (first + np.arange(offsets.size) // math.prod(kernel)).reshape(groups, -1) % self.lane_period
        sums = self.tabulated.sums(padded, places, offsets, lanes, weights.reshape(groups, kernels // groups, -1))
        return maps(sums, padded.shape, kernel, stride)

    @cached_property
    def tabulated(self) -> Tabulated:
        """Sums by the `tables`."""
        return Tabulated(self.tables)


def _within(codes: np.ndarray, low: int, high: int) -> bool:
    return bool(codes.min() >= low and codes.max() <= high) if codes.size else True


def signs(latent: Any) -> tuple[Any, Any]:
    """The quantiser (see `Arithmetic.quantise`) of weights that are a sign: codes 0 and 1."""
    return (latent.detach() >= 0).to(latent.dtype), latent.clamp(-1, 1)


def checked(codes: np.ndarray, low: int, high: int, what: str) -> np.ndarray:
    """The codes as int64, or BadInput naming the one out of range."""
    codes = np.asarray(codes)
    if not np.issubdtype(codes.dtype, np.integer):
        raise BadInput(f"{what} codes must be integers; got {codes.dtype}.")
    if not _within(codes, low, high):
        worst = codes.min() if codes.min() < low else codes.max()
        raise BadInput(f"{what} codes go from {low} to {high}; got {worst}.")
    return codes.astype(np.int64, copy=False)


def _parts(images: int, size: int) -> Iterator[slice]:
    """Slices of the batch whose patch matrices, `size` elements an image, stay within CHUNK elements."""
    step = max(1, CHUNK // size)
    return (slice(start, start + step) for start in range(0, images, step))
