"""Graphs become workloads that compute the same: random graphs, evaluated value by value in PyTorch, against the golden model."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import Operator, binary_weight, integer, xnor
from gatewright.sw import golden
from gatewright.sw.graph import Graph, Value
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Workload

I8, B8, XNOR = integer(8, signed=True), binary_weight(8, signed=True), xnor()
SEEDS = 60


def weights_of(operator: Operator, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2, shape) if operator.weight_bits == 1 else rng.integers(-9, 10, shape)


class Twin:
    """A graph beside the tensors that its values hold, made by PyTorch and plain arithmetic."""

    def __init__(self, seed: int, images: np.ndarray) -> None:
        self.rng, self.graph = np.random.default_rng(seed), Graph(join=I8)
        self.tensors: dict[int, torch.Tensor] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.values: list[tuple[Value, torch.Tensor]] = []
        self.keep(self.graph.image(*images.shape[1:]), torch.from_numpy(images).double())

    def keep(self, value: Value, tensor: torch.Tensor) -> None:
        assert (value.channels, value.height, value.width) == tensor.shape[1:]
        self.values.append((value, tensor))

    def pick(self, alike: Value | None = None) -> tuple[Value, torch.Tensor]:
        """A recent value, of the size of `alike`."""
        found = [v for v in self.values[-6:] if alike is None or (v[0].height, v[0].width) == (alike.height, alike.width)]
        return found[int(self.rng.integers(len(found)))]

    def conv(self, operator: Operator, name: str, outputs: int, kernel: int, stride: int, depthwise: bool, last: bool = False) -> None:
        x, tensor = self.pick()
        kernel = min(kernel, x.height, x.width)
        groups, outputs = (x.channels, x.channels * (1 + outputs % 2)) if depthwise else (1, outputs)
        relu = bool(self.rng.integers(2))
        value = self.graph.conv(x, outputs, kernel, operator, name, stride=stride, padding=kernel // 2, groups=groups, relu=relu)
        w = self.weights[name] = weights_of(operator, (outputs, x.channels // groups, kernel, kernel), self.rng)
        if operator == XNOR:
            signs = F.pad((tensor >= 0).double() * 2 - 1, (kernel // 2,) * 4, value=-1)
            sums = (F.conv2d(signs, torch.from_numpy(2.0 * w - 1), stride=stride) + w[0].size) / 2
        else:
            values = torch.from_numpy(2.0 * w - 1 if operator.weight_bits == 1 else w.astype(float))
            sums = F.conv2d(tensor, values, stride=stride, padding=kernel // 2, groups=groups)
        self.keep(value, sums if last else requantise(sums, relu))

    def step(self, name: str) -> None:
        """A random operation on random values."""
        kind = self.rng.choice(["conv", "conv", "depthwise", "add", "concat", "shuffle", "channels", "pool", "gather", "relu"])
        x, tensor = self.pick()
        y, other = self.pick(x)
        if kind == "conv":
            operator = (I8, I8, B8, XNOR)[int(self.rng.integers(4))]
            self.conv(
                operator, name, int(self.rng.choice([2, 4, 4, 6])), int(self.rng.choice([1, 1, 3])), int(self.rng.choice([1, 1, 2])), False
            )
        elif kind == "depthwise":
            self.conv(I8, name, int(self.rng.integers(2)), 3, int(self.rng.choice([1, 2])), True)
        elif kind == "add" and x.channels == y.channels:
            relu = bool(self.rng.integers(2))
            self.keep(self.graph.add(x, y, name, relu=relu), requantise(tensor + other, relu))
        elif kind == "concat" and x.channels + y.channels <= 24:
            self.keep(self.graph.concat([x, y]), torch.cat([tensor, other], 1))
        elif kind == "shuffle" and x.channels % 2 == 0:
            self.keep(self.graph.shuffle(x, 2), tensor.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2))
        elif kind == "channels":
            start, stop = sorted(self.rng.choice(x.channels + 1, 2, replace=False).tolist())
            self.keep(self.graph.channels(x, start, stop), tensor[:, start:stop])
        elif kind == "pool" and min(x.height, x.width) > 1:
            self.keep(self.graph.pool(x, "max", 2, 2, name), F.max_pool2d(tensor, 2, 2))
        elif kind == "gather":
            self.keep(self.graph.gather(x, name), tensor)
        elif kind == "relu":
            self.keep(self.graph.relu(x, name), tensor.clamp(min=0))


def requantise(sums: torch.Tensor, relu: bool) -> torch.Tensor:
    """What `integers` gives the layers that compute: sums / 4, halves up."""
    return torch.floor((sums + 2) / 4).clamp(0 if relu else -128, 127)


def integers(work: Workload, twin: Twin) -> IntegerNetwork:
    """The workload with the twin's weights: layers that compute divide by four, those that copy, pool or convert by one."""
    layers = []
    for i, layer in enumerate(work.layers):
        after, count = work.following(i), layer.K
        name = layer.name if layer.name in twin.weights else layer.name.rsplit(".", 1)[0]
        computes = not layer.unit_weights or layer.groups * 2 == layer.C
        order = list(twin.graph.orders.get(layer.name, ()))
        weights = np.ones((layer.K, layer.group_channels, 1, 1), int) if layer.unit_weights else twin.weights[name][order]
        low, high = after.activation_range if after else (0, 0)
        mode = "raw" if after is None else "sign" if after.activation_bits == 1 else "requantise"
        post = {"bias": np.zeros(count, int), "multiplier": np.full(count, 128), "shift": np.full(count, 9 if computes else 7)}
        low = 0 if layer.relu or mode == "sign" else low
        layers.append(IntegerLayer(layer=layer, weights=weights.astype(np.int16), mode=mode, low=low, high=high, **post))
    return IntegerNetwork(name=work.name, layers=tuple(layers))


def drawn(seed: int) -> tuple[Twin, Workload, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(-128, 128, (2, int(rng.choice([1, 3, 4])), 6, 5))
    twin = Twin(seed, images)
    for i in range(int(rng.integers(3, 12))):
        twin.step(f"n{i}")
    twin.values = twin.values[-1:]
    twin.conv(I8, "last", 5, 1, 1, False, last=True)
    work = twin.graph.finish(twin.values[-1][0], "drawn")
    only_signs = work.layers[work.maps[0].readers[0]].operator.activation_bits == 1
    return twin, work, (images >= 0).astype(int) if only_signs else images


@pytest.mark.parametrize("block", range(6))
def test_a_workload_computes_what_its_graph_says(block: int) -> None:
    for seed in range(block * SEEDS // 6, (block + 1) * SEEDS // 6):
        twin, work, images = drawn(seed)
        results = golden.forward(integers(work, twin), images)
        np.testing.assert_array_equal(results[-1], twin.values[-1][1].numpy(), err_msg=f"seed {seed}")


def test_a_wrong_channel_is_noticed() -> None:
    twin, work, images = drawn(3)
    network = integers(work, twin)
    changed = next(i for i, layer in enumerate(work.layers) if layer.gather)
    layer = work.layers[changed]
    network.layers[changed].__dict__["layer"] = layer.replace(gather=layer.gather[::-1])
    assert not np.array_equal(golden.forward(network, images)[-1], twin.values[-1][1].numpy())
