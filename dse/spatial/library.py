"""Published hierarchies and networks that ship as TOML files, by name."""

import tomllib
from functools import lru_cache
from pathlib import Path

from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.problem import Network
from gatewright.hw.errors import BadInput

HIERARCHIES = Path(__file__).parent / "presets"
NETWORKS = Path(__file__).parent / "networks"


def names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


@lru_cache
def hierarchy(name: str) -> Hierarchy:
    """A published design. Raises BadInput for a name that is not there."""
    return Hierarchy(**_tables(HIERARCHIES, name, "hierarchy"))


@lru_cache
def network(name: str) -> Network:
    """The layers of a published network. Raises BadInput for a name that is not there."""
    return Network(**_tables(NETWORKS, name, "network"))


def _tables(folder: Path, name: str, what: str) -> dict[str, object]:
    if name not in names(folder):
        raise BadInput(f"There is no {what} called {name!r}; there are {', '.join(names(folder))}. Or name a TOML file.")
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
