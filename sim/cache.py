"""Results by content: an entry is named by a hash of everything it depends on, and is written whole or not at all."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gatewright.hw.errors import BadInput

_MANIFEST = "manifest.json"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def location() -> Path:
    """The folder of the cache: GATEWRIGHT_CACHE, or ~/.cache/gatewright."""
    return Path(os.environ.get("GATEWRIGHT_CACHE") or Path.home() / ".cache" / "gatewright")


def key(**parts: Any) -> str:
    """SHA-256 of the canonical JSON of `parts` (JSON values, nouns, paths' contents as hashes): equal in every process."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_canonical)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return [type(value).__name__, json.loads(value.to_json())]
    raise TypeError(f"a cache key is made of JSON values and nouns, not of {type(value).__name__}")


def digest(data: bytes | Path) -> str:
    """SHA-256 of some bytes or of a file's content."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(what: Path) -> Iterator[None]:
    """Turns the operating system's refusals (a full disk, a read-only folder) into one clear error."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise BadInput(
                f"{what}: the disk is full, nothing was kept. Free space or use another disk (for the cache, set GATEWRIGHT_CACHE)."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            why = error.strerror
            raise BadInput(
                f"{what}: cannot be written ({why}). Name a folder that can be written (for the cache, set GATEWRIGHT_CACHE)."
            ) from error
        raise


def folder(kind: str, name: str, make: Callable[[Path], None], root: Path | None = None) -> Path:
    """The cached folder `kind/name` (`name` from `key`). Where it is absent or damaged, `make` fills a new one.

    `make` gets an empty folder that becomes the entry when it returns; whatever goes wrong inside, no entry appears.
    Two processes may make the same entry at once: the first to finish wins, both read the winner's.
    """
    parent = (root or location()) / kind
    entry = parent / name
    if entry.exists() and intact(entry):
        return entry
    with writing(parent):
        if entry.exists():
            _discard(entry)
        parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=parent))
        try:
            make(draft)
            (draft / _MANIFEST).write_text(json.dumps(_contents(draft), sort_keys=True))
            try:
                draft.rename(entry)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return entry


def holds(kind: str, name: str, root: Path | None = None) -> bool:
    """Whether the entry is there, undamaged."""
    entry = (root or location()) / kind / name
    return entry.exists() and intact(entry)


def value(kind: str, name: str, compute: Callable[[], Any], root: Path | None = None) -> Any:
    """The cached JSON value `kind/name`, computed where it is absent or damaged."""

    def make(draft: Path) -> None:
        (draft / "value.json").write_text(json.dumps(compute(), allow_nan=False))

    return json.loads((folder(kind, name, make, root) / "value.json").read_text())


def intact(entry: Path) -> bool:
    """Whether every file of an entry still has the content that was stored."""
    try:
        return bool(json.loads((entry / _MANIFEST).read_text()) == _contents(entry))
    except (OSError, ValueError):
        return False


def _contents(entry: Path) -> dict[str, str]:
    files = (path for path in sorted(entry.rglob("*")) if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(entry)): digest(path) for path in files}


def _discard(entry: Path) -> None:
    """Move away first, so that no other process sees half an entry."""
    grave = Path(tempfile.mkdtemp(prefix=".draft-", dir=entry.parent))
    with suppress(FileNotFoundError):  # another process was faster
        entry.rename(grave / "entry")
    shutil.rmtree(grave, ignore_errors=True)
