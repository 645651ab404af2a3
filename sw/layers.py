"""The shape of the work: `Layer` is a convolution with optional pooling, `Workload` a graph of layers and the feature maps between them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from gatewright.hw.config import Operator
from gatewright.hw.noun import Noun

Pooling = Literal["max", "average"]
IMAGE = "image"  # the feature map that the network is given


class Layer(Noun):
    """A convolution C -> K of an H x W image with an R x S kernel, then optional pooling of its output.

    With `groups`, equal parts of the output channels read only their part of the input channels; depthwise is groups = C.

    A fully connected layer is a 1 x 1 convolution of a 1 x 1 image, or one whose kernel covers the whole image.

    `inputs` names the feature maps it reads side by side (none: the map of the layer before it). `gather` picks its C input channels from
    all of their channels, in any order (none: all in order). `output` names the map its results go to (none: the layer's own); layers
    that name the same one write their channels into it one after the other. A sum of two maps is a layer with groups = K that gathers
    (a0, b0, a1, b1, ...), with `unit_weights`: every weight is 1, as in all layers that only move, add, pool or convert. `relu` makes
    negative results zero where the format of the output has a sign; without a sign they always are.
    """

    name: str
    operator: Operator
    C: int = Field(ge=1)
    K: int = Field(ge=1)
    H: int = Field(default=1, ge=1)
    W: int = Field(default=1, ge=1)
    R: int = Field(default=1, ge=1)
    S: int = Field(default=1, ge=1)
    stride: int = Field(default=1, ge=1)
    padding: int = Field(default=0, ge=0)
    groups: int = Field(default=1, ge=1)
    pooling: Pooling | None = None
    pool_window: int = Field(default=1, ge=1)
    pool_stride: int = Field(default=1, ge=1)
    inputs: tuple[str, ...] = ()
    gather: tuple[int, ...] = ()
    output: str = ""
    unit_weights: bool = False
    relu: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Layer":
        if self.C % self.groups or self.K % self.groups:
            raise ValueError(f"groups must divide C {self.C} and K {self.K}; got {self.groups}")
        if self.padding and self.padding >= min(self.R, self.S):
            raise ValueError(f"padding must be less than the kernel (R {self.R}, S {self.S}); got {self.padding}")
        if self.P < 1 or self.Q < 1:
            raise ValueError(f"kernel {self.R} x {self.S} is larger than the image {self.H} x {self.W} with padding {self.padding}")
        if self.pooling is None and (self.pool_window, self.pool_stride) != (1, 1):
            raise ValueError("pool_window and pool_stride need pooling: 'max' or 'average'")
        if self.out_h < 1 or self.out_w < 1:
            raise ValueError(f"pool_window {self.pool_window} is larger than the convolution's output {self.P} x {self.Q}")
        if self.pool_window**2 > 64:
            raise ValueError(f"a pooling window holds at most 64 samples; got {self.pool_window} x {self.pool_window}")
        if self.gather and len(self.gather) != self.C:
            raise ValueError(f"gather must pick C = {self.C} channels; got {len(self.gather)}")
        if self.unit_weights and self.operator.kind != "int":
            raise ValueError(f"unit_weights needs an operator of kind 'int', which has the weight 1; got {self.operator.name}")
        return self

    @property
    def P(self) -> int:
        """Rows of the convolution's output."""
        return (self.H + 2 * self.padding - self.R) // self.stride + 1

    @property
    def Q(self) -> int:
        """Columns of the convolution's output."""
        return (self.W + 2 * self.padding - self.S) // self.stride + 1

    @property
    def out_h(self) -> int:
        """Rows after pooling."""
        return (self.P - self.pool_window) // self.pool_stride + 1

    @property
    def out_w(self) -> int:
        """Columns after pooling."""
        return (self.Q - self.pool_window) // self.pool_stride + 1

    @property
    def group_channels(self) -> int:
        """Input channels that one output channel reads."""
        return self.C // self.groups

    @property
    def products(self) -> int:
        """Multiplications for one image, without padding lanes."""
        return self.K * self.group_channels * self.R * self.S * self.out_h * self.out_w * self.pool_window**2


@dataclass(frozen=True)
class FeatureMap:
    """Channels x height x width of codes, and the layers that write its channels (none write the image), in the channels' order."""

    name: str
    channels: int
    height: int
    width: int
    producers: tuple[int, ...]
    readers: tuple[int, ...]


@dataclass(frozen=True)
class Context:
    """What surrounds a layer in its network. `output`: the operator that reads its results; None for the logits.

    inputs: of each map it reads the channels of each layer that writes into it (none: one map of one layer). before, after: channels of
    the layers that write into its output map before and after it.
    """

    output: Operator | None = None
    inputs: tuple[tuple[int, ...], ...] = ()
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


class Workload(Noun):
    """Layers in the order in which they run, each reading the image or maps of layers before it. The last one's results are the logits."""

    name: str
    layers: tuple[Layer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Workload":
        if len({layer.name for layer in self.layers}) != len(self.layers):
            raise ValueError("layer names must differ")
        for i, layer in enumerate(self.layers):
            for name in self.inputs(i):
                if name not in self._places or (name != IMAGE and max(self._producers[name]) >= i):
                    raise ValueError(f"layer {layer.name} reads {name!r}, which is neither the image nor a map of layers before it")
            self._check_shape(layer, [self.maps[k] for k in self.sources(i)])
        self._check_readers()
        return self

    def _check_shape(self, layer: Layer, read: list[FeatureMap]) -> None:
        channels = sum(m.channels for m in read)
        if layer.gather and not all(0 <= c < channels for c in layer.gather):
            raise ValueError(f"layer {layer.name} gathers channels 0..{channels - 1}; got {min(layer.gather)}..{max(layer.gather)}")
        taken = (channels if layer.gather else layer.C, layer.H, layer.W)
        for m in read:
            if (channels, m.height, m.width) != taken:
                what = "the image" if m.name == IMAGE else f"layer {m.name} before it"
                raise ValueError(f"layer {layer.name} takes (C, H, W) = {taken}, but {what} gives {(channels, m.height, m.width)}")

    def _check_readers(self) -> None:
        for m in self.maps[:-1]:
            if m.name != IMAGE and not m.readers:
                raise ValueError(f"no layer reads {m.name}; only the last layer gives the network's results")
            formats = {(o.activation_bits, o.activation_width, o.activation_signed) for o in (self.layers[r].operator for r in m.readers)}
            if len(formats) > 1:
                who = ", ".join(f"{self.layers[r].name} ({self.layers[r].operator.name})" for r in m.readers)
                raise ValueError(f"layers that read {m.name} want different activations: {who}; convert them with a layer of unit_weights")
        last = self.maps[-1]
        if last.producers != (len(self.layers) - 1,) or last.readers:
            raise ValueError(f"the last layer, {self.layers[-1].name}, gives the results: no other layer may share or read its map")

    def inputs(self, i: int) -> tuple[str, ...]:
        """Names of the maps layer i reads."""
        return self.layers[i].inputs or ((self.output(i - 1),) if i else (IMAGE,))

    def output(self, i: int) -> str:
        """Name of the map layer i writes."""
        return self.layers[i].output or self.layers[i].name

    @cached_property
    def _producers(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for i in range(len(self.layers)):
            found.setdefault(self.output(i), []).append(i)
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate((IMAGE, *self._producers))}

    @cached_property
    def maps(self) -> tuple[FeatureMap, ...]:
        """All feature maps: the image, then by the first layer that writes them. Raises ValueError where writers differ in shape."""
        readers: dict[str, list[int]] = {name: [] for name in self._places}
        for i in range(len(self.layers)):
            for name in self.inputs(i):
                readers[name].append(i)
        first = self.layers[next(iter(readers[IMAGE]), 0)]
        widest = max((self._image_channels(i) for i in readers[IMAGE]), default=first.C)
        found = [FeatureMap(IMAGE, widest, first.H, first.W, (), tuple(readers[IMAGE]))]
        for name, producers in self._producers.items():
            writers = [self.layers[i] for i in producers]
            shapes = {(w.out_h, w.out_w) for w in writers}
            if len(shapes) > 1 or name == IMAGE:
                raise ValueError(f"the layers that write {name} must give one size, and none may write the image; got {sorted(shapes)}")
            h, w = shapes.pop()
            found.append(FeatureMap(name, sum(w.K for w in writers), h, w, tuple(producers), tuple(dict.fromkeys(readers[name]))))
        return tuple(found)

    def _image_channels(self, i: int) -> int:
        """How many channels the image must have for layer i, which reads it."""
        layer, others = self.layers[i], [name for name in self.inputs(i) if name != IMAGE]
        if others:  # maps read side by side have equally many channels
            return max(sum(self.layers[k].K for k in self._producers[name]) for name in others if name in self._producers)
        return max(layer.gather) + 1 if layer.gather else layer.C

    def sources(self, i: int) -> tuple[int, ...]:
        """Which of `maps` layer i reads, in the order of its inputs."""
        return tuple(self._places[name] for name in self.inputs(i))

    def target(self, i: int) -> int:
        """Which of `maps` layer i writes."""
        return self._places[self.output(i)]

    def parts(self, k: int) -> tuple[int, ...]:
        """Channels of map k by the layer that writes them; of the image all together."""
        return tuple(self.layers[i].K for i in self.maps[k].producers) or (self.maps[k].channels,)

    def context(self, i: int) -> Context:
        """What surrounds layer i."""
        producers = self.maps[self.target(i)].producers
        before, after = ([self.layers[k].K for k in producers if (k < i) == early and k != i] for early in (True, False))
        return Context(self.following(i), tuple(self.parts(k) for k in self.sources(i)), tuple(before), tuple(after))

    def following(self, i: int) -> Operator | None:
        """An operator that reads layer i's results, whose activations they must be; None for the logits."""
        readers = self.maps[self.target(i)].readers
        return self.layers[readers[0]].operator if readers else None
