"""The run folder: what a run leaves, each file written whole or not at all."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewright.dse.config import RunConfig
from gatewright.hw.errors import BadInput
from gatewright.sim import cache

CONFIG, RECORD, STUDY, TRIALS, RESULT, REPORT, WINNER, FINALISTS = (
    "config.toml",
    "run.json",
    "study.db",
    "trials.json",
    "result.json",
    "report.html",
    "winner",
    "finalists",
)
LOCK = ".lock"
MAY_CHANGE = ("workers",)  # of [search], when a run is resumed: the result does not depend on it


class Run:
    """A folder that holds a run, finished or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def config(self) -> RunConfig:
        """What is searched, with the seed that is in force."""
        return RunConfig(**self.read(RECORD)["config"])

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the run. Raises BadInput if it is absent or damaged."""
        try:
            found = json.loads((self / name).read_text())
        except FileNotFoundError:
            raise BadInput(
                f"{self.folder} has no {name}: the run did not get so far, or it is none. Go on with the command that began it, "
                f"as `gatewright explore {self.folder / CONFIG} --resume {self.folder}` "
                f"or `gatewright reproduce scnas --resume {self.folder}`."
            ) from None
        except ValueError as error:
            raise BadInput(f"{self / name} is damaged ({error}). Put a copy back, or delete it and go on with --resume.") from None
        return dict(found)

    def write(self, name: str, value: Any) -> None:
        """JSON, whole or not at all."""
        self.write_text(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Text, whole or not at all."""
        draft = self / f".{name}.{os.getpid()}"
        with cache.writing(self / name):
            try:
                draft.write_text(text)
                draft.replace(self / name)
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time works in a run folder. Raises BadInput if another does."""
        with (self / LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(f"Another process is working in {self.folder}. Wait for it, or start a run of its own.") from None
            yield


def numbered(root: Path, name: str) -> Path:
    """A new folder `root/NAME-NUMBER`."""
    number = 1
    with cache.writing(root):
        root.mkdir(parents=True, exist_ok=True)
        while True:
            folder = root / f"{name}-{number}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1


def create(root: Path, config: RunConfig, text: str) -> Run:
    """A new folder `root/NAME-NUMBER` with the configuration as it was given, and as it is in force."""
    folder = numbered(root, config.name)
    run = Run(folder)
    run.write(RECORD, {"format": 1, "started": datetime.now(UTC).isoformat(timespec="seconds"), "config": config.model_dump(mode="json")})
    run.write_text(CONFIG, text)
    return run


def resume(folder: Path, config: RunConfig) -> Run:
    """An existing run, if it searches what `config` says; only [search] workers may differ. Raises BadInput otherwise."""
    run = Run(folder)
    mine, theirs = _flat(config), _flat(run.config)
    changed = [name for name in mine if mine[name] != theirs.get(name) and name.rpartition(".")[2] not in MAY_CHANGE]
    if changed:
        name = changed[0]
        raise BadInput(
            f"{folder} was started with {name} = {theirs.get(name)}, and now it is {mine[name]}: a resumed run goes on as it began. "
            f"Resume with `gatewright explore {run / CONFIG} --resume {folder}`, or start a new run."
        )
    return run


def _flat(config: RunConfig) -> dict[str, Any]:
    tables = config.model_dump(mode="json")
    return {
        f"{table}.{key}": value
        for table, keys in tables.items()
        for key, value in (keys.items() if isinstance(keys, dict) else [("", keys)])
    }
