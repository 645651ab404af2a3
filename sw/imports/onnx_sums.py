"""The sums of a quantised graph: each convolution, matrix product, addition, average or conversion, up to where it is rounded."""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.advice import refused
from gatewright.sw.imports.network import IMAGE, Add, Affine, Concat, Convolution, Dense, Pick, Pool, Relu, Step
from gatewright.sw.imports.onnx_graph import OnnxNetwork
from gatewright.sw.imports.onnx_grids import Grid, joint_weights

LEAST_WEIGHT = 32  # of a scale with a shift: the shift then has steps of 1/32 code at most


@dataclass(kw_only=True, eq=False)
class Sum:
    """weights: int64 [K, C / groups, R, S]; unit: float64 [K], what one accumulator unit stands for; bias: float64 [K], in reals.

    inside: values between its step's and `output`, by scales and ReLU. grid: of its output, None for logits that are not rounded.
    scaling: multiplier and shift, int64 [K] each, where they are chosen with the weights. low, high: the clamp in reals.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    weights: np.ndarray
    unit: np.ndarray
    bias: np.ndarray
    inside: tuple[str, ...] = ()
    bits: int = 8
    stride: int = 1
    padding: int = 0
    groups: int = 1
    adds: bool = False
    grid: Grid | None = None
    scaling: tuple[np.ndarray, np.ndarray] | None = None
    low: float = -inf
    high: float = inf

    @property
    def clamp(self) -> tuple[Grid, int, int]:
        """Its grid, and the least and the greatest code that it gives."""
        assert self.grid is not None
        low, high = (max(-(1 << 20), min(1 << 20, limit / self.grid.scale)) + self.grid.zero for limit in (self.low, self.high))
        return self.grid, max(self.grid.low, round(low)), min(self.grid.high, round(high))


def sums(source: OnnxNetwork, image: Grid) -> dict[str, Sum]:
    """Every sum by its output. Raises BadInput naming a step whose input or result is not quantised."""
    return _Finder(source, image).sums()


class _Finder:
    """One use: `sums`."""

    def __init__(self, source: OnnxNetwork, image: Grid) -> None:
        self.network, self.scales = source.network, source.scales
        self.grids = {**source.grids, IMAGE: image}
        self._spread()

    def sums(self) -> dict[str, Sum]:
        found: dict[str, Sum] = {}
        done: set[str] = set()
        for step in self.network.steps:
            if step.output in done or _moves(step):
                continue
            total = self._sum(step)
            found[total.output] = total
            done |= {*total.inside, total.output}
        return found

    def _alone(self, value: str) -> Step | None:
        """The only step that reads a value."""
        readers = self.network.readers[value]
        return readers[0] if len(readers) == 1 and value != self.network.output else None

    def _spread(self) -> None:
        """Values that are chosen, joined or pooled by their greatest have the grid of what they are made of, and the other way round."""
        for step in self.network.steps:
            if _moves(step) and step.output not in self.grids:
                known = {self.grids.get(name) for name in step.inputs}
                if len(known) == 1 and (grid := known.pop()) is not None:
                    self.grids[step.output] = grid
        for step in reversed(self.network.steps):
            if _moves(step) and (grid := self.grids.get(step.output)):
                for name in step.inputs:
                    if name not in self.grids and self._alone(name) is step:
                        self.grids[name] = grid

    def _sum(self, step: Step) -> Sum:
        total = self._started(step)
        value, inside = total.output, list(total.inside)
        while (after := self._alone(value)) and self._continues(step, value, after):
            inside.append(value)
            if isinstance(after, Affine):
                scale = after.scale.double().numpy()
                total.unit, total.bias = total.unit * scale, total.bias * scale + after.shift.double().numpy()
            elif isinstance(after, Relu):
                total.low, total.high = max(total.low, after.low), min(total.high, after.limit)
            if grid := self.grids.get(value):
                self.grids[after.output] = grid
            value = after.output
        if isinstance(step, Relu) and value not in self.grids:
            self.grids[value] = self._grid(step, step.inputs[0])
        total.output, total.inside, total.grid = value, tuple(inside), self.grids.get(value)
        self._finish(step, total)
        return total

    def _continues(self, step: Step, value: str, after: Step) -> bool:
        """Whether what reads a sum is done with it: scales and shifts before it is rounded, ReLU also after that."""
        if isinstance(after, Relu):
            return value not in self.grids or self.grids.get(after.output) in (None, self.grids[value])
        return isinstance(after, Affine) and isinstance(step, Convolution | Dense | Affine) and value not in self.grids

    def _finish(self, step: Step, total: Sum) -> None:
        """Its weights and multipliers, where they are not the file's, and that it has what it needs."""
        if (total.unit <= 0).any():
            raise self._refused(step, "a scale after it is not positive; give it to the weights before they are quantised")
        last = total.output == self.network.output
        if last and isinstance(step, Convolution | Dense) and len({*total.unit}) == 1 and (total.low, total.high) == (-inf, inf):
            total.grid = None  # rounding here would only lose the order of near logits
        elif total.grid is None and last:
            raise self._refused(step, "its results have a scale for each class; quantise its weights with one scale, or its results")
        elif total.grid is None:
            rule = "its result is not quantised; put QuantizeLinear and DequantizeLinear after it, or after its ReLU where it has one"
            raise self._refused(step, rule)
        elif isinstance(step, Add):
            first, second = (self._grid(step, name).scale / total.grid.scale for name in step.inputs)
            self._choose(total, np.repeat([[first, second]], len(total.unit), axis=0))
        elif not isinstance(step, Convolution | Dense):
            ratios = total.unit / total.grid.scale
            self._choose(total, ratios[:, None], LEAST_WEIGHT if total.bias.any() else 1)

    def _choose(self, total: Sum, ratios: np.ndarray, least: int = 1) -> None:
        """Weights and multipliers for ratios [K, C / groups] of an input code's step to an output code's."""
        assert total.grid is not None
        rows, index = np.unique(ratios, axis=0, return_inverse=True)
        chosen = np.array([joint_weights((row[0], row[-1]), least) for row in rows])[index.reshape(-1)]  # u, v, m, s
        total.weights = total.weights * chosen[:, : ratios.shape[1], None, None]
        total.scaling = chosen[:, 2], chosen[:, 3]
        total.unit = total.grid.scale * chosen[:, 2] / 2.0 ** chosen[:, 3]

    def _started(self, step: Step) -> Sum:
        grid = self._grid(step, step.inputs[0])
        channels, height, width = self.network.shapes[step.inputs[0]]
        zeros, ones = np.zeros(channels), np.ones((channels, 1, 1, 1), dtype=np.int64)
        moved: dict[str, Any] = {
            "name": step.path,
            "inputs": step.inputs,
            "output": step.output,
            "weights": ones,
            "unit": zeros + grid.scale,
        }
        moved |= {"bias": zeros, "groups": channels}
        match step:
            case Convolution() | Dense():
                return self._weighted(step, grid, (height, width))
            case Add():
                self._grid(step, step.inputs[1])
                return Sum(**moved | {"weights": np.repeat(ones, 2, axis=1)}, adds=True)
            case Affine():
                scale, shift = step.scale.double().numpy(), step.shift.double().numpy()
                signs = np.sign(scale).astype(np.int64).reshape(ones.shape)
                return Sum(**moved | {"weights": signs, "unit": abs(scale) * grid.scale, "bias": shift})
            case Relu():
                return Sum(**moved, low=step.low, high=step.limit)
            case Pool():
                window, stride, output = step.window, step.stride, step.output
                inside: tuple[str, ...] = ()
                while (after := self._alone(output)) and isinstance(after, Pool) and output not in self.grids and stride == window:
                    window, stride, inside, output = window * after.window, stride * after.stride, (*inside, output), after.output
                windows = np.ones((channels, 1, window, window), dtype=np.int64)
                moved |= {"output": output, "weights": windows, "unit": zeros + grid.scale / window**2}
                return Sum(**moved, inside=inside, stride=stride)
        raise TypeError(f"{type(step).__name__} is no sum")

    def _weighted(self, step: Convolution | Dense, grid: Grid, size: tuple[int, int]) -> Sum:
        """A convolution or matrix product with the file's codes."""
        if step.output not in self.scales:
            raise self._refused(step, "its weights are not quantised; put DequantizeLinear before them")
        scale, weight = self.scales[step.output], step.weight.double().numpy()
        codes = np.rint(weight / scale.scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int64)
        if codes.min() < -128 or codes.max() > 127:
            rule = f"its weights less their zero point go from {codes.min()} to {codes.max()}, beyond 8 bits; quantise them symmetrically"
            raise self._refused(step, rule)
        settings: dict[str, Any] = {"name": step.path, "inputs": step.inputs, "output": step.output, "bits": scale.bits}
        if isinstance(step, Dense):
            codes = codes.reshape(len(codes), -1, *size)
        else:
            settings |= {"stride": step.stride, "padding": step.padding, "groups": step.groups}
        unit = np.broadcast_to(scale.scale * grid.scale, (len(codes),))
        return Sum(**settings, weights=codes, unit=unit, bias=step.bias.double().numpy())

    def _grid(self, step: Step, name: str) -> Grid:
        """The codes of what a step reads; of joined values that of the first, if one code stands for as much in all of them."""
        if name in self.grids:
            return self.grids[name]
        maker = next(made for made in self.network.steps if made.output == name)
        if not isinstance(maker, Pick | Concat):
            raise self._refused(
                step, f"it reads the result of {maker.path}, which is not quantised; put QuantizeLinear and DequantizeLinear between"
            )
        grids = [self._grid(step, part) for part in maker.inputs]
        if len({grid.scale for grid in grids}) > 1:
            raise self._refused(step, f"it reads {maker.path}, which joins codes of several scales; quantise what it joins with one scale")
        return grids[0]

    def _refused(self, step: Step, rule: str) -> BadInput:
        return refused(step.path, type(step).__name__, rule)


def _moves(step: Step) -> bool:
    """Whether a step only chooses, joins or compares codes."""
    return isinstance(step, Pick | Concat) or (isinstance(step, Pool) and step.kind == "max")
