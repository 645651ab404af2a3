"""Following elements through views: a tensor as the numbers of the elements it holds.

Every element of every value has a number. A tensor in a user's forward is an integer tensor of those numbers in its own shape, so
that a flatten, slice, transposition or shuffle, however it is written, is that operation on the numbers, and what it comes to is read off.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gatewright.sw.imports.network import IMAGE, Concat, Pick, Step

Shape = tuple[int, int, int]


class NotAMap(Exception):
    """A tensor's elements do not make up channels x height x width; the text says why."""


@dataclass
class Arrangement:
    """The values so far and the steps that make them. Tensors are numbers of elements, [1, C, H, W] for a map, [1, n] where flattened."""

    names: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    joined: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def value(self, name: str, shape: Shape) -> Tensor:
        """A new value: the numbers of its elements, [1, C, H, W]."""
        first = self.firsts[-1] + self._size(-1) if self.names else 0
        self.names.append(name)
        self.shapes.append(shape)
        self.firsts.append(first)
        return torch.arange(first, first + self._size(-1)).reshape(1, *shape)

    def emit(self, make: Callable[..., Step], path: str, inputs: Sequence[str], shape: Shape, **settings: Any) -> Tensor:
        """Add a step whose value has `shape`."""
        name = self.unique(path or "forward")
        self.steps.append(make(path=path, inputs=tuple(inputs), output=name, **settings))
        return self.value(name, shape)

    def unique(self, path: str) -> str:
        """`path`, or with a number behind it where that is taken."""
        name, count = path, 0
        while name in self.names or (name == IMAGE and self.names):
            count += 1
            name = f"{path}_{count}"
        return name

    def shape(self, name: str) -> Shape:
        """Channels, height, width."""
        return self.shapes[self.names.index(name)]

    def map(self, elements: Tensor, path: str) -> str:
        """The value that [1, C, H, W] or [1, n] is, made by steps of concatenation and picking where need be. Raises NotAMap."""
        pieces = self._channels(elements)
        sources = list(dict.fromkeys(source for source, _ in pieces))
        whole = [(source, channel) for source in sources for channel in range(self.shapes[source][0])]
        name = self.names[sources[0]] if len(sources) == 1 else self._join([self.names[s] for s in sources], path)
        if pieces == whole:
            return name
        places = {place: i for i, place in enumerate(whole)}
        channels = tuple(places[piece] for piece in pieces)
        key = (name, channels)
        if key not in self.joined:
            height, width = self.shape(name)[1:]
            self.emit(Pick, path, [name], (len(channels), height, width), channels=channels)
            self.joined[key] = self.names[-1]
        return self.joined[key]

    def flat(self, elements: Tensor, path: str) -> tuple[str, Tensor]:
        """The map whose elements [1, n] are, and the place in it, in the order C, H, W, of each of them. Raises NotAMap."""
        numbers = elements.flatten().contiguous()
        ordered = numbers.unique()
        height, width = self.shapes[self._source(int(ordered[0]))][1:]
        if len(ordered) < len(numbers) or len(ordered) % (height * width):
            raise NotAMap("it takes some elements of its maps more than once, or only a part of a channel")
        name = self.map(ordered.reshape(1, -1, height, width), path)
        return name, torch.searchsorted(ordered, numbers)

    def _join(self, names: list[str], path: str) -> str:
        if tuple(names) not in self.joined:
            shapes = [self.shape(name) for name in names]
            self.emit(Concat, path, names, (sum(shape[0] for shape in shapes), *shapes[0][1:]))
            self.joined[tuple(names)] = self.names[-1]
        return self.joined[tuple(names)]

    def _channels(self, elements: Tensor) -> list[tuple[int, int]]:
        """(source, channel) of every channel of [1, C, H, W]; also of [1, n] whose elements are maps of 1 x 1."""
        if elements.dim() == 2:
            elements = elements[:, :, None, None]
        if elements.dim() != 4 or elements.shape[0] != 1:
            raise NotAMap(f"it has the shape {tuple(elements.shape)} for one image; channels x height x width are wanted")
        height, width = elements.shape[2:]
        found = []
        for channel in elements[0].flatten(1):
            source = self._source(int(channel[0]))
            index, rest = divmod(int(channel[0]) - self.firsts[source], height * width)
            whole = rest == 0 and self.shapes[source][1:] == (height, width)
            if not whole or not torch.equal(channel, channel[0] + torch.arange(height * width)):
                raise NotAMap("it moves pixels, or mixes them with channels; only whole channels can be moved")
            found.append((source, index))
        return found

    def _source(self, number: int) -> int:
        return bisect_right(self.firsts, number) - 1

    def _size(self, source: int) -> int:
        channels, height, width = self.shapes[source]
        return channels * height * width
