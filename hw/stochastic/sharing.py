"""Who compares with which numbers: sharing of one source among comparators, with rotated views of it.

A comparator takes a *level* from its source: a Sobol or counter source's number (pulse: value > level), or a register's state, one
more than the number (pulse: value >= level).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gatewright.hw.config import Source
from gatewright.hw.errors import BadInput
from gatewright.hw.stochastic.numbers import DIMENSIONS, TAPS, Side, lfsr, sequence, sobol, thermometer


class Rotation(NamedTuple):
    """How a group of comparators sees shared numbers: rotated left by `left` bits, then inverted where `mask` has ones. Wires only.

    A rotation suits registers (each bit is a shifted copy of the next); it spoils Sobol numbers, whose low bits are not random. A mask
    (digital shift) keeps every net of a Sobol sequence a net; it does not suit registers, which lack one number.
    """

    left: int = 0
    mask: int = 0


def rotate(level: Any, bits: int, rotation: Rotation) -> Any:
    """A level, or an array of levels, as the group sees it."""
    left = rotation.left % bits
    return (((level << left) | (level >> (bits - left))) & ((1 << bits) - 1)) ^ rotation.mask


@dataclass(frozen=True)
class Sharing:
    """The numbers of a row of `comparators`, `sharing` neighbours taking the same ones.

    One source serves as many such groups as there are `rotations`, each seeing the numbers rotated, and `phase` cycles ahead of the
    group before it; then comes the next source: a register with another seed, or the next Sobol dimension. `first` counts the sources
    of rows before this one, so that rows differ. A counter is one source, which counts `length` cycles.
    """

    source: Source
    bits: int
    comparators: int
    sharing: int = 1
    rotations: tuple[Rotation, ...] = (Rotation(),)
    phase: int = 0
    first: int = 0
    length: int = 0

    def __post_init__(self) -> None:
        if self.comparators < 1 or self.sharing < 1 or not self.rotations or self.bits not in TAPS:
            raise BadInput(
                f"comparators, sharing and the number of rotations are at least 1 and bits 1 to {max(TAPS)}; "
                f"got {self.comparators}, {self.sharing}, {len(self.rotations)} and {self.bits}."
            )
        last, length = self.first + self.sources, self.length
        if self.source == "sobol" and last > DIMENSIONS:
            raise BadInput(f"There are {DIMENSIONS} Sobol dimensions; these comparators need {last}. Share them, or rotate their numbers.")
        if self.source == "counter" and (last > 1 or length < 2 or length & (length - 1)):
            raise BadInput(f"A counter is one source over a power of two of cycles; got {last} sources and length {length}.")
        if self.source == "lfsr" and any(rotation.mask for rotation in self.rotations):
            raise BadInput("A register's levels cannot be inverted by a mask, for they lack zero; rotate them or use a phase.")

    @property
    def groups(self) -> int:
        """Sets of numbers that differ, rotated views counted."""
        return -(-self.comparators // self.sharing)

    @property
    def sources(self) -> int:
        return -(-self.groups // len(self.rotations))

    def view(self, group: int) -> tuple[int, Rotation, int]:
        """Which source a group sees, how rotated, and how many cycles ahead."""
        source, turn = divmod(group, len(self.rotations))
        return source, self.rotations[turn], turn * self.phase

    def seed(self, source: int) -> int:
        """The first state of a register: multiples of a number far from every power of two, so that seeds are spread; 1 for the first."""
        period = (1 << self.bits) - 1
        return 1 + (self.first + source) * (period * 5 // 13 | 1) % period

    def levels(self, group: int, length: int) -> list[int]:
        """What a group's comparators compare with in each of `length` cycles."""
        source, turn, ahead = self.view(group)
        if self.source == "counter":
            full = thermometer(self.bits, self.length)
            played = [full[t % self.length] for t in range(ahead, ahead + length)]
        elif self.source == "lfsr":
            played = [number + 1 for number in lfsr(self.bits, ahead + length, seed=self.seed(source))[ahead:]]
        else:
            played = sobol(self.bits, 1 + self.first + source, ahead + length)[ahead:]
        return [rotate(level, self.bits, turn) for level in played]


ALL_LANES = 16  # `sharing` of an operator all of whose lanes compare with the same numbers: as many as an element can have
PERIOD_BITS = 32  # operand bits after which the lanes' rotations repeat, and which one adder joins
SELECT_BITS = 3  # of the number by which an adder of kind mux selects a lane
SELECT_INDEX = 8  # bits of the step it depends on
_SPREAD = {"activation": 0x91E10DA5, "weight": 0xC13FA9A9}  # fractions of M. Roberts's R2 sequence (2018): shifts far apart in both


def rotation(source: Source, bits: int, side: Side, group: int) -> Rotation:
    """What the lanes of sharing group `group` do to one side's numbers; group 0 takes them as they are.

    Registers rotate, the two sides in opposite senses, so that groups repeat after `bits`. Sobol numbers are shifted digitally. A
    counter stays as it is: its streams must be thermometers.
    """
    if source == "lfsr":
        return Rotation(left=(group if side == "activation" else -group) % bits)
    if source == "counter" and side == "activation":
        return Rotation()
    return Rotation(mask=(group * _SPREAD[side] & 0xFFFFFFFF) >> (32 - bits))


def lane_sequence(source: Source, bits: int, side: Side, length: int, group: int) -> list[int]:
    """`sequence` as sharing group `group` sees it. Registers are rotated as states, one more than the numbers."""
    first, turn = int(source == "lfsr"), rotation(source, bits, side, group)
    return [rotate(number + first, bits, turn) - first for number in sequence(source, bits, side, length)]


def pairing(width: int) -> list[int]:
    """The order in which an approximate adder pairs the `width` (a power of two) pulses that a lane plays in one cycle: bits reversed.

    Sobol numbers of paired times then lie close together, and the pairs joined by AND and by OR alternate over their whole range.
    """
    places = (width - 1).bit_length()
    return [int(format(j, f"0{places}b")[::-1], 2) for j in range(width)]


def selection(lanes: int, length: int) -> list[int]:
    """Which of `lanes` lanes (a power of two) an adder of kind mux selects at each time: the third Sobol dimension's top bits."""
    return [number >> SELECT_INDEX - (lanes - 1).bit_length() for number in sobol(SELECT_INDEX, 3, length)]
