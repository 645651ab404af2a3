"""Layers in software: streams and bits by the compiled kernels, beside stepping cycles and beside matrix products and NumPy.

A side has one thread, unless it says otherwise. What it needs of the weights is made before, and of the activations too, unless it says so.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.hw.config import stochastic, xnor
from gatewright.hw.stochastic.numbers import sequence
from gatewright.sw.binary import BinaryKernels, packed
from gatewright.sw.operators import arithmetic

ROUNDS = 5
TURN = 0.2  # s, for which a side repeats its work
STREAM_SECONDS = 15e-3  # goal, of the layer of streams
BINARY_SECONDS = 0.4e-3  # goal, of the binary convolution
# Seconds on two such cores in 2026. UnarySim plays every cycle; sc-neurocore's bits are not those of its circuits.
STREAMS_CITED = {"UnarySim (cited)": 170.0, "sc-neurocore, compiled (cited)": 27.6e-3}
BINARY_CITED = {"Larq Compute Engine (cited)": 7.0e-3, "Brevitas (cited)": 3.5e-3}
Side = tuple[Callable[[], np.ndarray], int, int]
"""What a side does, how many products that is, and its threads."""


def timed(sides: dict[str, Side], against: str, goal: float, cited: dict[str, float], tiny: bool) -> list[Row]:
    """Rates of the sides. goal, cited: seconds for the work of the first."""
    before = torch.get_num_threads()

    def turn(work: Callable[[], np.ndarray], products: int, threads: int) -> float:
        torch.set_num_threads(threads)  # the compiled kernels' too
        work()
        return products

    try:
        works = {name: partial(turn, *side) for name, side in sides.items()}
        rows = race("products/s", works, 1 if tiny else ROUNDS, {name: against for name in sides if name != against}, 0.0 if tiny else TURN)
    finally:
        torch.set_num_threads(before)
    if not tiny:
        first, products = rows[0], next(iter(sides.values()))[1]
        for name, seconds in (cited | {"one core": goal}).items():
            rate = products / seconds
            origin: Literal["goal", "cited"] = "cited" if name in cited else "goal"
            rows.append(Row(name, rate, first.unit, ratio=rate / first.value, baseline=first.name, origin=origin))
    return rows


def run_streams(tiny: bool) -> tuple[list[Row], str]:
    (m, n, k), length = ((40, 32, 8), 16) if tiny else ((128, 1152, 128), 256)
    draw, operator = np.random.default_rng(1), stochastic(length)
    x, w = draw.integers(0, 256, (m, n)), draw.integers(-127, 128, (k, n))
    a = np.array(sequence("sobol", 8, "activation", length)) < x[..., None]  # bool [M, n, L]
    b = np.array(sequence("sobol", 7, "weight", length)) < np.abs(w)[..., None]
    signed = b.astype(np.int8) * np.sign(w)[..., None].astype(np.int8)
    few = x[:4]

    def compiled(adder: str) -> np.ndarray:
        made = arithmetic(operator.replace(adder=adder))
        return made.accumulate(x[..., None, None], w[..., None, None])[..., 0, 0]

    def stepped() -> np.ndarray:
        total, sign = np.zeros((len(few), k), dtype=np.int64), np.sign(w)
        for first, second in zip(sequence("sobol", 8, "activation", length), sequence("sobol", 7, "weight", length), strict=True):
            total += (((few > first)[:, None] & (np.abs(w) > second)) * sign).sum(axis=2)
        return total

    words, up, down = (np.packbits(part.reshape(len(part), -1), axis=1).view(np.uint64) for part in (a, signed > 0, signed < 0))

    def by_words() -> np.ndarray:
        pulses = (
            np.bitwise_count(row & up).sum(axis=1, dtype=np.int64) - np.bitwise_count(row & down).sum(axis=1, dtype=np.int64)
            for row in words
        )
        return np.stack(list(pulses))

    bits, weights = (torch.from_numpy(part.reshape(len(part), -1)) for part in (a.astype(np.int8), signed))
    floats, float_weights, turned = bits.float(), weights.float().T, weights.T.contiguous()
    exact, joined = "compiled, streams and all", "compiled, OR in groups of lanes"
    sides: dict[str, Side] = {
        exact: (partial(compiled, "exact"), m * n * k, 1),
        f"{exact}, 2 threads": (partial(compiled, "exact"), m * n * k, 2),
        "compiled, approximate adder": (partial(compiled, "approximate"), m * n * k, 1),
        "compiled, multiplexer": (partial(compiled, "mux"), m * n * k, 1),
        joined: (partial(compiled, "or"), m * n * k, 1),
        "stepped, NumPy": (stepped, len(few) * n * k, 1),
        "pulses packed, NumPy": (by_words, m * n * k, 1),
        "pulses as FP32, torch": (lambda: (floats @ float_weights).numpy(), m * n * k, 1),
        "pulses as int8, torch._int_mm": (lambda: torch._int_mm(bits, turned).numpy(), m * n * k, 1),
    }
    right = sides[exact][0]()
    equal("sums of kernels and of stepped elements", right[: len(few)], stepped())
    for name in list(sides)[6:]:
        equal(f"sums of kernels and of {name}", right, sides[name][0]())
    rows = timed(sides, "stepped, NumPy", STREAM_SECONDS, STREAMS_CITED, tiny)
    return rows, f"sums of {m} x {n} x {k} products (sums, products of each, kernels), streams of {length} bits, exact adder"


def run_binary(tiny: bool) -> tuple[list[Row], str]:
    channels, size, kernels = (64, 6, 16) if tiny else (256, 14, 256)
    draw = np.random.default_rng(2)
    x, w = draw.integers(0, 2, (1, channels, size, size)), draw.integers(0, 2, (kernels, channels, 3, 3))
    made, maps, products = BinaryKernels(w), packed(x, 1), x[0, 0].size * w.size
    signs, weights = (torch.from_numpy(2 * part - 1) for part in (np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), w))
    floats, float_weights = signs.float(), weights.float()
    patches = F.unfold(floats, 3)[0].T.to(torch.int8).contiguous()
    turned = weights.reshape(kernels, -1).T.to(torch.int8).contiguous()
    windows = np.lib.stride_tricks.sliding_window_view(maps[0, :, :, 0], (3, 3), axis=(0, 1)).transpose(0, 1, 3, 4, 2).reshape(size**2, -1)
    words = packed(w).reshape(kernels, -1)

    def differing(whole: bool) -> np.ndarray:
        return made.differing(packed(x, 1) if whole else maps)

    def by_words() -> np.ndarray:
        return np.stack([np.bitwise_count(window ^ words).sum(axis=1, dtype=np.int64) for window in windows])

    int8 = "patches as int8, torch._int_mm"
    sides: dict[str, Side] = {
        "compiled": (partial(differing, False), products, 1),
        "compiled, map packed in its time": (partial(differing, True), products, 1),
        "compiled, as a layer": (lambda: arithmetic(xnor()).accumulate(x, w, 1, 1), products, 1),
        "words, NumPy": (by_words, products, 1),
        "FP32 convolution, torch": (lambda: F.conv2d(floats, float_weights).numpy(), products, 1),
        int8: (lambda: torch._int_mm(patches, turned).numpy(), products, 1),
    }
    right = w[0].size - 2 * differing(True)
    equal("sums of kernels and convolution", right, sides["FP32 convolution, torch"][0]())
    equal("sums of kernels and matrix product", right.reshape(kernels, -1).T, sides[int8][0]())
    equal("bits that differ by kernels and NumPy", differing(False).reshape(kernels, -1).T, by_words())
    rows = timed(sides, int8, BINARY_SECONDS, BINARY_CITED, tiny)
    return rows, f"sums of {products:,} products of {channels} channels of {size} x {size}, {kernels} kernels of 3 x 3"


STREAMS = Benchmark("streams", "A stochastic layer, bit for bit", run_streams)
BINARY = Benchmark("binary", "A binary convolution", run_binary)
