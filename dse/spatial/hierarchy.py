"""A spatial hierarchy as a TOML file describes it: memories from the outermost inwards, and arrays of what lies inside each."""

from functools import cached_property
from math import prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatewright.dse.spatial.problem import DIMS, Dim, Name, Number, Tensor
from gatewright.hw.noun import Noun

Energy = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
MULTIPLIERS = "multipliers"
"""What is inside the innermost level: a part of the energy beside the levels."""


class Axis(Noun):
    """`size` copies, side by side, of all that lies inside; `loops` may be spread over them."""

    name: Name
    size: Number
    loops: tuple[Dim, ...] = DIMS


class Level(Noun):
    """A memory. `words` None: as many as are needed. Energies in pJ of one access, which moves `access_words` words.

    `keeps`: tensors that pass through it; `may_keep`: tensors that the mapper may keep here or let pass by. `loops`: what may be walked in
    time at this level. `read_words`, `write_words`: words a cycle and instance; None: no limit. `inside`: arrays of the next level.
    """

    name: Name
    keeps: tuple[Tensor, ...] = ()
    may_keep: tuple[Tensor, ...] = ()
    words: Number | None = None
    access_words: Number = 1
    read_pj: Energy
    write_pj: Energy
    read_words: Rate | None = None
    write_words: Rate | None = None
    loops: tuple[Dim, ...] = DIMS
    inside: tuple[Axis, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Level":
        if both := sorted(set(self.keeps) & set(self.may_keep)):
            raise ValueError(f"level {self.name}: {', '.join(both)} is in keeps and in may_keep; name it in one of them")
        return self

    @property
    def fanout(self) -> int:
        return prod(axis.size for axis in self.inside)

    @property
    def word_read_pj(self) -> float:
        return self.read_pj / self.access_words

    @property
    def word_write_pj(self) -> float:
        return self.write_pj / self.access_words


class Hierarchy(Noun):
    """Levels from the outermost memory inwards, then multipliers of `mac_pj` a multiplication with its addition.

    Networks between levels cost nothing: one read serves every copy that wants the word, and sums of copies are added on their way.
    `latches`: operands or sums that a multiplier holds from one cycle to the next; others it reads, or adds to, at every product.
    """

    name: Name
    source: Name
    mac_pj: Energy
    levels: tuple[Level, ...] = Field(min_length=2)
    latches: tuple[Tensor, ...] = ()
    origin: Literal["cited"] = "cited"

    @model_validator(mode="after")
    def _check(self) -> "Hierarchy":
        outermost = self.levels[0]
        if set(outermost.keeps) != {"weights", "inputs", "outputs"} or outermost.words is not None:
            raise ValueError(f"the outermost level ({outermost.name}) must keep weights, inputs and outputs, and have no limit of words")
        if outermost.inside:
            raise ValueError(f"the outermost level ({outermost.name}) must have one level inside; put an array further in")
        names = [level.name for level in self.levels] + [axis.name for level in self.levels for axis in level.inside]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the names of levels and arrays must differ; {', '.join(repeated)} came twice")
        if MULTIPLIERS in names:
            raise ValueError(f"a level or an array cannot be called {MULTIPLIERS}: what is inside the innermost level is")
        return self

    @cached_property
    def peak(self) -> int:
        """Multiplications a cycle."""
        return prod(level.fanout for level in self.levels)
