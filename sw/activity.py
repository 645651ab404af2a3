"""How much a layer's operands move: mean toggles, from one operand pair to the next, of what a processing element holds.

Counted on the golden model's integers, in the order in which an element takes its operands: channel words innermost, then S, R and the
pixel beside. A mapping that holds an operand still changes that, so these changes are counted apart. A sample of pixels and channels
stands for the layer. Unit costs of energy multiply these numbers: a quiet layer is cheaper than a busy one.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from pydantic import Field

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun
from gatewright.hw.ranges import range_bits
from gatewright.hw.stochastic.sharing import PERIOD_BITS, selection
from gatewright.sw import golden
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.operators import arithmetic
from gatewright.sw.operators.stochastic import Stochastic

IMAGES = 64  # whose operands are looked at
CHANNELS = 8  # output channels of the sample
PIXELS = 256  # of the sample, at most
BUDGET = 1 << 19  # lane products of the sample, about
SUM_BITS = 32  # of an accumulator: a narrower one has fewer copies of its sign
DIGITS = 5


class Toggles(Noun):
    """Bits that change from one operand pair to the next, on average.

    In a lane that a channel fills (of bipolar streams: in any lane): `activation_word`, `weight_word` as the buffers hold them,
    `activation`, `weight` as the lanes take them, `partial` (ANDs of operand bits; of streams the pulses of products) and `product`.
    In an element: `tree` (all sums of 2 lanes, all sums of 4, ...; the last is the sum of all) and that sum's `sum_sign`, `accumulator`
    (of 32 bits) and its `sign`.
    """

    activation_word: float = Field(ge=0)
    weight_word: float = Field(ge=0)
    activation: float = Field(ge=0)
    weight: float = Field(ge=0)
    partial: float = Field(ge=0)
    product: float = Field(ge=0)
    tree: tuple[float, ...]
    sum_sign: float = Field(ge=0)
    accumulator: float = Field(ge=0)
    sign: float = Field(ge=0)


class Activity(Noun):
    """One layer's toggles: `both` operands change; from a `pixel` to the one beside it, the weight held; from one output `channel` to
    another, the activation held. In the latter two `accumulator` is the difference of two accumulators.

    Streams play on in every step whatever is held: their three differ in words and accumulators only. `filled`: the part of a word's lanes
    that have a channel.
    """

    filled: float = Field(gt=0, le=1)
    both: Toggles
    pixel: Toggles
    channel: Toggles


@dataclass(frozen=True)
class _Sample:
    """Lane contents in time, int64: of some pixels and the pixels beside [pixels, T + 1, lanes], of some output channels and others
    [channels, T + 1, lanes]. Time T is the beginning of the next pixel. `channels`: lanes of a word with a channel, on average."""

    activations: np.ndarray
    beside: np.ndarray
    weights: np.ndarray
    others: np.ndarray
    channels: float


@dataclass(frozen=True)
class _State:
    """What an element holds in time, int64 that broadcast to [pixels, channels, time, lanes]: fields of bits, and sums of lanes."""

    fields: dict[str, np.ndarray]
    tree: tuple[tuple[np.ndarray, int], ...]  # [pixels, channels, time, lanes / 2**level] and the bits of such a sum

    @property
    def accumulated(self) -> np.ndarray:
        """The accumulator after each time but the last, and then the first of the next pixel: [pixels, channels, time]."""
        return self.tree[-1][0][..., 0].cumsum(axis=2)


def activities(network: IntegerNetwork, codes: np.ndarray, operand_bits: int) -> tuple[Activity, ...]:
    """Every layer's activity on images of activation codes [N, C, H, W], in elements of `operand_bits`."""
    each = zip(network.layers, golden.inputs(network, codes[:IMAGES]), strict=True)
    return tuple(activity(layer, taken, operand_bits) for layer, (taken, _) in each)


def activity(layer: IntegerLayer, codes: np.ndarray, operand_bits: int) -> Activity:
    """One layer's activity on input codes [N, C, H, W]."""
    op, drawn = layer.layer.operator, _draw(layer, codes, operand_bits)
    a, w, steps, time = drawn.activations, drawn.weights, op.steps, drawn.weights.shape[1] - 1
    element, counted = (_streams if op.kind == "stochastic" else _words), (a.shape[-1] if op.coding == "bipolar" else drawn.channels)
    now, end = element(op, a, w), time * steps
    sums = now.accumulated
    sums[:, :, end] = now.tree[-1][0][:, :, end, 0]  # cleared
    moved = _moved(op, now, now, slice(0, end), slice(1, end + 1), counted)
    both = moved | _words_moved(a[:, :-1], a[:, 1:], w[:, :-1], w[:, 1:], counted) | _changed(sums[:, :, :end], sums[:, :, 1 : end + 1])
    found, ends = [], slice(steps - 1, end, steps)
    for a2, w2 in ((drawn.beside, w), (a, drawn.others)):
        held = element(op, a2, w2)
        changed = moved if steps > 1 else _moved(op, now, held, slice(0, end), slice(0, end), counted)
        words = _words_moved(a[:, :-1], a2[:, :-1], w[:, :-1], w2[:, :-1], counted)
        found.append(changed | words | _changed(sums[:, :, ends], held.accumulated[:, :, ends]))
    return Activity(filled=drawn.channels / a.shape[-1], both=_toggles(both), pixel=_toggles(found[0]), channel=_toggles(found[1]))


def _toggles(values: dict[str, Any]) -> Toggles:
    return Toggles(**{name: tuple(map(_rounded, value)) if isinstance(value, tuple) else _rounded(value) for name, value in values.items()})


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _draw(layer: IntegerLayer, codes: np.ndarray, operand_bits: int) -> _Sample:
    """Pixels and channels of one group, drawn with a fixed seed, and their operands in the order of time."""
    shape, kind = layer.layer, arithmetic(layer.layer.operator)
    op, rng, group = shape.operator, np.random.default_rng(0), shape.groups // 2
    lanes, inputs, outputs = operand_bits // op.width, shape.group_channels, shape.K // shape.groups
    first, last = group * inputs // lanes, ((group + 1) * inputs - 1) // lanes  # words that hold the group's channels
    channels = rng.choice(outputs, min(outputs, CHANNELS), replace=False)
    size = shape.R * shape.S * (last - first + 1) * lanes * op.steps * len(channels)
    pixels = int(np.clip(BUDGET // size, 4, PIXELS))
    n, y = rng.integers(len(codes), size=pixels), rng.integers(shape.P, size=pixels)
    x = rng.integers(max(1, shape.Q - 1), size=pixels)
    held = kind.pack_activations(codes).astype(np.int64)
    held = np.pad(held, ((0, 0), (0, -shape.C % lanes), *[(shape.padding,) * 2] * 2))[:, first * lanes : (last + 1) * lanes]

    def window(columns: np.ndarray) -> np.ndarray:
        rows, cols = (np.arange(k) + shape.stride * at[:, None] for k, at in ((shape.R, y), (shape.S, columns)))
        words = held.reshape(len(held), -1, lanes, *held.shape[2:])  # [N, words, lanes, H, W]
        taken = words[n[:, None, None], :, :, rows[:, :, None], cols[:, None, :]]  # [pixels, R, S, words, lanes]
        return taken.reshape(pixels, -1, lanes)

    def weights(of: np.ndarray) -> np.ndarray:
        dense = np.full((len(of), (last - first + 1) * lanes, shape.R, shape.S), kind.unused_weight_bits, dtype=np.int64)
        start = group * inputs - first * lanes
        dense[:, start : start + inputs] = kind.pack_weights(layer.weights[group * outputs + of])
        return dense.transpose(0, 2, 3, 1).reshape(len(of), -1, lanes)

    here, there = window(x), window(np.minimum(x + 1, shape.Q - 1))
    mine, others = weights(channels), weights((channels + 1) % outputs)
    here, there, mine, others = (
        np.concatenate([part, after[:, :1]], axis=1) for part, after in ((here, there), (there, there), (mine, mine), (others, others))
    )
    return _Sample(here, there, mine, others, shape.C / ceil(shape.C / lanes))


def _words(op: Operator, a: np.ndarray, w: np.ndarray) -> _State:
    """Of operators that take an operand pair a cycle: a [pixels, time, lanes], w [channels, time, lanes]."""
    tables = arithmetic(op).tables[0]
    a, w = a[:, None] & (1 << op.activation_bits) - 1, w[None] & (1 << op.weight_bits) - 1
    product = tables[a, w]
    low, high = int(tables.min()), int(tables.max())
    fields = {"activation": a, "weight": w, "product": product & (1 << range_bits(low, high)) - 1}
    return _State(fields, _tree(product, low, high))


def _streams(op: Operator, a: np.ndarray, w: np.ndarray) -> _State:
    """Of bit streams: fields of `width` bits of a lane (of a group of lanes where a multiplexer adds) for each pair and step."""
    kind = arithmetic(op)
    assert isinstance(kind, Stochastic)
    length, width, lanes = kind.length, op.width, a.shape[-1]
    a, w = a & (1 << op.activation_bits) - 1, w & (1 << op.weight_bits) - 1
    codes_a, codes_w = np.arange(1 << op.activation_bits), np.arange(1 << op.weight_bits)
    lane = np.arange(lanes) % kind.lanes
    streams_a = np.stack([kind.activation_streams(codes_a, i) for i in range(kind.lanes)])[lane, a]  # [pixels, time, lanes, length]
    streams_w = np.stack([kind.weight_streams(codes_w, i) for i in range(kind.lanes)])[lane, w]
    signs = np.broadcast_to(np.zeros(1, bool) if kind.bipolar else (w >> op.weight_bits - 1 == 1)[..., None], streams_w.shape)
    if op.adder == "mux":
        mine = np.array(selection(kind.lanes, length)) == lane[:, None]  # [lanes, length]
        streams_a, streams_w, signs = (_merged(part & mine, PERIOD_BITS // width) for part in (streams_a, streams_w, signs))
    fields = {name: _stepped(part, width) for name, part in (("activation", streams_a), ("weight", streams_w), ("signs", signs))}
    full, first, second, sign = (1 << width) - 1, fields["activation"][:, None], fields["weight"][None], fields.pop("signs")[None]
    partial = ~(first ^ second) & full if kind.bipolar else first & second
    product = partial ^ sign
    count = np.bitwise_count(partial & ~sign).astype(np.int64) - np.bitwise_count(partial & sign)
    fields = {"activation": first, "weight": second, "partial": partial, "product": product}
    if not kind.bipolar:
        fields["weight_sign"] = sign & (full if op.adder == "mux" else 1)
    return _State(fields, _tree(count, 0 if kind.bipolar else -width, width))


def _merged(streams: np.ndarray, lanes: int) -> np.ndarray:
    """Streams [..., lanes, length] of which one of each `lanes` neighbours plays at a time, as one of each group."""
    return np.asarray(streams.reshape(*streams.shape[:-2], -1, lanes, streams.shape[-1]).any(axis=-2))


def _stepped(streams: np.ndarray, width: int) -> np.ndarray:
    """Streams bool [n, time, lanes, length] as integers of `width` bits, [n, time * steps, lanes]."""
    n, time, lanes, length = streams.shape
    bits = streams.reshape(n, time, lanes, length // width, width) @ (1 << np.arange(width))
    return bits.transpose(0, 1, 3, 2).reshape(n, -1, lanes)


def _tree(values: np.ndarray, low: int, high: int) -> tuple[tuple[np.ndarray, int], ...]:
    """Sums of 1, 2, 4, ... neighbouring lanes."""
    levels, number = [(values, range_bits(low, high))], 1
    while values.shape[-1] > 1:
        values, number = values[..., ::2] + values[..., 1::2], 2 * number
        levels.append((values, range_bits(number * low, number * high)))
    return tuple(levels)


def _flips(first: np.ndarray, second: np.ndarray) -> float:
    """Bits that differ, summed over the last axis, on average."""
    return float(np.bitwise_count(first ^ second).sum(axis=-1, dtype=np.int64).mean())


def _moved(op: Operator, first: _State, second: _State, at: slice, to: slice, filled: float) -> dict[str, Any]:
    """What changes between the times `at` of one state and the times `to` of another."""
    pairs = {name: (field[:, :, at], second.fields[name][:, :, to]) for name, field in first.fields.items()}
    flips = {name: _flips(*pair) / filled for name, pair in pairs.items()}
    flips["weight"] += flips.pop("weight_sign", 0.0)
    flips.setdefault("partial", _ands(*zip(pairs["activation"], pairs["weight"], strict=True)) / filled)
    levels = [
        _flips(one[:, :, at] & (1 << bits) - 1, two[:, :, to] & (1 << bits) - 1)
        for (one, bits), (two, _) in zip(first.tree, second.tree, strict=True)
    ]
    one, two = (state.tree[-1][0][:, :, part, 0] < 0 for state, part in ((first, at), (second, to)))
    return flips | {"tree": tuple(levels[1:]), "sum_sign": float((one != two).mean())}


def _ands(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Pairs of an activation's and a weight's bit whose AND changes."""
    (a, w), (a2, w2) = first, second
    ones = np.bitwise_count(a).astype(np.int64) * np.bitwise_count(w) + np.bitwise_count(a2).astype(np.int64) * np.bitwise_count(w2)
    stayed = np.bitwise_count(a & a2).astype(np.int64) * np.bitwise_count(w & w2)
    return float((ones - 2 * stayed).sum(axis=-1).mean())


def _words_moved(a: np.ndarray, a2: np.ndarray, w: np.ndarray, w2: np.ndarray, filled: float) -> dict[str, float]:
    return {"activation_word": _flips(a, a2) / filled, "weight_word": _flips(w, w2) / filled}


def _changed(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Of accumulators: bits that differ, and signs."""
    differ = (first ^ second) & (1 << SUM_BITS) - 1
    return {"accumulator": float(np.bitwise_count(differ).mean()), "sign": float((differ >> SUM_BITS - 1).mean())}
