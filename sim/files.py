"""Files that a user names: written whole or not at all, and checked before the work whose result they hold."""

import os
import tempfile
from pathlib import Path

from gatewright.hw.errors import BadInput
from gatewright.sim.cache import writing


def write(path: Path, text: str) -> None:
    """Make or replace a text file, whole or not at all. Raises BadInput where that cannot be, as `check` does."""
    check(path)
    with writing(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def check(path: Path) -> None:
    """Raises BadInput unless a file can be made at this path: its folder exists and can be written."""
    if not path.parent.is_dir():
        raise BadInput(f"{path} cannot be written: there is no folder {path.parent}. Make it, or name another one.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder. Name a file.")
    with writing(path), tempfile.TemporaryFile(dir=path.parent):
        pass
