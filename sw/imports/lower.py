"""From a float network to layers: `build` adds it to a graph, `Lowered` is the workload with the float numbers of each of its layers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.graph import JOIN, Graph, Value
from gatewright.sw.imports.network import IMAGE, Add, Concat, Convolution, Dense, FloatNetwork, Pick, Pool, Relu, Step
from gatewright.sw.layers import Layer, Workload


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatLayer:
    """What a layer of the workload computes in floating point, before pooling: weight [K, C / groups, R, S], bias [K], then a clamp."""

    weight: Tensor
    bias: Tensor
    low: float = -inf
    limit: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Lowered:
    """`floats`: one for each layer of the workload, in order."""

    workload: Workload
    floats: tuple[FloatLayer, ...]


def names(network: FloatNetwork) -> tuple[str, ...]:
    """The names of the layers that have operators: the paths of their steps, with a number where one is used again."""
    found: dict[str, None] = {}
    for step in network.operator_steps:
        count, name = 0, step.path
        while name in found:
            count += 1
            name = f"{step.path}_{count}"
        found[name] = None
    return tuple(found)


def build(network: FloatNetwork, graph: Graph, operators: Sequence[Operator]) -> Value:
    """Add the network to an empty graph. operators: one for each of `names(network)`, or one for all.

    An operator reads values that can be negative with a sign where it has such a form; one without clamps them at zero.
    """
    return _Builder(network, graph, operators).build()


def lower(network: FloatNetwork, operators: Sequence[Operator], join: Operator = JOIN, name: str = "") -> Lowered:
    """The network's workload; see `build`."""
    graph = Graph(join)
    work = graph.finish(build(network, graph, operators), name or network.name)
    return Lowered(workload=work, floats=float_layers(network, operators, graph, work))


def float_layers(network: FloatNetwork, operators: Sequence[Operator], graph: Graph, work: Workload) -> tuple[FloatLayer, ...]:
    """The float numbers of every layer of the workload that `graph`, to which `build` added the network, was finished as."""
    builder = _Builder(network, Graph(graph.join), operators)
    builder.build()
    return tuple(builder.numbers(layer, graph.orders.get(layer.name, ())) for layer in work.layers)


class _Builder:
    """One use: `build`, then `numbers` of the layers."""

    def __init__(self, network: FloatNetwork, graph: Graph, operators: Sequence[Operator]) -> None:
        self.network, self.graph = network, graph
        self.layer_names = dict(zip((step.output for step in network.operator_steps), names(network), strict=True))
        if len(operators) not in (1, len(self.layer_names)):
            raise BadInput(
                f"{network.name}: give one operator for all layers, or one for each of the {len(self.layer_names)} "
                f"({', '.join(self.layer_names.values())}); got {len(operators)}."
            )
        given = list(operators) * (len(self.layer_names) if len(operators) == 1 else 1)
        self.operators = dict(zip(self.layer_names, given, strict=True))
        self.taken = set(self.layer_names.values())
        self.known: dict[str, Value] = {}
        self.positive = {IMAGE}
        self.made: dict[str, FloatLayer] = {}

    def build(self) -> Value:
        self.known[IMAGE] = self.graph.image(self.network.channels, self.network.height, self.network.width)
        fused: set[str] = set()
        for step in self.network.steps:
            if step.output in fused:
                continue
            clamp = self._clamp_after(step)
            output = step.output
            if clamp is not None:
                output = clamp.output
                fused.add(output)
            self.known[output] = self._value(step, clamp)
            if self._positive(step, clamp):
                self.positive.add(output)
        return self.known[self.network.output]

    def _clamp_after(self, step: Step) -> Relu | None:
        """The ReLU that alone reads what a step computes."""
        readers = self.network.readers[step.output]
        alone = len(readers) == 1 and step.output != self.network.output and isinstance(step, Convolution | Dense | Add)
        return readers[0] if alone and isinstance(readers[0], Relu) else None

    def _positive(self, step: Step, clamp: Relu | None) -> bool:
        """Whether no value is negative."""
        last = clamp or step
        if isinstance(last, Relu):
            return last.low == 0
        return isinstance(last, Pool | Pick | Concat | Add) and all(name in self.positive for name in last.inputs)

    def _value(self, step: Step, clamp: Relu | None) -> Value:
        read = [self.known[name] for name in step.inputs]
        relu = clamp is not None and clamp.low == 0
        bounds = {"low": clamp.low, "limit": clamp.limit} if clamp else {}
        match step:
            case Convolution() | Dense():
                name, operator = self.layer_names[step.output], self._operator(step)
                weight = step.weight
                if isinstance(step, Dense):
                    weight = weight.reshape(len(weight), read[0].channels, read[0].height, read[0].width)
                self.made[name] = FloatLayer(weight=weight, bias=step.bias, **bounds)
                if isinstance(step, Dense):
                    return self.graph.dense(read[0], len(weight), operator, name, relu=relu)
                size = (weight.shape[2], weight.shape[3])
                around = {"stride": step.stride, "padding": step.padding, "groups": step.groups}
                return self.graph.conv(read[0], len(weight), size, operator, name, relu=relu, **around)
            case Add():
                name = self._name(step.path)
                channels = read[0].channels
                self.made[name] = FloatLayer(weight=torch.ones(channels, 2, 1, 1), bias=torch.zeros(channels), **bounds)
                return self.graph.add(read[0], read[1], name, relu=relu)
            case Relu():
                name = self._name(step.path)
                shape = (read[0].channels, 1, 1, 1)
                self.made[name] = FloatLayer(weight=torch.ones(shape), bias=torch.zeros(shape[0]), low=step.low, limit=step.limit)
                return self.graph.relu(read[0], name) if step.low == 0 else self.graph.gather(read[0], name)
            case Pool():
                return self.graph.pool(read[0], step.kind, step.window, step.stride, self._name(step.path))
            case Concat():
                return self.graph.concat(read)
            case Pick():
                return replace(read[0], places=tuple(read[0].places[c] for c in step.channels))
        raise TypeError(f"{type(step).__name__} has no layer")

    def _operator(self, step: Convolution | Dense) -> Operator:
        """The step's operator, with signed activations where it reads values that can be negative and has such a form."""
        operator = self.operators[step.output]
        if operator.activation_bits == 1 or operator.activation_signed or all(name in self.positive for name in step.inputs):
            return operator
        try:
            return operator.replace(activation_signed=True)
        except BadInput:
            return operator

    def _name(self, path: str) -> str:
        count, name = 0, path
        while name in self.taken:
            count += 1
            name = f"{path}_{count}"
        self.taken.add(name)
        return name

    def numbers(self, layer: Layer, order: tuple[int, ...]) -> FloatLayer:
        """The float numbers of a layer of the finished workload: its channels of those it was named for, or ones where it only moves."""
        made = self.made.get(layer.name) or self.made.get(layer.name.rpartition(".")[0])
        if made is None or not order or (layer.unit_weights and made.weight.shape[1] != layer.group_channels):
            ones = torch.ones(layer.K, layer.group_channels, layer.R, layer.S)
            return FloatLayer(weight=ones, bias=torch.zeros(layer.K))
        channels = list(order)
        return replace(made, weight=made.weight[channels], bias=made.bias[channels])
