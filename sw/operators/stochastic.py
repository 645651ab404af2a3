"""Products of bit streams, exactly as the gates count them.

A stream is 1 at time t where its operand exceeds the number source's t-th number; the two sources restart for every pair.
Sign-magnitude: the pulses of a and |w| that coincide, counted up or down by w's sign; zero never pulses, so padding adds 0.
Bipolar: the times at which both streams agree; zero is probability one half, so padding and unused lanes count about L / 2.

With sharing groups a product depends on the lane, whose group rotates the shared numbers. So it does where a multiplexer adds, for
each lane has its own times; a lane's count is then multiplied by the number of lanes. An approximate counter joins two times of one cycle
of a lane. An OR joins the lanes of `PERIOD_BITS` operand bits: its sums are no sums of products, and are counted from the packed streams.
"""

import math
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.stochastic.numbers import Side
from gatewright.hw.stochastic.sharing import ALL_LANES, PERIOD_BITS, lane_sequence, pairing, selection
from gatewright.sw.addresses import maps, windows
from gatewright.sw.arithmetic import Arithmetic, checked
from gatewright.sw.kernels import threads

LARGE = 1 << 18  # joined products that are worth a thread
WIDE = 128  # kernels whose streams stay in a cache together


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
        self.lanes = PERIOD_BITS // operator.width
        self.joined_lanes = self.lanes if operator.adder == "or" else 1
        self.sharing = operator.sharing or ALL_LANES
        self.lane_period = self.lanes if self.sharing != ALL_LANES or operator.adder == "mux" else 1
        # Sign-magnitude: L * (a / 2**b) * (w / 2**(wb - 1)). Bipolar: L / 2 * (1 + (a / 2**(b - 1)) * (w / 2**(wb - 1))).
        self.gain = self.length / 2.0 ** (operator.activation_bits + operator.weight_bits - 1)
        self.offset = self.length / 2 if self.bipolar else 0.0

    def stream(self, operand: np.ndarray, bits: int, side: Side, lane: int = 0) -> np.ndarray:
        """The stream of each operand of 0..2**bits - 1 in a lane, bool [..., L]."""
        numbers = lane_sequence(self.operator.source or "sobol", bits, side, self.length, lane % self.lanes // self.sharing)
        return np.asarray(operand)[..., None] > np.array(numbers)

    def activation_streams(self, bits: np.ndarray, lane: int = 0) -> np.ndarray:
        """Streams of activations given by their bits (any shape), bool [..., L]."""
        size = self.operator.activation_bits
        return self.stream(bits ^ (1 << (size - 1)) if self.bipolar else bits, size, "activation", lane)

    def weight_streams(self, bits: np.ndarray, lane: int = 0) -> np.ndarray:
        """Streams of weights given by their bits, of magnitudes where the sign stands beside them, bool [..., L]."""
        size = self.operator.weight_bits
        sign = 1 << (size - 1)
        return self.stream(bits ^ sign, size, "weight", lane) if self.bipolar else self.stream(bits & (sign - 1), size - 1, "weight", lane)

    def multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray) -> np.ndarray:
        return self.lane_multiply(activation_bits, weight_bits, 0)

    def lane_multiply(self, activation_bits: np.ndarray, weight_bits: np.ndarray, lane: int) -> np.ndarray:
        a, w = self.activation_streams(activation_bits, lane)[:, 0], self.weight_streams(weight_bits, lane)[0]
        if self.operator.adder == "mux":
            mine = np.array(selection(self.lanes, self.length)) == lane % self.lanes
            counted = self.lanes * self._count(a[:, mine], w[:, mine])
        elif self.operator.adder == "approximate":
            counted = self._approximate(a, w)
        else:
            counted = self._count(a, w)
        sign = 1 << (self.operator.weight_bits - 1)
        return counted if self.bipolar else np.where(weight_bits & sign, -1, 1) * counted

    def _count(self, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Pulses of the products of streams [A, L] and [W, L], int64 [A, W]."""
        return _coincide(a, w) + _coincide(~a, ~w) if self.bipolar else _coincide(a, w)

    def _approximate(self, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Twice the ANDs and ORs, in turn, of the product's pulses at two times; each cycle's times are paired in `pairing`'s order."""
        width = self.operator.width
        times = (np.arange(0, self.length, width)[:, None] + np.array(pairing(width))).reshape(-1)
        a, w, total = a[:, times], w[:, times], np.zeros((len(a), len(w)), dtype=np.int64)
        for odd in (0, 1):
            first, second = ((a[:, i::4], w[:, i::4]) for i in (2 * odd, 2 * odd + 1))
            both = _both(first, second, bipolar=self.bipolar)
            total += 2 * (self._count(*first) + self._count(*second) - both if odd else both)
        return total

    def counts(self, bits: np.ndarray, weights: np.ndarray, stride: int, padding: int, first: int, groups: int) -> np.ndarray:
        if self.joined_lanes == 1:
            return super().counts(bits, weights, stride, padding, first, groups)
        kernels, _, *kernel = weights.shape
        padded = np.pad(bits.astype(np.uint16), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        places, offsets = windows(padded.shape, kernel, stride, groups)
        channels = (first + np.arange(offsets.size) // math.prod(kernel)).reshape(groups, -1)
        workers = max(1, min(threads.limit(), len(places) * weights.size // LARGE))
        parts = threads.slices(len(places), workers), threads.slices(kernels // groups, -(-kernels // groups // WIDE))
        sums, work = np.zeros((len(places), groups, kernels // groups), dtype=np.int64), []
        for g, one in enumerate(weights.reshape(groups, kernels // groups, -1)):
            where, lanes, columns = self._joined(offsets[g], channels[g], one)
            for some, part in product(*parts):
                own = padded.reshape(-1), places[some], where, lanes, np.ascontiguousarray(columns[..., part]), *self._packed
                work.append(partial(_count_joined, sums[some, g, part], *own))
        threads.together(work, workers)
        return maps(sums, padded.shape, kernel, stride)

    def _joined(self, offsets: np.ndarray, channels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets [n], channels [n] and weights [K, n] by the sets that an OR joins: offsets and lanes [sets, n], weights [sets, n, K].

        A set is the lanes of one place in the kernel; those without a channel have weight zero, which never pulses.
        """
        places = np.arange(len(channels)) % (channels == channels[0]).sum()
        _, number = np.unique(np.stack([channels // self.lanes, places]), axis=1, return_inverse=True)
        at = number.reshape(-1), channels % self.lanes
        shape = (int(at[0].max()) + 1, -(-self.lanes // 4) * 4)
        where, columns = np.full(shape, offsets[0]), np.zeros((*shape, len(weights)), dtype=np.uint16)
        where[at], columns[at] = offsets, weights.T
        return where, np.tile(np.arange(shape[1]) % self.lane_period, (shape[0], 1)), columns

    @cached_property
    def _packed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Streams in each lane, 64 bits a word, uint64: of activations [lane_period, 2**bits, words]; of positive weights and of negative
        ones, the others being silent, [lane_period, words, 2**bits]."""
        a, w = (np.arange(1 << size) for size in (self.operator.activation_bits, self.operator.weight_bits))
        lanes = range(self.lane_period)
        activations = _words(np.stack([self.activation_streams(a, i) for i in lanes]))
        weights = _words(np.stack([self.weight_streams(w, i) for i in lanes]))
        weights = np.ascontiguousarray(weights.transpose(0, 2, 1))
        negative = w >= len(w) // 2
        return activations, np.where(negative, np.uint64(0), weights), np.where(negative, weights, np.uint64(0))

    def weight_bits(self, codes: np.ndarray) -> np.ndarray:
        if self.bipolar:
            return super().weight_bits(codes)
        codes = checked(codes, *self.weight_range, f"{self.operator.name} weight")
        return np.abs(codes) | (codes < 0).astype(np.int64) << (self.operator.weight_bits - 1)


def _coincide(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Times at which both are 1: a [A, L] and w [W, L] give int64 [A, W]; exact, for L is far below 2**24."""
    return np.rint(a.astype(np.float32) @ w.astype(np.float32).T).astype(np.int64)


def _both(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], *, bipolar: bool) -> np.ndarray:
    """How often a product pulses at the first and at the second time of a pair, streams [A, pairs] and [W, pairs] at each."""
    levels = (True, False) if bipolar else (True,)
    patterns = [(x, y) for x in levels for y in levels]
    counts = [_coincide((first[0] == x) & (second[0] == y), (first[1] == x) & (second[1] == y)) for x, y in patterns]
    return np.sum(counts, axis=0)


def _count_joined(sums: np.ndarray, *arguments: np.ndarray) -> None:
    """`kernels.packed.joined` into sums that may stand among others."""
    from gatewright.sw.kernels.packed import joined  # takes a second

    counted = np.zeros(sums.shape, dtype=np.int64)
    compiled: Any = joined
    compiled(*arguments, counted)
    sums[:] = counted


def _words(streams: np.ndarray) -> np.ndarray:
    """Bits [..., L] as words of 64, the last filled with zeros, uint64 [..., L / 64 rounded up]."""
    padded = np.pad(streams, [(0, 0)] * (streams.ndim - 1) + [(0, -streams.shape[-1] % 64)])
    return np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)


ARITHMETIC = Stochastic
