"""A search under way: what it has learnt of each network, kept as it goes, so that an interrupted search learns nothing twice."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gatewright.dse.run import Run
from gatewright.dse.scnas.result import Point, Search
from gatewright.hw.errors import BadInput
from gatewright.sim import cache
from gatewright.sw.models import Architecture

HASH = "sha256"
BROKEN = (ValueError, KeyError, TypeError, AttributeError)  # what reading text that is no part may raise
EVERY = 8  # new networks between two writings: each takes a tenth of a second to two, a writing a millisecond


class Part:
    """Points by their network's content hash, in a file that is written whole after every few new ones.

    A search draws by what it was told before. So an interrupted one draws the same points again, and takes from here what they cost and
    how accurate they are. `seconds`: of the search, those before interruptions among them. Raises BadInput for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self.folder, self.name, self.started = Run(path.parent), path.name, time.perf_counter()
        kept: dict[str, Any] = _read(path) if path.is_file() else {"points": {}, "seconds": 0.0}
        self.known: dict[str, dict[str, Any]] = kept["points"]
        self.before: float = kept["seconds"]

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def point(self, number: int, network: Architecture) -> Point | None:
        """What is known of a network, as the point of a number."""
        found = self.known.get(network.content_hash)
        return None if found is None else Point(**found, number=number, architecture=network)

    def keep(self, network: Architecture, point: Point) -> None:
        """Remember a new point."""
        self.known[network.content_hash] = point.model_dump(mode="json", exclude={"number", "architecture"})
        if len(self.known) % EVERY == 0:
            kept = {"drawn": point.number + 1, "seconds": self.seconds, "points": self.known}
            self.folder.write_text(self.name, json.dumps(kept | {HASH: cache.key(**kept)}, allow_nan=False))


def drawn(path: Path) -> int:
    """How many points a search had drawn when it last wrote its part; none where there is no file."""
    return int(_read(path)["drawn"]) if path.is_file() else 0


def check(searches: Iterable[Path], parts: Iterable[Path]) -> None:
    """Raises BadInput that names every damaged one of the files of finished searches and of searches under way; absent ones are none."""
    files: list[tuple[Path, Callable[[str], object]]] = [(path, Search.from_json) for path in searches] + [(path, _kept) for path in parts]
    damaged = [f"{path} ({why})" for path, reading in files if path.is_file() and (why := _damage(path, reading))]
    if damaged:
        raise BadInput(f"Damaged files of searches: {', '.join(damaged)}. Delete them and go on with --resume: those searches begin anew.")


def _damage(path: Path, reading: Callable[[str], object]) -> str | None:
    try:
        reading(path.read_text())
    except (BadInput, *BROKEN) as error:
        return str(error).removesuffix(".")
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return _kept(path.read_text())
    except BROKEN as error:
        raise BadInput(f"{path} is damaged ({error}). Delete it and go on with --resume: the search begins anew.") from None


def _kept(text: str) -> dict[str, Any]:
    kept = json.loads(text)
    if kept.pop(HASH) != cache.key(**kept):
        raise ValueError("its content does not match the hash stored in it")
    return dict(kept)
