"""Imported modules compute what PyTorch computes; what cannot be imported is refused by name."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import golden
from gatewright.sw.checkpoint import Recipe, load, save
from gatewright.sw.data import digits, encode
from gatewright.sw.imports.initialise import calibrate, load_weights
from gatewright.sw.imports.lower import lower, names
from gatewright.sw.imports.network import Concat, Convolution, Dense, Pick, Pool
from gatewright.sw.imports.steps import float_results
from gatewright.sw.imports.torch_fx import from_module
from gatewright.sw.imports.torch_module import load_module
from gatewright.sw.layers import Workload
from gatewright.sw.mapping import Mapping, Tiling
from gatewright.sw.models import Architecture, layer_names, network, workload
from gatewright.sw.modules import QuantisedNetwork, export
from gatewright.sw.train import Training, predict, train
from tests.sw.torch_networks import Fire, Inverted, Published, Random, Residual, Shuffle, unlike


def images(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def unmapped(work: Workload) -> dict[str, str]:
    """The layers that a grid of 16 x 16 cannot run, and why."""
    operators = tuple(dict.fromkeys(layer.operator for layer in work.layers))
    grid = AcceleratorConfig(rows=16, cols=16, operators=operators, accumulator_bits=32)
    rules = ((layer.name, Tiling(layer, grid, Mapping(), 1, work.context(i)).layer_rule()) for i, layer in enumerate(work.layers))
    return {name: rule for name, rule in rules if rule}


def check(module: nn.Module, shape: tuple[int, int, int], seed: int = 0) -> Any:
    """The imported steps and the float numbers of the workload's layers both compute what the module does."""
    x = images((3, *shape), seed)
    with torch.no_grad():
        wanted = module.eval()(x.clone())
    imported = from_module(module, *shape)
    torch.testing.assert_close(imported.evaluate(x), wanted, rtol=1e-4, atol=1e-4)
    lowered = lower(imported, [integer(8)])
    assert unmapped(lowered.workload) == {}
    torch.testing.assert_close(float_results(lowered.workload, lowered.floats, x)[-1].before.flatten(1), wanted, rtol=1e-4, atol=1e-4)
    return imported


@pytest.mark.parametrize("seed", range(24))
def test_random_modules(seed: int) -> None:
    check(unlike(Random(seed), seed), (2, 8, 8), seed)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(24, 624))
def test_many_random_modules(seed: int) -> None:
    check(unlike(Random(seed, 12), seed), (2, 8, 8), seed)


def headed(block: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


@pytest.mark.parametrize(
    ("block", "inputs", "outputs"),
    [(Residual(4, 4, 1), 4, 4), (Residual(4, 8, 2), 4, 8), (Shuffle(8), 8, 8), (Fire(4, 2, 4), 4, 8), (Inverted(4, 3), 4, 4)],
    ids=lambda item: type(item).__name__ if isinstance(item, nn.Module) else str(item),
)
def test_blocks_of_published_networks(block: nn.Module, inputs: int, outputs: int) -> None:
    imported = check(unlike(headed(block, outputs)), (inputs, 6, 6))
    assert not [step for step in imported.steps if type(step).__name__ == "Affine"]


def test_layers_have_the_paths_of_their_modules() -> None:
    imported = check(unlike(Published()), (1, 8, 8))
    assert names(imported)[:6] == ("stem", "blocks.0.conv1", "blocks.0.conv2", "blocks.1.conv1", "blocks.1.conv2", "blocks.1.shortcut.0")
    work = lower(imported, [integer(8)]).workload
    assert [layer.name for layer in work.layers if not layer.unit_weights and not re.search(r"\.\d+\.\d+\.\d+$", layer.name)]
    assert {"blocks.0.add", "blocks.1.add", "blocks.5.add"} <= {layer.name for layer in work.layers}


class Functional(nn.Module):
    """A forward given as a function of itself and the image."""

    def __init__(self, forward: Any, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.given = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.given(self, x)


def conv(inputs: int = 2, outputs: int = 4, kernel: int = 3, **settings: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, **({"padding": kernel // 2} | settings))


def in_place_through_a_view(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    left, _ = y.chunk(2, 1)
    left.relu_()  # y sees it
    return m.fc(y.mean((2, 3)))


def in_place_before_a_copy(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    kept = y.clone()
    F.relu(y, True)
    return m.fc((kept + y).mean((2, 3), True).flatten(1))


def summed(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    return m.fc(sum([y, y.relu(), F.relu6(y)]).mean((2, 3)))


def normalised_pixels(m: Any, x: Tensor) -> Tensor:
    return m.fc(m.conv((x - 0.4) / torch.tensor([0.2, 0.3]).view(1, 2, 1, 1)).mean((2, 3)))


def products(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x).mean((2, 3))
    return torch.addmm(m.fc.bias, (y @ torch.eye(4)).clamp(0, 1), m.fc.weight.t())


def early_relu(m: Any, x: Tensor) -> Tensor:
    """Pre-activation: batch norm and ReLU of a value that others read too."""
    y = m.conv(x)
    return m.fc((y + m.second(m.norm(y).relu())).amax((2, 3)))


def shared_twice(m: Any, x: Tensor) -> Tensor:
    return m.fc(m.same(m.same(m.conv(x)).relu()).mean((2, 3)))


def vector_norm(m: Any, x: Tensor) -> Tensor:
    return m.fc(F.hardtanh(m.vector(m.conv(x).amax((2, 3)))))


FORWARDS = [vector_norm, in_place_through_a_view, in_place_before_a_copy, summed, normalised_pixels, products, early_relu, shared_twice]


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda forward: forward.__name__)
def test_forwards(forward: Any) -> None:
    parts = {
        "conv": conv(),
        "second": conv(4, 4),
        "same": conv(4, 4, bias=False),
        "norm": nn.BatchNorm2d(4),
        "vector": nn.BatchNorm1d(4),
        "fc": nn.Linear(4, 3),
    }
    check(unlike(Functional(forward, **parts)), (2, 6, 6))


def test_shuffle_of_torch_is_a_pick() -> None:
    module = nn.Sequential(conv(2, 8), nn.ChannelShuffle(4), conv(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    imported = check(unlike(module), (2, 4, 4))
    (pick,) = (step for step in imported.steps if isinstance(step, Pick))
    assert pick.channels == (0, 2, 4, 6, 1, 3, 5, 7)


def test_pooling_of_a_large_map_takes_two_steps() -> None:
    module = nn.Sequential(conv(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    imported = check(unlike(module), (1, 16, 16))
    assert [step.window for step in imported.steps if hasattr(step, "window")] == [8, 2]


def test_a_joined_map_without_relu_of_its_own() -> None:
    """SqueezeNet's end: ReLU of a concatenation moves before it; pooled logits without a layer become one."""
    module = Functional(
        lambda m, x: torch.cat([m.a(x), m.b(x)], 1).relu().mean((2, 3)),
        a=conv(2, 2, 1),
        b=conv(2, 3, 3),
    )
    imported = check(unlike(module), (2, 4, 4))
    assert [type(step) for step in imported.steps].count(Concat) == 1
    assert isinstance(imported.steps[-1], Dense)


def averaged_sum(m: Any, x: Tensor) -> Tensor:
    return (F.channel_shuffle(m.conv(x), 2) + m.second(x)).mean((2, 3))


def sum_of_logits(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    return (F.channel_shuffle(m.head(y), 2) + m.other(y)).flatten(1)


def depthwise_logits(m: Any, x: Tensor) -> Tensor:
    return m.own(F.channel_shuffle(torch.cat([m.conv(x), m.narrow(x)], 1), 2)).flatten(1)


def sum_with_itself(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    return (y + F.channel_shuffle(y, 3)).mean((2, 3))


@pytest.mark.parametrize("forward", [averaged_sum, sum_of_logits, depthwise_logits, sum_with_itself], ids=lambda forward: forward.__name__)
def test_classes_keep_their_order(forward: Any) -> None:
    """Logits that a sum or a depthwise layer gives, whose operands' channels were moved."""
    parts = {"conv": conv(2, 6), "second": conv(2, 6), "narrow": conv(2, 2), "own": nn.Conv2d(8, 8, 4, groups=8)}
    parts |= {"head": nn.Conv2d(6, 6, 4), "other": nn.Conv2d(6, 6, 4)}
    check(unlike(Functional(forward, **parts)), (2, 4, 4))


def test_pooled_logits() -> None:
    """1 x 1 convolutions change places with the average; after any other layer the average is a layer."""
    small, large = (nn.Sequential(conv(2, 3, kernel), nn.AdaptiveAvgPool2d(1), nn.Flatten()) for kernel in (1, 3))
    assert [type(step) for step in check(unlike(small), (2, 4, 4)).steps] == [Pool, Convolution]
    assert [type(step) for step in check(unlike(large), (2, 4, 4)).steps] == [Convolution, Convolution]


REFUSED: list[tuple[nn.Module, str]] = [
    (nn.Softmax(2), r"1 \(Softmax\): host-side: it needs exponentials .*; use ReLU here, softmax over the classes only as the very last"),
    (
        nn.Sequential(nn.Softmax(1), conv(4, 4)),
        r"1.0 \(Softmax\): host-side: it needs exponentials and divides by their sum; use ReLU here",
    ),
    (conv(3, 4), r"1 \(Conv2d\): takes 3 channels, but gets 4 from a 2 x 6 x 6 image; make it take 4\.$"),
    (conv(6, 4, groups=2), r"1 \(Conv2d\): takes 6 channels, but gets 4 from a 2 x 6 x 6 image; make it take 4\.$"),
    (conv(4, 4, 7, padding=0), r"1 \(Conv2d\): its kernel 7 x 7 is larger than the map of 6 x 6 and its padding; use a smaller kernel\."),
    (
        nn.Sequential(nn.Flatten(), nn.Linear(2048, 10)),
        r"1.1 \(Linear\): takes 2048 inputs, but gets 144 from a 2 x 6 x 6 image; make it take 144, or use a .* size it was made for\.$",
    ),
    (nn.BatchNorm2d(3), r"1 \(BatchNorm2d\): takes 3 channels, but gets 4 from a 2 x 6 x 6 image; make it take 4\.$"),
    (nn.LayerNorm([4, 6, 6]), r"1 \(LayerNorm\): it needs each image's own mean and variance; use BatchNorm2d"),
    (nn.GroupNorm(2, 4), r"1 \(GroupNorm\): .*use BatchNorm2d"),
    (nn.GELU(), r"1 \(GELU\): the datapath clamps, it has no curves; use ReLU, ReLU6 or Hardtanh."),
    (nn.Sigmoid(), r"1 \(Sigmoid\): .*use ReLU"),
    (nn.ConvTranspose2d(4, 4, 3), r"1 \(ConvTranspose2d\): maps do not grow; use Conv2d on a map of the size that is wanted."),
    (nn.Upsample(scale_factor=2), r"1 \(Upsample\): maps do not grow"),
    (nn.ZeroPad2d(1), r"1 \(ZeroPad2d\): give the zeros to the convolution as its padding."),
    (nn.PixelShuffle(2), r"1 \(PixelShuffle\): maps do not grow"),
    (nn.LSTM(6, 6), r"1 \(LSTM\): there is no state between images"),
    (
        nn.MultiheadAttention(6, 1),
        r"1 \(MultiheadAttention\): host-side: attention multiplies activations by activations and needs softmax",
    ),
    (conv(4, 4, dilation=2), r"1 \(Conv2d\): dilation must be 1; got \(2, 2\); use a larger kernel\.$"),
    (conv(4, 4, padding_mode="reflect"), r"1 \(Conv2d\): padding_mode must be 'zeros'; got 'reflect'; leave it out."),
    (conv(4, 4, stride=(1, 2)), r"1 \(Conv2d\): stride must be the same for rows and columns; got \(1, 2\)."),
    (nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), r"1 \(Conv2d\): padding must be the same for rows and columns; got \(1, 0\)."),
    (conv(4, 4, 1, padding=1), r"1 \(Conv2d\): padding must be less than the kernel; got 1 and \(1, 1\); use a larger kernel."),
    (nn.MaxPool2d(3, 2, 1), r"1 \(MaxPool2d\): pooling has no padding; got 1; use a window of 2 without padding"),
    (nn.MaxPool2d(4, ceil_mode=True), r"1 \(MaxPool2d\): ceil_mode adds windows that leave the 6 x 6 map"),
    (nn.MaxPool2d(2, dilation=2), r"1 \(MaxPool2d\): dilation must be 1"),
    (nn.AvgPool2d((2, 3)), r"1 \(AvgPool2d\): the window must be the same for rows and columns; got \(2, 3\)."),
    (nn.AvgPool2d(7), r"1 \(AvgPool2d\): its window 7 x 7 is larger than the map of 6 x 6."),
    (nn.AvgPool2d(2, divisor_override=3), r"1 \(AvgPool2d\): it must divide by the size of its window"),
    (nn.AdaptiveAvgPool2d(4), r"1 \(AdaptiveAvgPool2d\): windows must be square and alike, so the 6 x 6 map must be 4 x 4 times a square"),
    (nn.Linear(6, 3), r"1 \(Linear\): it reads one vector an image; got the shape \(1, 4, 6, 6\) for one image; flatten\(1\) before it."),
    (nn.BatchNorm2d(4, track_running_stats=False), r"1 \(BatchNorm2d\): it must use remembered statistics"),
    (nn.Hardtanh(-1, 2), r"1 \(Hardtanh\): it must clamp from zero or symmetrically; got -1 to 2"),
    (nn.ReLU(), r"network: the logits must come from a convolution or Linear, as they are; got 1 \(Relu\). Leave it out."),
    (nn.Identity(), r"network: forward must return the logits \[N, classes\] of one layer; got a map of 4 x 6 x 6."),
]


@pytest.mark.parametrize(("part", "message"), REFUSED, ids=lambda item: type(item).__name__ if isinstance(item, nn.Module) else "")
def test_refused_modules(part: nn.Module, message: str) -> None:
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if isinstance(part, nn.ReLU) else []
    module = nn.Sequential(nn.Sequential(conv(2, 4), *end), part)
    with pytest.raises(BadInput, match=message):
        from_module(module, 2, 6, 6)


def assigned(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y[:, :2] = 0
    return y


def counted(m: Any, x: Tensor) -> Tensor:
    for _ in range(int(x.sum())):
        x = m.conv(x)
    return x


CONTROL_FLOW = r"network \(line \d+ of test_torch_import.py\): its forward decides by what it computes .* Decide in __init__"
CALLS: list[tuple[Any, str]] = [
    (lambda m, x: m.conv(m.conv(x).softmax(1)), r"softmax \(softmax\): host-side"),
    (lambda m, x: m.conv(x).mean((2, 3)).softmax(0), r"softmax \(softmax\): host-side"),
    (lambda m, x: m.conv(x[:, :1]), r"conv \(Conv2d\): takes 2 channels, but gets 1 from a 2 x 6 x 6 image; make it take 1\.$"),
    (lambda m, x: F.conv2d(x, torch.zeros(4, 1, 1, 1), groups=3), r"conv2d \(conv2d\): takes 3 channels, but gets 2"),
    (lambda m, x: F.conv2d(x, torch.zeros(3, 1, 1, 1), groups=2), r"its 3 outputs must be a multiple of its groups; got 2 groups"),
    (lambda m, x: m.conv(x) * m.conv(x).mean((2, 3), keepdim=True), r"mul \(mul\): products of two activations are host-side"),
    (lambda m, x: m.conv(x) - m.conv(x), r"sub \(sub\): sums only; give the minus sign to the weights"),
    (lambda m, x: m.conv(x).flatten(2) @ m.conv(x).flatten(2).transpose(1, 2), r"matmul \(matmul\): host-side: attention"),
    (lambda m, x: F.scaled_dot_product_attention(x, x, x), r"scaled_dot_product_attention \(.*\): host-side: attention"),
    (lambda m, x: F.gelu(m.conv(x)), r"gelu \(gelu\): the datapath clamps"),
    (lambda m, x: F.pad(x, (1, 1, 1, 1)), r"pad \(pad\): give the zeros to the convolution"),
    (lambda m, x: F.interpolate(x, scale_factor=2), r"interpolate \(interpolate\): maps do not grow"),
    (lambda m, x: F.dropout(m.conv(x), 0.5), r"dropout \(dropout\): it drops in evaluation too"),
    (lambda m, x: m.conv(x)[:, :, 1:], r"it moves pixels, or mixes them with channels|forward must return the logits"),
    (lambda m, x: m.conv(m.conv(x)[:, :2, ::2]), r"conv \(Conv2d\): it moves pixels, or mixes them with channels"),
    (lambda m, x: m.conv(x.transpose(2, 3)), r"conv \(Conv2d\): it moves pixels"),
    (lambda m, x: m.conv(x) + torch.rand(6, 6), r"add \(add\): a constant operand must be one number a channel; got the shape \(6, 6\)"),
    (lambda m, x: m.conv(x) + m.conv(x)[:, :1], r"add \(add\): both operands must have one shape"),
    (lambda m, x: torch.cat([m.conv(x), m.conv(x)], 2), r"cat \(cat\): maps are joined by their channels \(dim=1\)"),
    (lambda m, x: torch.cat([m.conv(x), torch.zeros(1, 2, 6, 6)], 1), r"cat \(cat\): its operand is a constant; the accelerator reads one"),
    (lambda m, x: m.conv(x).mean(1), r"mean \(mean\): it must be taken over height and width of a map, dim=\(2, 3\); got 1."),
    (lambda m, x: F.conv2d(x, m.conv(x)[:, :2]), r"conv2d \(conv2d\): its weights depend on the image"),
    (lambda m, x: m.conv(x).sort(1), r"sort \(sort\): use convolutions, Linear, batch norm, ReLU.*docs/tutorials/your-own-network.md"),
    (lambda m, x: m.conv(x).view(7, -1), r"view \(view\): RuntimeError"),
    (lambda m, x: (m.conv(x), x), r"forward must return one tensor, the logits \[N, classes\]; got tuple."),
    (lambda m, x: m.conv(x).mean((2, 3)).flatten(), r"forward must return one tensor, the logits \[N, classes\]; got the shape \(4,\)."),
    (lambda m, x: torch.zeros(1, 4), r"forward must return the logits of its image; what it returns does not depend on the image."),
    (lambda m, x: x.new_zeros(len(x), 4), r"its forward decides by what it computes"),
    (assigned, r"network \(line \d+ of .*\): its forward assigns to a part of a tensor. Join the parts with torch.cat instead."),
    (lambda m, x: x.flatten(1)[:, :5], r"network: forward must return the logits"),
    (lambda m, x: m.conv(x) if x.sum() > 0 else x, CONTROL_FLOW),
    (counted, r"network \(line \d+ of .*\): its forward decides by what it computes"),
    (lambda m, x: m.missing(x), r"network \(line \d+ of test_torch_import.py\): forward could not be traced: AttributeError"),
]


@pytest.mark.parametrize(("forward", "message"), CALLS, ids=range(len(CALLS)))
def test_refused_calls(forward: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        from_module(Functional(forward, conv=conv()), 2, 6, 6)


def test_an_image_of_other_channels_is_refused() -> None:
    message = (
        r"^stem \(Conv2d\): takes 3 channels, but gets 1 from a 1 x 8 x 8 image; make it take 1, "
        r"or use a data set whose images have 3 channels\.$"
    )
    with pytest.raises(BadInput, match=message):
        from_module(Functional(lambda m, x: m.stem(x), stem=conv(3, 4)), 1, 8, 8)


@pytest.mark.parametrize(
    "end",
    [nn.Softmax(1), nn.LogSoftmax(-1), lambda x: x.softmax(1), lambda x: F.log_softmax(x, dim=-1), lambda x: torch.softmax(x, 1)],
    ids=range(5),
)
def test_softmax_at_the_end_is_nothing(end: Any) -> None:
    net = unlike(nn.Sequential(conv(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    ended = nn.Sequential(net, end) if isinstance(end, nn.Module) else Functional(lambda m, x: end(m.net(x)), net=net)
    x = images((3, 2, 6, 6))
    assert torch.equal(from_module(ended, 2, 6, 6).evaluate(x), check(net, (2, 6, 6)).evaluate(x))


def test_a_module_is_not_changed() -> None:
    module = unlike(Published()).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    from_module(module, 1, 8, 8)
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_as_many_operators_as_layers() -> None:
    imported = from_module(unlike(headed(Residual(2, 2, 1), 2)), 2, 4, 4)
    with pytest.raises(BadInput, match=r"one operator for all layers, or one for each of the 3 \(0.conv1, 0.conv2, 3\); got 2"):
        lower(imported, [integer(8), integer(4)])
    work = lower(imported, [integer(8), integer(4), shift()]).workload
    assert {layer.name: layer.operator.kind for layer in work.layers if not layer.unit_weights}["3"] == "shift"


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A float network for the digits: residual, shuffle, fire and inverted blocks, trained for a few seconds."""
    data = digits()
    torch.manual_seed(0)
    module = Published()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.005)
    x, labels = torch.from_numpy(data.train.images).float() / 16, torch.from_numpy(data.train.labels)
    for _ in range(5):
        for part in torch.randperm(len(labels)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(module(x[part]), labels[part]).backward()
            optimiser.step()
    return module.eval()


def quantised(module: nn.Module, operator: Any) -> tuple[QuantisedNetwork, np.ndarray]:
    """The module in an operator's integers without training, and codes of the validation images."""
    data = digits()
    lowered = lower(from_module(module, 1, 8, 8), [operator])
    network = QuantisedNetwork(lowered.workload)
    load_weights(network, lowered.floats)
    first = lowered.workload.layers[0].operator
    calibrate(network, lowered.floats, torch.from_numpy(encode(first, data.train.images[:256], 16)))
    return network, encode(first, data.validation.images, 16)


@pytest.mark.parametrize(
    ("operator", "least"), [(integer(8), 0.98), (integer(4, 8), 0.95), (shift(), 0.9)], ids=["int8", "int4x8", "shift"]
)
def test_quantised_without_training(trained: nn.Module, operator: Any, least: float) -> None:
    network, codes = quantised(trained, operator)
    found = predict(network, codes)
    with torch.no_grad():
        wanted = trained(torch.from_numpy(digits().validation.images).float() / 16).argmax(1).numpy()
    assert (found == wanted).mean() >= least
    np.testing.assert_array_equal(golden.classify(export(network), codes[:40]), found[:40])


def test_real_values_of_the_codes(trained: nn.Module) -> None:
    """8-bit logits are the float logits times one number, to a twentieth of their spread."""
    network, codes = quantised(trained, integer(8))
    with torch.no_grad():
        wanted = trained(torch.from_numpy(digits().validation.images).float() / 16)
        found = network(torch.from_numpy(codes).float()).double()
    factor = (found * wanted).sum() / (found**2).sum()
    assert (found * factor - wanted).std() < wanted.std() / 20


@pytest.mark.parametrize("operator", [xnor(), binary_weight(), stochastic(64), integer(2)], ids=lambda operator: operator.name)
def test_any_operator_starts_finite(operator: Any) -> None:
    module = unlike(nn.Sequential(conv(1, 4), nn.ReLU(), nn.MaxPool2d(2), conv(4, 4), nn.Flatten(), nn.Linear(64, 10)))
    network, codes = quantised(module, operator)
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
    np.testing.assert_array_equal(
        golden.forward(export(network), codes[:4])[-1].reshape(4, -1), network(torch.from_numpy(codes[:4]).float())
    )


def test_a_constant_channel_keeps_its_value() -> None:
    module = nn.Sequential(conv(1, 4), nn.Flatten(), nn.Linear(256, 10))
    unlike(module)
    with torch.no_grad():
        module[0].weight[1] = 0
        module[0].bias[1] = 0.7
    network, codes = quantised(module, integer(8))
    with torch.no_grad():
        wanted = module(torch.from_numpy(digits().validation.images).float() / 16).argmax(1).numpy()
    assert (predict(network, codes) == wanted).mean() > 0.97


SOURCE = """
import torch
from torch import nn

class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

def loaded():
    made = Small()
    made.load_state_dict({name: torch.linspace(-1, 1, t.numel()).reshape(t.shape).sin() for name, t in made.state_dict().items()})
    return made

def number():
    return 3

def failing():
    return Small(3)

def asking(width):
    return Small()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def architecture(source: str, **settings: Any) -> Architecture:
    return Architecture(family="module", channels=1, height=8, width=8, operators=(integer(8),), source=source, **settings)


def test_a_family_of_its_own(source: Path, tmp_path: Path) -> None:
    a = architecture(f"{source}:Small")
    assert layer_names(a) == ("0", "3")
    assert [layer.name for layer in workload(a).layers] == ["0", "3"]
    made = train(a, digits(), Recipe(epochs=1))
    save(made, tmp_path / "network.safetensors")
    again = load(tmp_path / "network.safetensors")
    codes = encode(integer(8), digits().validation.images, 16)
    np.testing.assert_array_equal(predict(again.network, codes), predict(made.network, codes))


def test_training_starts_from_loaded_weights(source: Path, tmp_path: Path) -> None:
    given = load_module(f"{source}:loaded")
    training = Training(architecture(f"{source}:loaded"), digits(), Recipe(epochs=1))
    with torch.no_grad():
        wanted = given(torch.from_numpy(digits().validation.images).float() / 16).argmax(1).numpy()
    assert (predict(training.model, training.validation) == wanted).mean() > 0.95
    save(training.trained, tmp_path / "network.safetensors")
    assert torch.equal(load(tmp_path / "network.safetensors").network.operator_layers[0].weight, given[0].weight)


def test_training_starts_anew_from_random_weights(source: Path) -> None:
    seeds = [network(architecture(f"{source}:Small"), seed).operator_layers[0].weight for seed in (0, 0, 1)]
    assert torch.equal(seeds[0], seeds[1])
    assert not torch.equal(seeds[0], seeds[2])


def test_a_file_that_changes_is_read_again(source: Path) -> None:
    a = architecture(f"{source}:Small")
    assert workload(a).layers[0].K == 4
    source.write_text(SOURCE.replace("1, 4, 3", "1, 6, 3").replace("144", "216"))
    assert workload(a).layers[0].K == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Missing", r"mine.py has no Missing; it has Small, loaded, number, failing, asking."),
        ("number", r"mine.py:number: number must give an nn.Module; got int."),
        ("failing", r"mine.py:failing could not be made, line \d+: TypeError: .* positional argument.* but 2 were given\.$"),
        (
            "asking",
            r"mine.py:asking could not be made: TypeError: asking\(\) missing 1 required positional argument: 'width'\. "
            + re.escape("It is called without arguments: where it needs some, write a function without arguments that returns the module")
            + ", and name it\\.$",
        ),
        ("not a name", r"module must be 'file.py:Name'"),
    ],
)
def test_sources_that_give_no_module(source: Path, name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_module(f"{source}:{name}")


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere.py is not there; module = .* names a Python file"):
        load_module(f"{tmp_path}/nowhere.py:Net")
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n")
    with pytest.raises(BadInput, match=r"broken.py:f could not be made, line 1: SyntaxError"):
        load_module(f"{broken}:f")


def test_lines_of_files_named_from_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def f():\n    raise RuntimeError('no weights')\n")
    with pytest.raises(BadInput, match=r"^mine.py:f could not be made, line 2: RuntimeError: no weights\.$"):
        load_module("mine.py:f")


def test_classes_must_agree(source: Path) -> None:
    with pytest.raises(BadInput, match=r"gives 10 logits and 4 classes are wanted."):
        workload(architecture(f"{source}:Small", classes=4))
