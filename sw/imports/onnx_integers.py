"""Quantised ONNX graphs as integer networks, without training: the file's weight codes, biases and feature maps, our requantisation.

What is the same as in ONNX: the codes of weights, image and biases, every sum, the range of every feature map, and what its codes stand
for; a map whose codes do not have their zero point at a legal zero is stored with another, which the readers' biases take back. What is
not: a sum becomes a code by `(v * m + 2**(s - 1)) >> s` with 128 <= m <= 255, ONNX multiplies by the scales in floating point and rounds
halves to even. m / 2**s is within 1/256 of the ratio of scales, so codes far from zero can differ by one. Sums, averages and conversions
have weights up to 127 that make their ratios nearly exact. The last layer gives its sums, which QuantizeLinear there would only round.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.hw.config import Operator, integer
from gatewright.hw.errors import BadInput
from gatewright.sw.graph import Graph, Value
from gatewright.sw.imports.network import IMAGE, Concat, Pick, Pool
from gatewright.sw.imports.onnx_graph import OnnxNetwork
from gatewright.sw.imports.onnx_grids import Grid, multipliers
from gatewright.sw.imports.onnx_sums import Sum, sums
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer, Workload

PIXELS = Grid(1 / 255, 0, 0, 255)
COPY = (128, 7)  # multiplier and shift of one
RESULTS = "results"
IMPOSSIBLE = 1 << 20  # more than there are maps


def integers(source: OnnxNetwork, name: str = "") -> IntegerNetwork:
    """The integer network of a quantised graph. Raises BadInput where a step is not quantised, or codes cannot be stored in 8 bits."""
    return _Builder(source, name or source.network.name).network()


class _Stored:
    """How a feature map's channels are stored: the codes of zero, and of the least and the greatest value, int64 [C] each."""

    def __init__(self, zero: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        self.zero, self.low, self.high = zero, low, high

    def of(self, channels: list[int] | slice) -> "_Stored":
        return _Stored(self.zero[channels], self.low[channels], self.high[channels])

    def moved(self, by: int) -> "_Stored":
        return _Stored(self.zero + by, self.low + by, self.high + by)

    def joined(self, other: "_Stored") -> "_Stored":
        return _Stored(*(np.concatenate(pair) for pair in ((self.zero, other.zero), (self.low, other.low), (self.high, other.high))))


class _Builder:
    """One use: `network`."""

    def __init__(self, source: OnnxNetwork, name: str) -> None:
        self.source, self.name = source, name
        self.image = source.grids.get(IMAGE, PIXELS)
        self.sums = sums(source, self.image)
        self.named = {total.name: total for total in self.sums.values()}
        self.made = {step.output: step for step in source.network.steps}

    def network(self) -> IntegerNetwork:
        self.signed = self._signs()
        work, orders = self._workload()
        maps = {IMAGE: self._stored_image()}
        layers = []
        for i, layer in enumerate(work.layers):
            read = maps[work.inputs(i)[0]]
            for name in work.inputs(i)[1:]:
                read = read.joined(maps[name])
            taken = read.of(list(layer.gather)) if layer.gather else read
            after = work.following(i)
            computed, given = self._layer(layer, orders.get(layer.name, ()), taken, after)
            layers.append(computed)
            target = work.output(i)
            maps[target] = maps[target].joined(given) if target in maps else given
        return IntegerNetwork(name=self.name, layers=tuple(layers))

    # Which maps have a sign.

    def _roots(self, value: str) -> list[str]:
        """The image and the sums that a value's channels come from."""
        if value == IMAGE or value in self.sums:
            return [value]
        return [root for name in self.made[value].inputs for root in self._roots(name)]

    def _signs(self) -> dict[str, bool]:
        """By sum, whether what it reads is signed, as suits all that is read with it; of two that do, that of the network's additions."""
        groups: list[set[str]] = []
        for total in self.sums.values():
            for read in (
                [{*self._roots(name)} for name in total.inputs] if total.adds else [{r for n in total.inputs for r in self._roots(n)}]
            ):
                near = [group for group in groups if group & read]
                groups = [group for group in groups if not group & read] + [read.union(*near)]
        padded = {r for total in self.sums.values() if total.padding for name in total.inputs for r in self._roots(name)}
        possible = {frozenset(group): self._possible(group, padded) for group in groups}
        added = {r for total in self.sums.values() if total.adds for name in total.inputs for r in self._roots(name)}
        votes = [signs[0] for group, signs in possible.items() if group & added and len(signs) == 1]
        self.join = integer(8, signed=bool(votes) and sum(votes) * 2 >= len(votes))
        chosen = {root: self.join.activation_signed if len(signs) > 1 else signs[0] for group, signs in possible.items() for root in group}
        return {name: chosen[self._roots(total.inputs[0])[0]] for name, total in self.sums.items()}

    def _possible(self, group: set[str], padded: set[str]) -> list[bool]:
        """The signs (False, True) that all of a group can be stored with; the better alone if fewer codes have another zero point then."""
        moved = {False: 0, True: 0}
        for root in sorted(group):
            for signed in (False, True):
                if not self._direct(root, signed):
                    moved[signed] += IMPOSSIBLE if root in padded or root == IMAGE else 1
        least = min(moved.values())
        if least >= IMPOSSIBLE:
            root = next(r for r in sorted(group) if r in padded and r != IMAGE)
            grid, low, high = self.sums[root].clamp
            raise BadInput(
                f"{self.name}: the codes of {root} go from {low} to {high} with the zero point {grid.zero}, and a convolution with padding "
                "reads them: padding is the code 0, so codes less their zero point must fit 8 bits. Quantise it symmetrically (zero point "
                "0 in int8, 128 in uint8), or after a ReLU."
            )
        return [signed for signed, number in moved.items() if number == least]

    def _direct(self, root: str, signed: bool) -> bool:
        """Whether a value's codes less their zero point are codes with (or without) a sign."""
        if root == IMAGE:
            return signed == (self.image.high - self.image.zero == 127)
        grid, low, high = self.sums[root].clamp
        first, last = integer(8, signed=signed).activation_range
        return first <= low - grid.zero and high - grid.zero <= last

    # The shape of the work.

    def _workload(self) -> tuple[Workload, dict[str, tuple[int, ...]]]:
        network = self.source.network
        graph = Graph(self.join)
        known = {IMAGE: graph.image(network.channels, network.height, network.width)}
        inside = {value for total in self.sums.values() for value in total.inside}
        for step in network.steps:
            if step.output in self.sums:
                known[step.output] = self._written(graph, self.sums[step.output], known)
            elif step.output in inside:
                continue
            elif isinstance(step, Pool):
                known[step.output] = graph.pool(known[step.inputs[0]], step.kind, step.window, step.stride, step.path)
            elif isinstance(step, Pick):
                read = known[step.inputs[0]]
                known[step.output] = replace(read, places=tuple(read.places[c] for c in step.channels))
            elif isinstance(step, Concat):
                known[step.output] = graph.concat([known[name] for name in step.inputs])
        logits = known[network.output]
        last = self.sums.get(network.output)
        if last is None or last.grid is not None:
            roots = self._roots(network.output)
            if len({self.sums[root].clamp[0].scale for root in roots}) > 1:
                raise BadInput(f"{self.name}: the logits have several scales; quantise what joins them with one.")
            operator = integer(8, signed=not all(self._direct(root, False) for root in roots))
            name = RESULTS + "_" * any(total.name == RESULTS for total in self.sums.values())
            logits = graph.conv(logits, logits.channels, 1, operator, name, groups=logits.channels)
        return graph.finish(logits, self.name), graph.orders

    def _written(self, graph: Graph, total: Sum, known: dict[str, Value]) -> Value:
        read = [known[name] for name in total.inputs]
        if total.adds:
            return graph.add(read[0], read[1], total.name)
        settings: dict[str, Any] = {"stride": total.stride, "padding": total.padding, "groups": total.groups}
        kernels, _, r, s = total.weights.shape
        return graph.conv(read[0], kernels, (r, s), integer(total.bits, 8, signed=self.signed[total.output]), total.name, **settings)

    # The integers.

    def _stored_image(self) -> _Stored:
        ones = np.ones(self.source.network.channels, dtype=np.int64)
        return _Stored(0 * ones, 0 * ones, (self.image.high - self.image.zero) * ones)

    def _layer(self, layer: Layer, order: tuple[int, ...], read: _Stored, after: Operator | None) -> tuple[IntegerLayer, _Stored]:
        total = self.named.get(layer.name) or self.named.get(layer.name.rpartition(".")[0])
        if total is None or not order:
            return self._copy(layer, read, after)
        rows = list(order)
        weights, unit = total.weights[rows], total.unit[rows]
        zeros = read.zero.reshape(layer.groups, 1, -1, 1, 1)
        if layer.padding and read.zero.any():
            raise BadInput(f"{self.name}: {total.name} has padding and reads codes whose zero is {read.zero.min()}..{read.zero.max()}.")
        fold = (weights.reshape(layer.groups, -1, *weights.shape[1:]) * zeros).sum(axis=(2, 3, 4)).reshape(-1)
        bias = np.rint(total.bias[rows] / unit).astype(np.int64) - fold
        settings: dict[str, Any] = {
            "layer": layer.replace(unit_weights=layer.unit_weights and bool((weights == 1).all())),
            "weights": weights.astype(np.int16),
        }
        ones = np.ones(layer.K, dtype=np.int64)
        if after is None:
            return IntegerLayer(**settings, bias=bias, multiplier=ones, shift=ones, mode="raw"), read
        grid, low, high = total.clamp
        multiplier, shift = (part[rows] for part in total.scaling) if total.scaling else multipliers(unit / grid.scale)
        first, last = after.activation_range
        fits = first <= low - grid.zero and high - grid.zero <= last
        zero = 0 if fits else first - low + grid.zero
        bias = bias + np.rint(zero * 2.0**shift / multiplier).astype(np.int64)
        stored = _Stored(zero * ones, (low - grid.zero + zero) * ones, (high - grid.zero + zero) * ones)
        clamp: dict[str, Any] = {"low": int(stored.low[0]), "high": int(stored.high[0])}
        return IntegerLayer(**settings, bias=bias, multiplier=multiplier, shift=shift, mode="requantise", **clamp), stored

    def _copy(self, layer: Layer, read: _Stored, after: Operator | None) -> tuple[IntegerLayer, _Stored]:
        """A layer that moves, pools or hands on: the same codes, in another range where their reader has another sign."""
        ones = np.ones(layer.K, dtype=np.int64)
        first, last = after.activation_range if after else (-(1 << 31), 1 << 31)
        by = 0 if first <= read.low.min() and read.high.max() <= last else first - layer.operator.activation_range[0]
        stored = read.moved(by)
        multiplier, shift = COPY if after else (1, 1)
        made = IntegerLayer(
            layer=layer,
            weights=np.ones((layer.K, 1, 1, 1), dtype=np.int16),
            bias=by * ones if after else -read.zero,
            multiplier=multiplier * ones,
            shift=shift * ones,
            mode="requantise" if after else "raw",
            low=int(first) if after else 0,
            high=int(last) if after else 0,
        )
        return made, stored
