"""Activity against a naive loop over operand pairs, bits and lanes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gatewright.hw.config import Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.stochastic.numbers import sequence
from gatewright.sw.activity import Activity, Toggles, activities, activity
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer
from gatewright.sw.operators import arithmetic, pack_activations, pack_weights, unused_weight_bits

BITS = 32  # of an operand word
OPERATORS = (
    integer(8),
    integer(3, 5),
    integer(4, signed=True),
    binary_weight(4),
    shift(4),
    multiplication_free("mfnet", zero_sign=0),
    xnor(),
    stochastic(16, bits=4),
    stochastic(4, source="counter", bits=4),
    stochastic(32, "bipolar", "lfsr", 5),
)


def layer_of(operator: Operator, weights: np.ndarray, codes: np.ndarray, **shape: int) -> IntegerLayer:
    k, c, r, s = weights.shape
    layer = Layer(name="l", operator=operator, K=k, C=c * shape.get("groups", 1), H=codes.shape[2], W=codes.shape[3], R=r, S=s, **shape)
    zero = np.zeros(k, dtype=np.int64)
    return IntegerLayer(layer=layer, weights=weights, bias=zero, multiplier=zero + 1, shift=zero + 1, mode="raw")


def drawn(operator: Operator, seed: int, channels: int = 11) -> tuple[IntegerLayer, np.ndarray]:
    """One image, whose convolution has two pixels beside each other, so that nothing is left to a sample."""
    rng = np.random.default_rng(seed)
    low, high = operator.activation_range
    codes = rng.integers(low, high + 1, (1, channels, 2, 3))
    least, most = arithmetic(operator).weight_range
    weights = rng.integers(least, most + 1, (3, channels, 2, 2)).astype(np.int16)
    return layer_of(operator, weights, codes), codes


def words_of(layer: IntegerLayer, codes: np.ndarray, x: int) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Activation words of the pixel in column x, and weight words of every channel, in the order of time, as lists of lanes."""
    shape, op = layer.layer, layer.layer.operator
    lanes = BITS // op.width
    activations, weights = [], []
    for r in range(shape.R):
        for s in range(shape.S):
            for first in range(0, shape.C, lanes):
                inside = range(first, min(first + lanes, shape.C))
                activations.append([int(pack_activations(op, codes[0, c, r, x + s])) for c in inside])
                activations[-1] += [0] * (lanes - len(inside))
    for k in range(shape.K):
        weights.append([])
        for r in range(shape.R):
            for s in range(shape.S):
                for first in range(0, shape.C, lanes):
                    inside = range(first, min(first + lanes, shape.C))
                    weights[-1].append([int(pack_weights(op, layer.weights[k, c, r, s])) for c in inside])
                    weights[-1][-1] += [unused_weight_bits(op)] * (lanes - len(inside))
    return activations, weights


def cycles(op: Operator, a: list[int], w: list[int]) -> list[dict[str, list[int]]]:
    """What the lanes hold in each cycle of one operand pair: fields by name, and the lanes' values."""
    if op.kind != "stochastic":
        a, w = ([word & (1 << bits) - 1 for word in words] for words, bits in ((a, op.activation_bits), (w, op.weight_bits)))
        kind = arithmetic(op)
        values = [int(kind.multiply(np.array([[x]]), np.array([[y]]))[0, 0]) for x, y in zip(a, w, strict=True)]
        low, high = int(kind.tables.min()), int(kind.tables.max())
        width = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
        ands = [sum((x >> i & y >> j & 1) << 8 * i + j for i in range(8) for j in range(8)) for x, y in zip(a, w, strict=True)]
        return [{"activation": a, "weight": w, "partial": ands, "product": [v & (1 << width) - 1 for v in values], "value": values}]
    bipolar, length = op.coding == "bipolar", op.stream_length or 0
    sides = {}
    for side, words, bits in (("activation", a, op.activation_bits), ("weight", w, op.weight_bits)):
        compared = bits if bipolar or side == "activation" else bits - 1
        numbers = sequence(op.source or "sobol", compared, side, length)
        operands = [(x & (1 << bits) - 1) ^ (1 << bits - 1) if bipolar else x & (1 << compared) - 1 for x in words]
        sides[side] = [[operand > number for number in numbers] for operand in operands]
    signs = [0 if bipolar else x >> op.weight_bits - 1 & 1 for x in w]
    found = []
    for step in range(length // op.width):
        times = range(step * op.width, (step + 1) * op.width)
        fields: dict[str, list[int]] = {name: [] for name in ("activation", "weight", "partial", "product", "value")}
        for lane, sign in enumerate(signs):
            x, y = (sides[side][lane] for side in ("activation", "weight"))
            pulses = [(x[t] == y[t]) if bipolar else (x[t] and y[t]) for t in times]
            number = sum(pulse << j for j, pulse in enumerate(pulses))
            fields["activation"].append(sum(x[t] << j for j, t in enumerate(times)))
            fields["weight"].append(sum(y[t] << j for j, t in enumerate(times)) | sign << op.width)
            fields["partial"].append(number)
            fields["product"].append(number ^ ((1 << op.width) - 1 if sign else 0))
            fields["value"].append(-sum(pulses) if sign else sum(pulses))
        found.append(fields)
    return found


def flips(first: list[int], second: list[int]) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(first, second, strict=True))


def naive(layer: IntegerLayer, codes: np.ndarray) -> Toggles:
    """Toggles where both operands change, by walking through every pair of cycles that follow each other."""
    op = layer.layer.operator
    lanes = BITS // op.width
    here, weights = words_of(layer, codes, 0)
    there, _ = words_of(layer, codes, 1)
    kind = arithmetic(op)
    low, high = (
        (-op.width if op.coding == "sign_magnitude" else 0, op.width) if op.kind == "stochastic" else (kind.tables.min(), kind.tables.max())
    )
    counted: dict[str, list[float]] = {name: [] for name in Toggles.model_fields}
    for words in weights:
        pairs = [*zip(here, words, strict=True), (there[0], words[0])]
        for (a, w), (a2, w2) in pairwise(pairs):
            counted["activation_word"].append(flips(a, a2))
            counted["weight_word"].append(flips(w, w2))
        states = [state for a, w in pairs for state in cycles(op, a, w)]
        steps = len(states) // len(pairs)
        last, total, sums = len(states) - steps, 0, []
        for i, state in enumerate(states):
            total = sum(state["value"]) + (0 if i == last else total)
            sums.append(total)
        for i in range(last):
            first, second = states[i], states[i + 1]
            for name in ("activation", "weight", "partial", "product"):
                counted[name].append(flips(first[name], second[name]))
            one, two, tree, number = first["value"], second["value"], [], 1
            while len(one) > 1:
                one, two = ([sum(values[j : j + 2]) for j in range(0, len(values), 2)] for values in (one, two))
                number *= 2
                bits = max((-number * int(low) - 1).bit_length() if low < 0 else 0, (number * int(high)).bit_length()) + 1
                tree.append(flips([v & (1 << bits) - 1 for v in one], [v & (1 << bits) - 1 for v in two]))
            counted["tree"].append(tree)  # type: ignore[arg-type]
            counted["sum_sign"].append((one[0] < 0) != (two[0] < 0))
            differ = (sums[i] ^ sums[i + 1]) & 0xFFFFFFFF
            counted["accumulator"].append(differ.bit_count())
            counted["sign"].append(differ >> 31)
    parts = lanes if op.coding == "bipolar" else layer.layer.C / -(-layer.layer.C // lanes)
    by_lane = ("activation_word", "weight_word", "activation", "weight", "partial", "product")
    means = {name: float(np.mean(values)) / (parts if name in by_lane else 1) for name, values in counted.items() if name != "tree"}
    return Toggles(**means, tree=tuple(np.mean(counted["tree"], axis=0).tolist()))


def assert_close(found: Toggles, expected: Toggles) -> None:
    for name in Toggles.model_fields:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-4, abs=1e-9), name


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_toggles_are_those_of_a_naive_loop(operator: Operator) -> None:
    layer, codes = drawn(operator, seed=5)
    assert_close(activity(layer, codes, BITS).both, naive(layer, codes))


def test_held_operands_stand_still() -> None:
    layer, codes = drawn(integer(8), seed=6)
    found = activity(layer, codes, BITS)
    for held, moving, change in (("weight", "activation", found.pixel), ("activation", "weight", found.channel)):
        assert getattr(change, held) == getattr(change, f"{held}_word") == 0
        assert getattr(change, moving) > 1
        assert change.product > 0


def test_the_pixel_beside_is_a_naive_difference() -> None:
    layer, codes = drawn(integer(8), seed=7)
    (here, weights), (there, _) = words_of(layer, codes, 0), words_of(layer, codes, 1)
    found = activity(layer, codes, BITS).pixel
    filled = layer.layer.C / 3  # three words hold 11 channels
    assert found.activation == pytest.approx(np.mean([flips(a, b) for a, b in zip(here, there, strict=True)]) / filled, rel=1e-4)
    products = [
        [[cycles(integer(8), a, w)[0]["product"] for a, w in zip(words, column, strict=True)] for column in weights]
        for words in (here, there)
    ]
    expected = np.mean([flips(a, b) for one, two in zip(*products, strict=True) for a, b in zip(one, two, strict=True)]) / filled
    assert found.product == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("operator", "weight"), [(integer(8), 5), (xnor(), 1), (binary_weight(4), 1)], ids=["int", "xnor", "bw"])
def test_constant_operands_move_nothing(operator: Operator, weight: int) -> None:
    lanes = BITS // operator.width
    codes = np.ones((2, lanes, 4, 4), dtype=np.int64)
    found = activity(layer_of(operator, np.full((4, lanes, 3, 3), weight, dtype=np.int16), codes), codes, BITS)
    assert found.filled == 1
    for change in (found.both, found.pixel, found.channel):
        assert change.replace(accumulator=0, sign=0) == Toggles(**dict.fromkeys(BY_NAME, 0.0), tree=(0.0,) * (lanes.bit_length() - 1))


BY_NAME = [name for name in Toggles.model_fields if name != "tree"]


def test_a_depthwise_layer_moves_one_lane_of_weights() -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 256, (2, 8, 6, 6))
    weights = rng.integers(-127, 128, (8, 1, 3, 3)).astype(np.int16)
    dense = activity(layer_of(integer(8), rng.integers(-127, 128, (8, 8, 3, 3)).astype(np.int16), codes), codes, BITS).both
    depthwise = activity(layer_of(integer(8), weights, codes, groups=8), codes, BITS).both
    assert depthwise.weight == pytest.approx(dense.weight / 4, rel=0.2)
    assert depthwise.activation == pytest.approx(dense.activation, rel=0.1)


def test_the_same_every_time_and_other_for_other_operands() -> None:
    layer, codes = drawn(integer(4), seed=9)
    first = activity(layer, codes, BITS)
    assert activity(layer, codes, BITS) == first == Activity.from_json(first.to_json())
    assert activity(layer, codes // 4, BITS).both.activation < first.both.activation


def test_a_network_is_walked_by_the_golden_model(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, codes = drawn(integer(8), seed=10)
    shape = layer.layer.replace(name="after", C=3, H=1, W=2, R=1, S=1)
    after = replace(layer, layer=shape, weights=layer.weights[:, :3, :1, :1])
    given = codes[:, :3, :1, :2] // 2
    monkeypatch.setattr("gatewright.sw.activity.golden.run_layer", lambda _, taken: given)
    found = activities(IntegerNetwork(name="n", layers=(layer, after)), codes, BITS)
    assert found == (activity(layer, codes, BITS), activity(after, given, BITS))
