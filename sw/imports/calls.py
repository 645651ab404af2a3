"""One operation of a user's forward, and what its handlers ask of its operands; see `gatewright.sw.imports.operations`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.advice import CONSTANT, refused
from gatewright.sw.imports.arrangement import Arrangement, NotAMap
from gatewright.sw.imports.network import IMAGE


@dataclass(frozen=True, eq=False)
class Elements:
    """A tensor of the user's forward, for one image, as the numbers of its elements; see `gatewright.sw.imports.arrangement`.

    An operation in place writes new numbers into it, and whatever is a view of it sees them, as in PyTorch.
    """

    numbers: Tensor


@dataclass
class Call:
    """One operation being imported: where its values go, the path of the module it is in, its name in messages.

    last: what it gives is what the network gives.
    """

    values: Arrangement
    path: str
    what: str
    last: bool = False

    def refuse(self, rule: str = "") -> BadInput:
        """The error that says why this operation is not possible."""
        return refused(self.path, self.what, rule)

    def misfit(self, noun: str, takes: int, gets: int, source: str = "") -> BadInput:
        """The error for an operation made for another number of channels or inputs than those of what it reads, the value `source`."""
        image = self.values.shape(IMAGE)
        other = f", or use a data set whose images have {takes} channels" if source == IMAGE and noun == "channels" else ""
        if noun == "inputs":
            other = ", or use a data set whose images have the size it was made for"
        shape = " x ".join(map(str, image))
        return self.refuse(f"takes {takes} {noun}, but gets {gets} from a {shape} image; make it take {gets}{other}")

    def elements(self, x: Any) -> Tensor:
        """The numbers of an operand that must come from the image."""
        if not isinstance(x, Elements):
            raise self.refuse(f"its operand is a constant; {CONSTANT}")
        return x.numbers

    def map(self, x: Any) -> tuple[str, tuple[int, int, int]]:
        """Name and shape of an operand that must be a map [1, C, H, W]."""
        numbers = self.elements(x)
        if numbers.dim() != 4:
            raise self.refuse(f"it reads maps, channels x height x width; got the shape {tuple(numbers.shape)} for one image")
        try:
            name = self.values.map(numbers, self.path)
        except NotAMap as error:
            raise self.refuse(str(error)) from None
        return name, self.values.shape(name)

    def flat(self, x: Any) -> tuple[str, Tensor]:
        """Name of the map that a vector [1, n] is, and the place in it of each element."""
        numbers = self.elements(x)
        if numbers.dim() != 2 or numbers.shape[0] != 1:
            raise self.refuse(f"it reads one vector an image; got the shape {tuple(numbers.shape)} for one image; flatten(1) before it")
        try:
            return self.values.flat(numbers, self.path)
        except NotAMap as error:
            raise self.refuse(str(error)) from None

    def elementwise(self, make: Callable[..., Any], xs: list[Any], **settings: Any) -> Elements:
        """A step that treats all elements of maps or flattened maps alike."""
        like = self.elements(xs[0])
        if any(self.elements(x).shape != like.shape for x in xs):
            raise self.refuse(f"both operands must have one shape; got {' and '.join(str(tuple(x.numbers.shape)) for x in xs)}")
        if like.dim() == 4:
            names = [self.map(x)[0] for x in xs]
            return Elements(self.values.emit(make, self.path, names, self.values.shape(names[0]), **settings))
        flats = [self.flat(x) for x in xs]
        if any(not torch.equal(places, flats[0][1]) for _, places in flats) or len({self.values.shape(n) for n, _ in flats}) > 1:
            raise self.refuse("its operands are flattened in different ways; combine the maps before they are flattened")
        out = self.values.emit(make, self.path, [name for name, _ in flats], self.values.shape(flats[0][0]), **settings)
        return Elements(out.flatten()[flats[0][1]].reshape(like.shape))


def square(call: Call, name: str, value: Any) -> int:
    """One number for rows and columns."""
    sizes = set(value) if isinstance(value, tuple | list) else {value}
    if len(sizes) != 1:
        raise call.refuse(f"{name} must be the same for rows and columns; got {tuple(value)}")
    return int(sizes.pop())


def constant(call: Call, value: Any) -> Tensor:
    """Weights: they must not depend on the image."""
    if isinstance(value, Elements):
        raise call.refuse("its weights depend on the image; products of two activations are host-side")
    return torch.as_tensor(value).detach().float()


def per_channel(call: Call, x: Any, value: Any) -> Tensor:
    """A constant operand as one number for each channel of x, [C]."""
    given, shape = constant(call, value), call.elements(x).shape
    try:
        spread = given.broadcast_to(shape).reshape(shape[1], -1) if len(shape) in (2, 4) and shape[0] == 1 else None
    except RuntimeError:
        spread = None
    if spread is None or not bool((spread == spread[:, :1]).all()):
        raise call.refuse(f"a constant operand must be one number a channel; got the shape {tuple(given.shape)} for {tuple(shape)}")
    return spread[:, 0].clone()
