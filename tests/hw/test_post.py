"""Post-processing against the golden model: every mode, container and pooling, with extreme sums, biases, multipliers and shifts."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from gatewright.hw.config import MULTIPLIER_BITS, AcceleratorConfig, Operator, binary_weight, integer, xnor
from gatewright.hw.instructions import OutputMode
from gatewright.hw.post import LATENCY, Post
from gatewright.sw import golden
from gatewright.sw.integer import IntegerLayer
from gatewright.sw.layers import Layer

ROWS, COLS, PLANES = 2, 2, 4


@dataclass(frozen=True)
class Scenario:
    """A layer's post-processing: its mode, the next layer's operator (its container and range) and its pooling."""

    mode: str
    after: Operator | None = None
    low: int = 0
    pooling: str | None = None
    window: int = 1
    accumulator_bits: int = 24


SCENARIOS = {
    "relu to 8 bits": Scenario("requantise", integer(8)),
    "signed 8 bits": Scenario("requantise", integer(8, signed=True), low=-128),
    "signed 4 bits": Scenario("requantise", integer(4, signed=True), low=-8),
    "2 bits": Scenario("requantise", binary_weight(2)),
    "sign": Scenario("sign", xnor()),
    "raw": Scenario("raw"),
    "raw, 12 bits": Scenario("raw", accumulator_bits=12),
    "relu, 32 bits": Scenario("requantise", integer(8), accumulator_bits=32),
    "greatest of 3 x 3": Scenario("requantise", integer(8, signed=True), low=-128, pooling="max", window=3),
    "greatest sign of 2 x 2": Scenario("sign", xnor(), pooling="max", window=2),
    "average of 3 x 3": Scenario("requantise", integer(8), pooling="average", window=3),
    "signed average of 8 x 8": Scenario("requantise", integer(8, signed=True), low=-128, pooling="average", window=8),
    "average of 1": Scenario("requantise", integer(4), pooling="average", window=1),
}


def network_layer(scenario: Scenario, rng: np.random.Generator, width: int) -> IntegerLayer:
    """Two channels with random parameters, on an output of one row of windows."""
    size = scenario.window
    pooled = {"pooling": scenario.pooling, "pool_window": size, "pool_stride": size} if scenario.pooling else {}
    limit = 1 << (scenario.accumulator_bits - 3)
    return IntegerLayer(
        layer=Layer(name="post", operator=integer(8), C=1, K=COLS, H=size, W=width * size, **pooled),
        weights=np.zeros((COLS, 1, 1, 1), dtype=np.int16),
        bias=rng.choice([-limit, -1, 0, 1, limit], COLS),
        multiplier=rng.choice([1, 128, 255], COLS),
        shift=rng.choice([1, 2, 8, 15, scenario.accumulator_bits - 1, 31], COLS),
        mode=scenario.mode,
        low=scenario.low,
        high=scenario.after.activation_range[1] if scenario.after else 0,
    )


def sums(layer: IntegerLayer, rng: np.random.Generator, bits: int, width: int) -> np.ndarray:
    """[rows, channels, y, x], of one kind in a window: extremes, about the threshold, about the clamps, uniform."""
    shape = (ROWS, COLS, layer.layer.P, layer.layer.Q)
    limit = 3 << (bits - 3)
    bias, scale = layer.bias.reshape(1, COLS, 1, 1), (2.0**layer.shift / layer.multiplier).reshape(1, COLS, 1, 1)
    near = np.clip(np.rint(rng.integers(-300, 300, shape) * scale), -limit, limit - 1).astype(np.int64)
    kinds = [
        np.full(shape, -limit),
        np.full(shape, limit - 1),
        -bias + rng.integers(-1, 2, shape),
        near - bias,
        rng.integers(-limit, limit, shape),
    ]
    window = layer.layer.pool_window
    chosen = rng.integers(0, len(kinds), (ROWS, COLS, 1, shape[-1] // window)).repeat(window, axis=2).repeat(window, axis=3)
    return np.clip(np.choose(chosen, kinds), -limit, limit - 1)


def play(scenario: Scenario, layer: IntegerLayer, accumulated: np.ndarray) -> np.ndarray:
    """The circuit's results [rows, channels, out_h, out_w], read from what it writes to an output buffer full of ones."""
    config = AcceleratorConfig(
        rows=ROWS, cols=COLS, operand_bits=32, operators=(integer(8),), accumulator_bits=scenario.accumulator_bits, output_words=1024
    )
    width = layer.layer.out_w
    span = 8 * PLANES if scenario.after is None else scenario.after.activation_width
    post = Post(config, address_bits=14)
    rows = np.full((1024, config.output_bits), 1, dtype=np.int64)
    beats = []  # windows, samples of a window, grid rows, byte planes: address and sums of each
    size = scenario.window
    for x in range(width):
        for dy, dx in np.ndindex(size, size):
            for r in range(ROWS):
                for plane in range(PLANES if scenario.mode == "raw" else 1):
                    flags = (dy, dx) == (0, 0), (dy, dx) == (size - 1, size - 1)
                    beats.append(((r * width + x) * 32 + 8 * plane, accumulated[r, :, dy, x * size + dx], r, plane, *flags))
    samples = (size * size - 1).bit_length()

    async def bench(context: object) -> None:
        fields = {
            "mode": OutputMode[scenario.mode.upper()],
            "container": 3 if scenario.after is None else (scenario.after.activation_width - 1).bit_length(),
            "pool_average": scenario.pooling == "average",
            "pool_shift": samples if scenario.pooling == "average" else 0,
            "low": layer.low % 512,
            "high": layer.high,
        }
        for name, value in fields.items():
            context.set(post[name], int(value))
        scales = layer.multiplier | layer.shift << MULTIPLIER_BITS
        for cycle in range(2 * len(beats) + LATENCY + 1):
            beat = beats[cycle // 2] if cycle % 2 == 0 and cycle // 2 < len(beats) else None  # a pause after each beat
            context.set(post.beat, beat is not None)
            if beat:
                address, values, row, plane, first, last = beat
                for signal, value in ((post.address, address), (post.row_index, row), (post.plane, plane)):
                    context.set(signal, int(value))
                context.set(post.pool_first, bool(first))
                context.set(post.pool_last, bool(last))
                for c in range(COLS):
                    context.set(post.accumulators[c], int(values[c]))
            else:  # the parameters' memory answers a cycle after the beat
                bits = scenario.accumulator_bits
                context.set(post.bias, sum((int(layer.bias[c]) % (1 << bits)) << c * bits for c in range(COLS)))
                context.set(post.scale, sum(int(scales[c]) << c * (MULTIPLIER_BITS + 5) for c in range(COLS)))
            if enable := context.get(post.write_enable):
                data = context.get(post.write_data)
                for group in range(post.groups):
                    if enable >> group & 1:
                        for bit in range(group * COLS, (group + 1) * COLS):
                            rows[context.get(post.write_address), bit] = data >> bit & 1
            await context.tick()
        assert not context.get(post.busy)

    simulator = Simulator(post)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    flat = rows.reshape(-1, COLS)  # groups of `cols` bits
    found = np.zeros((ROWS, COLS, 1, width), dtype=np.int64)
    for r, x in np.ndindex(ROWS, width):
        bits = flat[(r * width + x) * 32 :][:span].reshape(-1)
        if scenario.mode == "raw":
            planes = bits.reshape(PLANES, COLS, 8) @ (1 << np.arange(8))
            codes = (planes << np.arange(0, 32, 8)[:, None]).sum(axis=0)
            found[r, :, 0, x] = (codes + (1 << 31)) % (1 << 32) - (1 << 31)
        else:
            codes = bits.reshape(COLS, span) @ (1 << np.arange(span))
            half = 1 << (span - 1)
            found[r, :, 0, x] = (codes + half) % (2 * half) - half if layer.low < 0 else codes
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SCENARIOS)
def test_results_are_the_golden_models(name: str, seed: int) -> None:
    scenario, rng = SCENARIOS[name], np.random.default_rng(seed)
    width = max(3, 48 // scenario.window**2)
    layer = network_layer(scenario, rng, width)
    accumulated = sums(layer, rng, scenario.accumulator_bits, width)
    if scenario.mode == "sign":  # the multiplier must not matter, only that the shift is not 0
        layer = replace(layer, multiplier=np.zeros(COLS, dtype=np.int64))
    expected = golden.pool(layer.layer, golden.post_process(layer, accumulated))
    np.testing.assert_array_equal(play(scenario, layer, accumulated), expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("name", ["sign", "relu to 8 bits", "signed 4 bits"])
def test_idle_columns_give_zero(name: str) -> None:
    """Multiplier and shift 0 mark a column without a channel: whatever it accumulates, its result is 0."""
    scenario, rng = SCENARIOS[name], np.random.default_rng(0)
    layer = replace(network_layer(scenario, rng, 24), multiplier=np.zeros(COLS, dtype=np.int64), shift=np.zeros(COLS, dtype=np.int64))
    accumulated = sums(replace(layer, multiplier=np.ones(COLS, dtype=np.int64)), rng, scenario.accumulator_bits, 24)
    assert not play(scenario, layer, accumulated).any()
