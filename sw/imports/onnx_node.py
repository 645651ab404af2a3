"""What an ONNX graph is made of while it is read: constants, tensors that come from the image, and nodes with their inputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewright.sw.imports.calls import Call, Elements
from gatewright.sw.imports.onnx_grids import WeightScale


@dataclass(frozen=True, eq=False)
class Codes(Elements):
    """A tensor that comes from the image and holds integer codes, not the reals they stand for."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant tensor, of a quantised one the reals. scale: what its codes are multiples of; None where it is not quantised."""

    array: np.ndarray
    scale: WeightScale | None = None


Tensor = Elements | Constant


@dataclass(frozen=True, eq=False)
class Node:
    """One node of the graph. inputs: None where one is left out. outputs: how many.

    batch: the number of images that the graph's shapes are for, 0 for any.
    """

    call: Call
    attributes: dict[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: int
    batch: int

    @property
    def operation(self) -> str:
        return self.call.what

    def _input(self, i: int) -> Tensor | None:
        return self.inputs[i] if i < len(self.inputs) else None

    def elements(self, i: int = 0) -> Elements:
        """Input i, which must come from the image, reals or codes."""
        found = self._input(i)
        if not isinstance(found, Elements):
            raise self.call.refuse(
                f"its input {i + 1} must come from the image, and is constant; exchange the two, or compute it beforehand"
            )
        return found

    def real(self, i: int = 0) -> Elements:
        """Input i, which must come from the image, in reals."""
        found = self.elements(i)
        if isinstance(found, Codes):
            raise self.call.refuse(f"its input {i + 1} is a tensor of integer codes; put DequantizeLinear before it")
        return found

    def given(self, i: int) -> Constant | None:
        """Input i, which must be constant; None where it is left out."""
        found = self._input(i)
        if isinstance(found, Elements):
            raise self.call.refuse(
                f"its input {i + 1} must be constant, and comes from the image; products of two activations are host-side"
            )
        return found

    def constant(self, i: int) -> Constant:
        """Input i, which must be there and be constant."""
        found = self.given(i)
        if found is None:
            raise self.call.refuse(f"its input {i + 1} is missing")
        return found

    def integers(self, name: str, i: int | None = None) -> list[int] | None:
        """A list of integers: attribute `name`, or input i where newer operator sets have it there."""
        if name in self.attributes:
            return [int(n) for n in np.atleast_1d(self.attributes[name])]
        found = None if i is None else self.given(i)
        return None if found is None else [int(n) for n in found.array.reshape(-1)]

    def number(self, name: str, default: float, i: int | None = None) -> float:
        """The same of a number."""
        if name in self.attributes:
            return float(self.attributes[name])
        found = None if i is None else self.given(i)
        return default if found is None else float(found.array.reshape(()))
