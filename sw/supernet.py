"""A super-network: one set of weights for every `vgg` of a span of sizes, so that a candidate's accuracy costs no training of its own.

A network of the span has the first channels of the greatest one's convolutions and the middle of their kernels (slimmable networks, Yu et
al., arXiv 1812.08928). Every smaller size of kernel adds a difference of its own, at first zero, in place of the transforms of once-for-all
(Cai et al., arXiv 1908.09791): the middle of 5 x 5 is no good kernel of 1 x 1. All operators share the weights; normalisation is that of
the batch in training, and settled for each network that is taken out. Training goes through the operators' surrogates; what is taken out
is a network like any other, in exact arithmetic.
"""

import math
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.func import functional_call

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.checkpoint import read, write
from gatewright.sw.data import Dataset, encode
from gatewright.sw.float_network import FloatNetwork, float_accuracy, scaled
from gatewright.sw.layers import Workload
from gatewright.sw.models import Architecture, network, workload
from gatewright.sw.modules import QuantisedNetwork
from gatewright.sw.surrogate import Surrogate
from gatewright.sw.train import load_parameters, predict, settle

SPAN = "span"  # key of a file's record
BATCH = 256  # images whose statistics are taken at once


class Span(Noun):
    """The greatest network: widths and kernels of its convolutions, and after which of them it pools by 2."""

    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    classes: int = Field(default=10, ge=2)
    widths: tuple[int, ...] = Field(min_length=1)
    kernels: tuple[int, ...]
    pool_after: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Span":
        if len(self.kernels) != len(self.widths) or any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels: the greatest of each of the {len(self.widths)} convolutions, odd; got {self.kernels}")
        return self

    @property
    def shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Those of the weights of every layer, [K, C, R, S]."""
        inputs = (self.channels, *self.widths)
        found = [(k, c, size, size) for k, c, size in zip(self.widths, inputs, self.kernels, strict=False)]
        left = self.height >> len(self.pool_after), self.width >> len(self.pool_after)
        return (*found, (self.classes, inputs[-1], *left))

    def greatest(self, architecture: Architecture) -> Architecture:
        """The architecture at the span's widths and kernels."""
        return architecture.replace(widths=self.widths, kernels=self.kernels)

    def check(self, architecture: Architecture) -> None:
        """Raises BadInput for an architecture that is not in the span."""
        a, fixed = architecture, ("channels", "height", "width", "classes")
        wrong = [f"{name} {getattr(a, name)}" for name in fixed if getattr(a, name) != getattr(self, name)]
        wrong += [f"pool_after {a.pool_after}"] if {*a.pool_after} != {*self.pool_after} else []
        if len(a.widths) != len(self.widths) or any(found[0] > w or found[1] > k for found, w, k in self._beside(a)):
            wrong.append(f"widths {a.widths} and kernels {a.kernels or 3}")
        if a.family != "vgg" or wrong:
            raise BadInput(f"{a.name} is not in the super-network's span, which is {self.to_json()}: {', '.join(wrong) or a.family}.")

    def _beside(self, a: Architecture) -> list[tuple[tuple[int, int], int, int]]:
        return [(found[:2], w, k) for found, w, k in zip(a.convolutions, self.widths, self.kernels, strict=True)]


class Shared(nn.Module):
    """A layer's parameters, as `OperatorConv2d` and `FloatLayer` have them; of each smaller odd kernel what it adds to the middle."""

    def __init__(self, shape: tuple[int, int, int, int], logits: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape, generator=generator) * math.prod(shape[1:]) ** -0.5)
        self.log_gain = nn.Parameter(torch.zeros(1 if logits else shape[0]))
        self.beta = nn.Parameter(torch.zeros(shape[0]))
        smaller = () if logits else range(1, shape[2], 2)
        self.differences = nn.ParameterDict({str(size): nn.Parameter(torch.zeros(*shape[:2], size, size)) for size in smaller})

    def kernels(self, size: int) -> Tensor:
        """Weights [K, C, size, size]."""
        edge = (self.weight.shape[2] - size) // 2
        middle = self.weight[:, :, edge : edge + size, edge : edge + size]
        return middle + self.differences[str(size)] if edge else middle


class Passage(nn.Module):
    """A network of the span in surrogate arithmetic: codes [N, C, H, W] to logits [N, classes]."""

    def __init__(self, work: Workload, noise: torch.Generator | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Surrogate(layer, work.following(i), noise) for i, layer in enumerate(work.layers)))

    def forward(self, codes: Tensor) -> Tensor:
        found: Tensor = self.layers(codes)
        return found.flatten(1)


class SuperNetwork(nn.Module):
    """The shared weights, and the forward pass of any network of the span in surrogate arithmetic, with the batch's statistics.

    noise: what draws the surrogates' noise, on the weights' device; None: there is none.
    """

    def __init__(self, span: Span, seed: int = 0) -> None:
        super().__init__()
        self.span = span
        self.noise: torch.Generator | None = None
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList(Shared(shape, i == len(span.widths), generator) for i, shape in enumerate(span.shapes))

    def sliced(self, architecture: Architecture) -> dict[str, Tensor]:
        """The parameters of a network of the span, by their names in it. Raises BadInput outside the span."""
        self.span.check(architecture)
        found, inputs = dict[str, Tensor](), self.span.channels
        for i, (layer, part) in enumerate(zip(self.layers, (*architecture.convolutions, None), strict=True)):
            assert isinstance(layer, Shared)
            weight = layer.kernels(part[1]) if part else layer.weight
            outputs = part[0] if part else self.span.classes
            found[f"layers.{i}.weight"] = weight[:outputs, :inputs]
            found |= {f"layers.{i}.log_gain": layer.log_gain[:outputs], f"layers.{i}.beta": layer.beta[:outputs]}
            inputs = outputs
        return found

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W] from 0 to 1."""
        if is_float(architecture):
            path: nn.Module = FloatNetwork(architecture)
            x = images
        else:
            work = workload(architecture)
            path, x = Passage(work, self.noise), coded(work.layers[0].operator, images)
        found: Tensor = functional_call(path.to(images.device), self.sliced(architecture), (x,))
        return found


def is_float(architecture: Architecture) -> bool:
    """Whether a network is in floating point, and in no circuit."""
    return architecture.operators[0].kind == "float"


def coded(operator: Operator, images: Tensor) -> Tensor:
    """Images from 0 to 1 as `data.encode` codes them."""
    return torch.floor(images * operator.activation_range[1] + 0.5)


@torch.no_grad()
def inherit(shared: SuperNetwork, architecture: Architecture, dataset: Dataset, settled: int) -> QuantisedNetwork:
    """A network of the span with the shared weights, in exact arithmetic; its statistics are those of `settled` training images."""
    model = network(architecture)
    load_parameters(model, shared.sliced(architecture))
    settle(model, torch.from_numpy(encode(architecture.operators[0], dataset.train.images[:settled], dataset.maximum)), BATCH)
    return model


@torch.no_grad()
def inherit_float(shared: SuperNetwork, architecture: Architecture, dataset: Dataset, settled: int) -> FloatNetwork:
    """The same in floating point."""
    model = FloatNetwork(architecture)
    load_parameters(model, shared.sliced(architecture))
    settle(model, scaled(dataset.train.images[:settled], dataset.maximum), BATCH)
    return model


def estimate(shared: SuperNetwork, architecture: Architecture, dataset: Dataset, settled: int, seen: int) -> float:
    """Part of the first `seen` validation images that the inherited network classifies rightly: exactly as circuits compute, or in the
    number format of floating-point operators."""
    split = dataset.validation.take(slice(seen))
    if is_float(architecture):
        form = architecture.operators[0].number_format or "fp32"
        return float_accuracy(inherit_float(shared, architecture, dataset, settled), split, dataset.maximum, form).value
    model = inherit(shared, architecture, dataset, settled)
    codes = encode(architecture.operators[0], split.images, dataset.maximum)
    return float(np.mean(predict(model, codes) == split.labels))


def save(shared: SuperNetwork, path: Path) -> None:
    """Write the weights as safetensors, with the span in the header; whole or not at all."""
    write(path, {SPAN: shared.span.to_json()}, shared.state_dict())


def load(path: Path) -> SuperNetwork:
    """Read what `save` wrote. Raises BadInput for any other file, and for a damaged one."""
    record, tensors = read(path)
    if SPAN not in record:
        raise BadInput(f"{path} is not a super-network: its header has no span.")
    shared = SuperNetwork(Span.from_json(record[SPAN]))
    shared.load_state_dict(tensors)
    return shared
