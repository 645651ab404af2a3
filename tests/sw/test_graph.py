"""Graphs become workloads that compute the same: random graphs, evaluated value by value in PyTorch, against the golden model."""

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.graph import Graph, Value
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Workload
from gatewright.sw.mapping import Mapping, Tiling

I8, B8, XNOR = integer(8, signed=True), binary_weight(8, signed=True), xnor()
GRID = AcceleratorConfig(rows=4, cols=4, operators=(I8, B8, XNOR))
SEEDS = 90


def weights_of(operator: Operator, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2, shape) if operator.weight_bits == 1 else rng.integers(-9, 10, shape)


class Twin:
    """A graph beside the tensors that its values hold, made by PyTorch and plain arithmetic."""

    def __init__(self, seed: int, images: np.ndarray) -> None:
        self.rng, self.graph = np.random.default_rng(seed), Graph(join=I8)
        self.signs = bool(seed % 2)  # layers of one bit, which take the sign of a sum before any ReLU, or ReLUs
        self.tensors: dict[int, torch.Tensor] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.values: list[tuple[Value, torch.Tensor]] = []
        self.keep(self.graph.image(*images.shape[1:]), torch.from_numpy(images).double())

    def keep(self, value: Value, tensor: torch.Tensor) -> None:
        assert (value.channels, value.height, value.width) == tensor.shape[1:]
        self.values.append((value, tensor))

    def pick(self, alike: Value | None = None) -> tuple[Value, torch.Tensor]:
        """A recent value, most often the last, of the size of `alike`."""
        found = [v for v in self.values[-6:] if alike is None or (v[0].height, v[0].width) == (alike.height, alike.width)]
        return found[-1] if self.rng.integers(2) else found[int(self.rng.integers(len(found)))]

    def all_together(self) -> None:
        """The last value, others of its size and something of the whole image side by side, so that little is left unread."""
        x = self.values[-1][0]
        alike = [v for v in self.values[:-1] if (v[0].height, v[0].width) == (x.height, x.width) and self.rng.integers(3)]
        self.sizes(self.values[0], x, alike)
        parts = [self.values[-1], *alike]
        self.keep(self.graph.concat([v for v, _ in parts]), torch.cat([t for _, t in parts], 1))

    def sizes(self, image: tuple[Value, torch.Tensor], x: Value, alike: list[tuple[Value, torch.Tensor]]) -> None:
        """The image made as large as `x` by a convolution, into `alike`."""
        kernel = image[0].height - x.height + 1, image[0].width - x.width + 1
        w = self.weights["all"] = weights_of(I8, (3, image[0].channels, *kernel), self.rng)
        value = self.graph.conv(image[0], 3, kernel, I8, "all")
        alike.append((value, requantise(F.conv2d(image[1], torch.from_numpy(w.astype(float))), False)))

    def last_sum(self) -> None:
        """The results as a sum of the last value and the same channels in another order."""
        x, tensor = self.values[-1]
        if x.channels % 2:
            x, tensor = self.graph.concat([x, x]), torch.cat([tensor, tensor], 1)
        shuffled = tensor.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        self.keep(self.graph.add(x, self.graph.shuffle(x, 2), "last"), tensor + shuffled)

    def fire(self, name: str, source: tuple[Value, torch.Tensor]) -> None:
        """Two convolutions of one value side by side, as in SqueezeNet, and a 1 x 1 convolution of both."""
        for part in (f"{name}a", f"{name}b"):
            self.conv(I8, part, 4, 3 if part[-1] == "b" else 1, 1, False, x=source)
        (a, first), (b, second) = self.values[-2:]
        self.conv(I8, f"{name}c", 6, 1, 1, False, x=(self.graph.concat([a, b]), torch.cat([first, second], 1)))

    def conv(
        self,
        operator: Operator,
        name: str,
        outputs: int,
        kernel: int,
        stride: int,
        depthwise: bool,
        last: bool = False,
        x: tuple[Value, torch.Tensor] | None = None,
    ) -> None:
        x, tensor = x or self.pick()
        kernel = min(kernel, x.height, x.width)
        groups, outputs = (x.channels, x.channels * (1 + outputs % 2)) if depthwise else (1, outputs)
        relu = bool(self.rng.integers(2)) and not self.signs
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
        kind = self.rng.choice(
            ["conv", "conv", "conv", "depthwise", "add", "concat", "shuffle", "channels", "pool", "gather", "relu", "fire"]
        )
        x, tensor = self.pick()
        y, other = self.pick(x)
        if kind == "conv":
            operator = (I8, B8, XNOR if self.signs else I8)[int(self.rng.integers(3))]
            self.conv(
                operator, name, int(self.rng.choice([2, 4, 4, 6])), int(self.rng.choice([1, 1, 3])), int(self.rng.choice([1, 1, 2])), False
            )
        elif kind == "fire" and min(x.height, x.width) > 2:
            self.fire(name, (x, tensor))
        elif kind == "depthwise":
            self.conv(I8, name, int(self.rng.integers(2)), 3, int(self.rng.choice([1, 2])), True)
        elif kind == "add" and x.channels == y.channels:
            relu = bool(self.rng.integers(2)) and not self.signs
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
        elif kind == "relu" and not self.signs:
            self.keep(self.graph.relu(x, name), tensor.clamp(min=0))


def requantise(sums: torch.Tensor, relu: bool) -> torch.Tensor:
    """What `integers` gives the layers that compute: sums / 4, rounded down, which keeps the sign."""
    return torch.floor(sums / 4).clamp(0 if relu else -128, 127)


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
        rounding = -2 if computes and mode == "requantise" else 0  # the circuit rounds to the nearest
        post = {"bias": np.full(count, rounding), "multiplier": np.full(count, 128), "shift": np.full(count, 9 if computes else 7)}
        low = 0 if layer.relu or mode == "sign" else low
        layers.append(IntegerLayer(layer=layer, weights=weights.astype(np.int16), mode=mode, low=low, high=high, **post))
    return IntegerNetwork(name=work.name, layers=tuple(layers))


def drawn(seed: int) -> tuple[Twin, Workload, np.ndarray]:
    """Up to twenty operations; the results are a convolution's, a sum's or a depthwise layer's. All channels of the image are read."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-128, 128, (2, int(rng.choice([1, 3, 4])), 6, 5))
    twin = Twin(seed, images)
    if rng.integers(2):
        twin.conv(I8, "stem", 4, 3, 1, False)
    for i in range(int(rng.integers(4, 20))):
        twin.step(f"n{i}")
    twin.all_together()
    twin.values = twin.values[-1:]
    if rng.integers(3):
        twin.conv(I8, "last", 5, 1, 1, False, last=True)
    else:
        twin.last_sum()
    work = twin.graph.finish(twin.values[-1][0], "drawn")
    only_signs = work.layers[work.maps[0].readers[0]].operator.activation_bits == 1
    return twin, work, (images >= 0).astype(int) if only_signs else images


def features(twin: Twin, work: Workload) -> dict[str, bool]:
    """What a workload has of all that legalising can do."""
    layers, names = work.layers, {node.layer.name for node in twin.graph.nodes if node.layer}
    inserted = [layer for layer in layers if layer.name not in names and layer.name.rsplit(".", 1)[0] not in names]
    return {
        "a cast": any(layer.name.endswith((".sign", ".8s")) for layer in layers),
        "pooling taken over": any(layer.pooling and not layer.unit_weights for layer in layers),
        "pooling alone": any(layer.pooling and layer.unit_weights and layer.groups == layer.C for layer in layers),
        "a map of several layers": any(len(m.producers) > 1 for m in work.maps),
        "a copy": any(".input" in layer.name for layer in layers),
        "a copy for a sum": any(".first" in layer.name for layer in layers),
        "several maps read": any(len(work.sources(i)) > 1 and not layer.unit_weights for i, layer in enumerate(layers)),
        "a depthwise layer in parts": any(layer.name.rsplit(".", 1)[0] in twin.weights for layer in layers if layer.groups > 1),
        "one-bit layer": any(layer.operator == XNOR for layer in layers),
        "results of a sum": layers[-1].unit_weights,
        "inserted": bool(inserted),
    }


@pytest.mark.parametrize("block", range(6))
def test_a_workload_computes_what_its_graph_says(block: int) -> None:
    for seed in range(block * SEEDS // 6, (block + 1) * SEEDS // 6):
        twin, work, images = drawn(seed)
        results = golden.forward(integers(work, twin), images)
        np.testing.assert_array_equal(results[-1], twin.values[-1][1].numpy(), err_msg=f"seed {seed}")
        for i, layer in enumerate(work.layers):
            assert Tiling(layer, GRID, Mapping(), 1, work.context(i)).layer_rule() is None, (seed, layer.name)


def test_everything_is_drawn() -> None:
    found: Counter[str] = Counter()
    for seed in range(SEEDS):
        found.update(features(*drawn(seed)[:2]))
    assert [name for name, count in found.items() if count < 4] == []


def test_a_wrong_channel_is_noticed() -> None:
    twin, work, images = next(made for made in map(drawn, range(SEEDS)) if any(layer.gather for layer in made[1].layers[:-1]))
    network = integers(work, twin)
    changed = next(i for i, layer in enumerate(work.layers) if len(layer.gather) > 1)
    layer = work.layers[changed]
    network.layers[changed].__dict__["layer"] = layer.replace(gather=layer.gather[::-1])
    network.__dict__.pop("workload", None)
    assert not np.array_equal(golden.forward(network, images)[-1], twin.values[-1][1].numpy())


@pytest.mark.parametrize("kind", ["sum", "depthwise"])
def test_results_keep_their_order(kind: str) -> None:
    """Of a sum or depthwise layer over a shuffled map the classes come out as the graph numbers them, not as the map lies."""
    images = np.random.default_rng(1).integers(-128, 128, (2, 2, 3, 3))
    twin = Twin(0, images)
    for name in ("a", "b"):
        twin.conv(I8, name, 6, 3, 2, False, x=twin.values[0])
    (a, first), (b, second) = twin.values[-2:]
    shuffled = twin.graph.shuffle(a, 2), first.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
    if kind == "sum":
        twin.keep(twin.graph.add(shuffled[0], b, "last"), shuffled[1] + second)
    else:
        twin.conv(I8, "last", 0, 1, 1, True, last=True, x=shuffled)
    work = twin.graph.finish(twin.values[-1][0], "ordered")
    np.testing.assert_array_equal(golden.forward(integers(work, twin), images)[-1], twin.values[-1][1].numpy())


def test_channels_of_the_image_that_nothing_reads_are_refused() -> None:
    graph = Graph()
    image = graph.image(3, 4, 4)
    value = graph.conv(graph.channels(image, 0, 2), 5, 1, I8, "only")
    with pytest.raises(BadInput, match="Nothing reads the image's channels from 2 on: give the network an image of 2 channels"):
        graph.finish(value, "part")
