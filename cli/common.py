"""What every subcommand shares: its three options, its output, and how an error becomes one paragraph and an exit status."""

import errno
import json
import sqlite3
import sys
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.hw.noun import explain

if TYPE_CHECKING:
    from gatewright.sw.program import Program

DONE, FAILED, BAD_INPUT, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
WORKER_LOST = (
    "A worker process ended by itself: the system was out of memory, or somebody stopped it. What is finished is kept: close other "
    "programs, or ask for fewer workers, and go on with --resume."
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]

UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG)

PIPE_WIDTH = 160  # of tables that go to a file or a pipe
RUNS = Path("runs")
ACCELERATOR_TABLES = ("accelerator", "network", "block")  # of a file for measure and generate; the latter needs the first alone
RUN_CONFIG = "config.toml"
OF_ACCELERATORS = "examples/accelerator.toml is a file that has one."
LOWER = "`gatewright generate {} --accelerator FILE`"


@dataclass(frozen=True)
class Output:
    """Results go to standard output, as text or as one JSON object; progress goes to standard error, or nowhere if quiet."""

    as_json: bool = False
    quiet: bool = False

    def emit(self, result: Mapping[str, Any], text: RenderableType) -> None:
        """The command's result, once: `result` with --json, else `text` (anything Rich can print)."""
        if self.as_json:
            print(json.dumps(result, default=plain, allow_nan=False), flush=True)
        else:
            width = None if sys.stdout.isatty() else PIPE_WIDTH
            Console(width=width).print(text, highlight=False, markup=False, soft_wrap=isinstance(text, str))

    def note(self, text: str) -> None:
        """One line of progress."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def progress(self) -> Progress:
        """A context manager for progress bars: `with output.progress() as bar: task = bar.add_task("Training", total=9)`."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=Console(stderr=True), disable=self.quiet)

    @contextmanager
    def interruptible(self, kept: str, command: str) -> Iterator[None]:
        """Interrupted inside, it says what is kept and by which command a run goes on, and exits."""
        try:
            yield
        except KeyboardInterrupt:
            self.note(f"Interrupted; {kept} is kept. Go on with: {command}")
            raise typer.Exit(INTERRUPTED) from None


class Bars:
    """A progress bar for each phase."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def phase(self, name: str, total: int) -> None:
        self.task = self.bars.add_task(name, total=total)

    def advance(self) -> None:
        if self.task is not None:
            self.bars.advance(self.task)


def plain(value: Any) -> Any:
    """JSON of what `json` does not know: nouns, paths, NumPy's scalars and arrays."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a result holds {type(value).__name__}, which has no JSON form")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; BadInput names the file and the fault."""
    return parse_toml(read_text(path), str(path))


def accelerator_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file that describes an accelerator."""
    tables = read_toml(path)
    if of_training(tables):
        raise BadInput(f"{path} has no [accelerator] table: it is a training's configuration, for `gatewright train`. {OF_ACCELERATORS}")
    if "search" in tables or "target" in tables:
        raise BadInput(
            f"{path} is a search's configuration, for `gatewright explore`: its [accelerator] has choices, and one is wanted here. "
            f"{OF_ACCELERATORS}"
        )
    if unknown := sorted(set(tables) - set(ACCELERATOR_TABLES)):
        raise BadInput(f"{path}: {', '.join(unknown)} is not a known table; known are {', '.join(ACCELERATOR_TABLES)}.")
    return tables


def of_training(tables: Mapping[str, Any]) -> bool:
    """Whether the tables are a training's: [network] names one family (a search names families), and no accelerator comes with it."""
    network = tables.get("network")
    return isinstance(network, Mapping) and "family" in network and "accelerator" not in tables


def maker(folder: Path) -> str:
    """The command whose run a folder is."""
    tables = read_toml(folder / RUN_CONFIG)
    return "train" if of_training(tables) else "reproduce" if "reproduce" in tables else "explore"


def read_text(path: Path) -> str:
    """A file the user named; BadInput says why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None


def parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name} is not valid TOML: {error}.") from None


def run_folder(name: Path) -> Path:
    """The run folder a user named, by its path or by its name under `runs/`."""
    for folder in (name, RUNS / name):
        if (folder / RUN_CONFIG).is_file():
            return folder
    known = sorted(path.parent.name for path in RUNS.glob(f"*/{RUN_CONFIG}"))
    there = (
        f"the runs here are {', '.join(known)}"
        if known
        else f"there is no run in {RUNS}/ yet; `gatewright explore` makes one, and so do train and reproduce"
    )
    if not name.exists():
        raise BadInput(f"There is no file or run folder {name}: {there}.")
    raise BadInput(f"{name} is not a run folder (it has no {RUN_CONFIG}): {there}.")


def explored(name: Path, *makers: str) -> Path:
    """The run folder of a search that a user named, or of `makers`. Raises BadInput for one of a training, which has no winner, energies
    or page, and for one of a reproduction, which has many networks."""
    folder = run_folder(name)
    if (command := maker(folder)) in (makers or ("explore",)):
        return folder
    if command == "reproduce":
        raise BadInput(f"{folder} is a run of `gatewright reproduce`, not of one search: `gatewright report {folder}` makes its page.")
    raise BadInput(
        f"{folder} is a run of `gatewright train`, which has a network and no accelerator, hence no energies and no page: "
        f"{LOWER.format(folder)} gives it one, and `gatewright verify {folder}` proves it."
    )


def winner(folder: Path) -> "Program":
    """The program in a run folder. Raises BadInput where there is none, or a damaged one."""
    from gatewright.sim.delivery import PROGRAM, WINNER
    from gatewright.sw.program import Program

    path = folder / WINNER / PROGRAM
    if not path.is_file() and maker(folder) == "train":
        raise BadInput(f"{folder} is a run of `gatewright train` and has no program yet: {LOWER.format(folder)} makes one.")
    return Program.load(path)


def failure(error: BaseException) -> tuple[str, int] | None:
    """The paragraph and the exit status of an error a user can mend; None for any other, which nobody hides."""
    if isinstance(error, GatewrightError):
        return str(error), error.exit_status
    if isinstance(error, ValidationError):
        return explain(error.title, error), BAD_INPUT
    if isinstance(error, BrokenProcessPool):
        return WORKER_LOST, INTERRUPTED
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"The file is not valid TOML: {error}.", BAD_INPUT
    if full := next(filter(disk_full, chain(error)), None):
        return f"The disk is full ({full}): free some space, or name a folder on another disk, and run the command again.", BAD_INPUT
    if isinstance(error, OSError) and error.errno in UNUSABLE and error.filename is not None:
        return (
            f"{error.filename} cannot be used: {(error.strerror or '').lower()}. Name a folder that exists and that you may write to.",
            BAD_INPUT,
        )
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from: libraries wrap the operating system's errors in their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)
