"""What a regression file says: blocks, what drives them, and how much each figure may move."""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.hw.noun import Noun
from gatewright.sim import cache
from gatewright.sim.technology import Technology, from_liberty, technology_named

Figure = Literal["area_um2", "luts", "latency_cycles", "cycles_per_op", "energy_pj_per_op", "zero_delay_pj_per_op", "fmax_mhz_estimate"]
BETTER_DOWN: Mapping[Figure, bool] = {
    "area_um2": True,
    "luts": True,
    "latency_cycles": True,
    "cycles_per_op": True,
    "energy_pj_per_op": True,
    "zero_delay_pj_per_op": True,
    "fmax_mhz_estimate": False,
}
Tolerances = dict[Figure, float]
_Noun = TypeVar("_Noun", bound=Noun)


class Drive(Noun):
    """Random values of an input: from `low` to `high` (both included), or ones with probability `chance`."""

    low: int | None = None
    high: int | None = None
    chance: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> "Drive":
        if (self.chance is None) == (self.low is None) or (self.low is None) != (self.high is None):
            raise ValueError("an input is driven by low and high, or by chance")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must not be above high; got {self.low} and {self.high}")
        return self


class Block(Noun):
    """One block: a `component` with its `arguments`, or a complete `accelerator` that runs a `network`, or one `part` of it.

    component: `file.py:Name` (relative to the regression file) or `package.module:Name`, a class or a function that makes one.
    stimulus: an .npz file with an array for every input, or by input a number, a .npy file, or how to draw it; inputs not named are
    uniformly random. operations: how many operations a cycle does, or the one-bit port that is high when one is done.
    result: the outputs whose first response to the inputs is the latency; all, if none is named.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    component: str | None = None
    arguments: dict[str, Any] = {}
    stimulus: str | dict[str, int | str | Drive] = {}
    operations: float | str = 1.0
    result: tuple[str, ...] = ()
    cycles: int = Field(default=200, ge=2)
    streams: int = Field(default=16, ge=1, le=512)
    memories: Literal["macros", "gates"] = "macros"
    accelerator: dict[str, Any] | None = None
    network: dict[str, Any] | None = None
    part: str | None = None
    images: int = Field(default=32, ge=1, le=512)
    tolerance: Tolerances = {}

    @field_validator("operations", mode="before")
    @classmethod
    def _above_zero(cls, value: Any) -> Any:
        if isinstance(value, str) or (type(value) in (int, float) and 0 < value < math.inf):
            return value
        raise ValueError("must be a finite number above 0, or the name of a port of one bit")

    @model_validator(mode="after")
    def _check(self) -> "Block":
        if (self.component is None) == (self.accelerator is None):
            raise ValueError("a block is either a component or an accelerator")
        foreign = {"component": ("network", "part", "images")}.get(
            "component" if self.component else "", ("arguments", "stimulus", "operations", "result", "cycles", "streams", "memories")
        )
        if wrong := [name for name in foreign if name in self.model_fields_set]:
            raise ValueError(f"{', '.join(wrong)} cannot be given with {'a component' if self.component else 'an accelerator'}")
        return self


class Plan(Noun):
    """A regression file: settings for all blocks, and the blocks. Tolerances are percents; a block's own go before them.

    `technology` is an embedded one; `liberty` names files of another in its place.
    """

    technology: str = "ihp130"
    liberty: tuple[str, ...] = ()
    clock_ns: float = Field(default=20.0, gt=0, allow_inf_nan=False, strict=True)
    fpga: Literal["ice40", "ecp5"] = "ice40"
    tolerance: Tolerances = {}
    block: tuple[Block, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Plan":
        if self.liberty and "technology" in self.model_fields_set:
            raise ValueError("technology and liberty cannot both be given")
        names = [block.name for block in self.block]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"blocks must have different names; {', '.join(twice)} occurs twice")
        return self

    @classmethod
    def of(cls, tables: Mapping[str, Any], file: Path) -> "Plan":
        """The tables of a regression file. Raises BadInput with the file and the block."""
        blocks = tables.get("block")
        if not isinstance(blocks, list):
            return _noun(cls, tables, str(file))
        return _noun(cls, {**tables, "block": tuple(_block(table, file, i) for i, table in enumerate(blocks, 1))}, str(file))

    def choose(self, names: list[str]) -> tuple[Block, ...]:
        """The blocks of these names, in the file's order; all, if there are none. Raises BadInput for a name that no block has."""
        known = [block.name for block in self.block]
        if unknown := [name for name in names if name not in known]:
            raise BadInput(f"There is no block {', '.join(unknown)}; the file has {', '.join(known)}.")
        return tuple(block for block in self.block if not names or block.name in names)

    def tolerances(self, block: Block) -> dict[Figure, float]:
        """The percentage by which every figure of a block may move."""
        return {figure: block.tolerance.get(figure, self.tolerance.get(figure, 0.0)) for figure in BETTER_DOWN}

    def cells(self, folder: Path) -> Technology:
        """The technology that the blocks are mapped to."""
        return from_liberty(*(existing(folder, name) for name in self.liberty)) if self.liberty else technology_named(self.technology)

    def definition(self, block: Block, folder: Path, seed: int) -> str:
        """A hash of all that says what is measured and how, files of stimulus included; not of the block's source."""
        names = [block.stimulus] if isinstance(block.stimulus, str) else [v for v in block.stimulus.values() if isinstance(v, str)]
        files = {name: cache.digest(existing(folder, name)) for name in names}
        fields = block.model_dump(mode="json", exclude={"name", "tolerance"})
        return cache.key(block=fields, files=files, clock_ns=self.clock_ns, fpga=self.fpga, seed=seed)[:16]


def existing(folder: Path, name: str) -> Path:
    """A file that the regression file names, relative to its folder."""
    if not (path := folder / name).is_file():
        raise BadInput(f"There is no file {path}; paths are relative to the regression file.")
    return path


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Errors begin with where they belong: a file, or a block of it."""
    try:
        yield
    except GatewrightError as error:
        raise type(error)(f"{where}: {error}") from error


def _block(table: Any, file: Path, number: int) -> Block:
    where = f"{file}, block {table.get('name', number) if isinstance(table, Mapping) else number}"
    if isinstance(table, Mapping) and isinstance(drives := table.get("stimulus"), Mapping):
        given = {
            name: _noun(Drive, drive, f"{where}, stimulus.{name}") if isinstance(drive, Mapping) else drive
            for name, drive in drives.items()
        }
        table = {**table, "stimulus": given}
    return _noun(Block, table, where)


def _noun(kind: type[_Noun], table: Any, where: str) -> _Noun:
    if not isinstance(table, Mapping):
        raise BadInput(f"{where}: must be a table of keys and values; got {table!r}.")
    _known(table, kind.model_fields, "a known key; known", where)
    if isinstance(tolerance := table.get("tolerance"), Mapping):
        _known(tolerance, BETTER_DOWN, "a figure; the figures", f"{where}, tolerance")
        if wrong := [name for name, percent in tolerance.items() if type(percent) not in (int, float) or not 0 <= percent < math.inf]:
            raise BadInput(f"{where}: the tolerance of {', '.join(wrong)} must be a percentage of 0 or more; got {tolerance[wrong[0]]!r}.")
    try:
        return kind(**table)
    except BadInput as error:
        raise BadInput(f"{where}: {str(error).removeprefix(f'{kind.__name__}: ')}") from None


def _known(table: Mapping[str, Any], known: Collection[str], what: str, where: str) -> None:
    if unknown := [name for name in table if name not in known]:
        verb = "are" if len(unknown) > 1 else "is"
        raise BadInput(f"{where}: {', '.join(unknown)} {verb} not {what} are {', '.join(known)}.")
