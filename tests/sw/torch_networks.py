"""PyTorch modules as users write them: blocks of published networks, and random ones over everything that can be imported."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """ResNet's basic block, with a sum in place."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)


class Shuffle(nn.Module):
    """ShuffleNetV2's unit of stride 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            *(nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(inplace=True)),
            *(nn.Conv2d(half, half, 3, 1, 1, groups=half, bias=False), nn.BatchNorm2d(half)),
            *(nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(inplace=True)),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        joined = torch.cat((left, self.branch(right)), dim=1)
        n, channels, height, width = joined.size()
        return joined.view(n, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(n, -1, height, width)


class Fire(nn.Module):
    """SqueezeNet's module."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.one = nn.Conv2d(squeezed, expanded, 1)
        self.three = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x), inplace=True)
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


class Inverted(nn.Module):
    """MobileNetV2's inverted residual with a linear bottleneck."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.conv = nn.Sequential(
            *(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)),
            *(nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)),
            *(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Published(nn.Module):
    """A stem, blocks of four families, one after the other, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.blocks = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2), Shuffle(16), Shuffle(16), Fire(16, 4, 8), Inverted(16, 2))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.stem(x)))
        return self.head(self.pool(x).mean((2, 3)))


class Part(nn.Module):
    """A convolution of one channel, with one of all channels added if `whole`."""

    def __init__(self, channels: int, channel: int, outputs: int, whole: bool) -> None:
        super().__init__()
        self.channel = channel
        self.one = nn.Conv2d(1, outputs, 3, padding=1)
        self.all = nn.Conv2d(channels, outputs, 1) if whole else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x[:, self.channel : self.channel + 1])
        return y if self.all is None else y + self.all(x)


class Random(nn.Module):
    """`length` operations drawn by a seed, on images 2 x 8 x 8; every one can be imported."""

    def __init__(self, seed: int, length: int = 8) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.layers = nn.ModuleDict()
        self.plan: list[tuple[str, str]] = []
        channels, size, earlier = 2, 8, 0
        for i in range(length):
            kind = str(self.rng.choice(KINDS))
            channels, size, earlier = self._add(f"{kind}{i}", kind, channels, size, earlier)
        self.head = str(self.rng.choice(HEADS))
        inputs = channels * size * size if self.head in ("flatten", "permuted") else channels
        convolves = self.head in ("convolution", "sum", "depthwise")
        self.classifier: nn.Module = nn.Conv2d(channels, 6, 1) if convolves else nn.Linear(inputs, 6)
        self.other = nn.Conv2d(6, 6, size, groups=6) if self.head == "depthwise" else nn.Conv2d(channels, 6, 1)
        del self.rng

    def _add(self, name: str, kind: str, channels: int, size: int, earlier: int) -> tuple[int, int, int]:
        """Add one operation; channels and size after it, and channels of the value remembered for sums and concatenations."""
        draw = self.rng.integers
        self.plan.append((kind, name))
        if kind == "conv":
            outputs, kernel, stride = int(draw(1, 4)) * 4, int(draw(0, 2)) * 2 + 1, int(draw(1, 3)) if size > 3 else 1
            groups = int(self.rng.choice([g for g in (1, 2, channels) if channels % g == 0 and outputs % g == 0]))
            self.layers[name] = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, groups=groups, bias=bool(draw(0, 2)))
            return outputs, (size - 1) // stride + 1, 0
        if kind in ("one", "part"):
            if kind == "one" and not self.layers:  # all of the image must be read
                self.plan.pop()
                return channels, size, earlier
            outputs = int(draw(1, 4)) * 4
            self.layers[name] = Part(channels, int(draw(0, channels)), outputs, kind == "part")
            return outputs, size, 0
        if kind == "norm":
            self.layers[name] = nn.BatchNorm2d(channels)
        elif kind in ("max", "average"):
            if size < 3:
                self.plan.pop()
                return channels, size, earlier
            window, stride = int(draw(2, 4)), int(draw(1, 3))
            self.layers[name] = (nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(window, stride)
            return channels, (size - window) // stride + 1, 0
        elif (kind in ("shuffle", "stack", "swap", "half", "mixed") and channels % 2) or (kind == "half" and not self.layers):
            self.plan.pop()
        elif kind == "half":
            return channels // 2, size, 0
        elif kind == "remember":
            return channels, size, channels
        elif kind in ("add", "cat", "iadd"):
            if not earlier or (kind != "cat" and earlier != channels) or channels + earlier > 24:
                self.plan.pop()
            elif kind == "cat":
                return channels + earlier, size, earlier
        return channels, size, earlier

    def forward(self, x: Tensor) -> Tensor:
        kept = x
        for kind, name in self.plan:
            if name in self.layers:
                x = self.layers[name](x)
            elif kind == "remember":
                kept = x
            else:
                x = FUNCTIONS[kind](x, kept)
        if self.head == "sum":
            return (_shuffled(self.classifier(x), 2) + self.other(x)).mean((2, 3))
        if self.head == "depthwise":
            return self.other(_shuffled(self.classifier(x), 3)).flatten(1)
        if self.head == "convolution":
            return self.classifier(x).mean([-1, -2])
        if self.head == "mean":
            return self.classifier(torch.mean(x, (2, 3), keepdim=True).flatten(1))
        if self.head == "adaptive":
            return self.classifier(F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1))
        x = x.permute(0, 2, 3, 1) if self.head == "permuted" else x
        return self.classifier(x.reshape(x.shape[0], -1))


def _shuffled(x: Tensor, groups: int) -> Tensor:
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).flatten(1, 2)


def _added(x: Tensor, kept: Tensor) -> Tensor:
    x = x.clone()
    x += kept
    return x


HEADS = ["flatten", "mean", "adaptive", "permuted", "convolution", "sum", "depthwise"]
FUNCTIONS = {
    "relu": lambda x, kept: torch.relu(x),
    "relu6": lambda x, kept: F.relu6(x * 4),
    "clamp": lambda x, kept: x.clamp(min=0),
    "hardtanh": lambda x, kept: F.hardtanh(x),
    "dropout": lambda x, kept: F.dropout(x, 0.5, training=False),
    "shuffle": lambda x, kept: _shuffled(x, 2),
    "stack": lambda x, kept: torch.stack(x.chunk(2, 1), 2).flatten(1, 2),
    "swap": lambda x, kept: torch.cat([x[:, x.shape[1] // 2 :], x[:, : x.shape[1] // 2]], dim=1),
    "half": lambda x, kept: x[:, ::2],
    "add": lambda x, kept: torch.add(kept, x),
    "iadd": _added,
    "twice": lambda x, kept: x + x,
    "mixed": lambda x, kept: x + _shuffled(x, 2),
    "cat": lambda x, kept: torch.cat((kept, x), dim=-3),
    "scale": lambda x, kept: 0.5 * x + 0.25,
}
KINDS = [*FUNCTIONS, "norm", "max", "average", "remember", "remember", "one", "part", *["conv"] * 5, "relu", "relu"]


def unlike(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with random weights, and statistics and coefficients of batch norm that are not 0 and 1, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator) * part.weight[0].numel() ** -0.5)
            elif isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
                part.running_mean.copy_(torch.randn(part.num_features, generator=generator) / 4)
                part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
                part.weight.copy_(torch.randn(part.num_features, generator=generator).sign() * (part.running_var + 0.5))
                part.bias.copy_(torch.randn(part.num_features, generator=generator) / 4)
    return module.eval()
