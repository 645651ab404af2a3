"""A search under way: what it has learnt of each network, kept as it goes, so that an interrupted search learns nothing twice."""

import time
from pathlib import Path
from typing import Any

from gatewright.dse.run import Run
from gatewright.dse.scnas.result import Point
from gatewright.sw.models import Architecture

EVERY = 8  # new networks between two writings: each takes a tenth of a second to two, a writing some milliseconds


class Part:
    """Points by their network's content hash, in a file that is written whole after every few new ones.

    A search draws by what it was told before. So an interrupted one draws the same points again, and takes from here what they cost and
    how accurate they are. `seconds`: of the search, those before interruptions among them. Raises BadInput for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self.folder, self.name, self.started = Run(path.parent), path.name, time.perf_counter()
        kept: dict[str, Any] = self.folder.read(self.name) if path.is_file() else {"points": {}, "seconds": 0.0}
        self.known = {name: Point(**point) for name, point in kept["points"].items()}
        self.before = float(kept["seconds"])

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def point(self, number: int, network: Architecture) -> Point | None:
        """What is known of a network, as the point of a number."""
        found = self.known.get(network.content_hash)
        return found and found.replace(number=number, architecture=network)

    def keep(self, network: Architecture, point: Point) -> None:
        """Remember a new point."""
        self.known[network.content_hash] = point.replace(architecture=None)
        if len(self.known) % EVERY == 0:
            points = {name: point.model_dump(exclude_none=True) for name, point in self.known.items()}
            self.folder.write(self.name, {"drawn": point.number + 1, "seconds": self.seconds, "points": points})


def drawn(path: Path) -> int:
    """How many points a search had drawn when it last wrote its part; none where there is no file."""
    return int(Run(path.parent).read(path.name)["drawn"]) if path.is_file() else 0
