"""The two arguments of `gatewright map`: a network and what it runs on, by file or by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.cli.common import accelerator_tables, of_training, read_toml
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.spatial.hierarchy import Hierarchy
    from gatewright.dse.spatial.problem import Network
    from gatewright.hw.config import AcceleratorConfig

NETWORK_KEYS = "A network has [[layers]], at least one and each of another name, and may have a name."
LAYER_KEYS = (
    "A layer has a name, sizes of its loops G, N, K, C, P, Q, R, S (1 where left out; P and Q are the output's rows and columns, so there "
    "is no padding), stride and count."
)
DESIGN_KEYS = "A hierarchy has source, mac_pj, at least two [[levels]], and may have name and latches: docs/mapping.md shows one."
LEVEL_KEYS = (
    "A level has a name, keeps, may_keep, words, access_words, read_pj, write_pj, read_words, write_words, loops, and arrays "
    "[[levels.inside]] with name, size and loops: docs/mapping.md shows one."
)


def network(name: str) -> "Network":
    """Raises BadInput, naming file and layer, for one that is not a network."""
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.problem import Network, Problem

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.network(name)
    tables = {"name": path.stem} | read_toml(path)
    if not isinstance(tables.get("layers"), list):
        raise BadInput(f"{name} has no [[layers]]: the first argument is a network, the second what it runs on. {LAYER_KEYS}")
    layers = tuple(_entry(Problem, fields, f"{name}, layer {i}", LAYER_KEYS) for i, fields in enumerate(tables["layers"], 1))
    return _made(Network, tables | {"layers": layers}, name, NETWORK_KEYS)


def design(name: str) -> "Hierarchy | AcceleratorConfig":
    """Raises BadInput, naming file and level, for what is neither a grid of ours nor a hierarchy."""
    from gatewright.dse.spatial import library
    from gatewright.dse.spatial.hierarchy import Hierarchy, Level
    from gatewright.hw.names import accelerator_from

    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        return library.hierarchy(name)
    tables = read_toml(path)
    if "levels" in tables:
        entries = tables["levels"] if isinstance(tables["levels"], list) else [tables["levels"]]
        levels = tuple(_entry(Level, fields, f"{name}, level {i}", LEVEL_KEYS) for i, fields in enumerate(entries, 1))
        return _made(Hierarchy, {"name": path.stem} | tables | {"levels": levels}, name, DESIGN_KEYS)
    if "accelerator" not in tables and not of_training(tables):
        raise BadInput(
            f"{name} has neither [accelerator] (a grid of ours, as in examples/accelerator.toml) nor [[levels]] (a hierarchy of memories); "
            "give one of them."
        )
    try:
        return accelerator_from(accelerator_tables(path), name)
    except BadInput as error:
        raise BadInput(str(error) if name in str(error) else f"{name}: {error}") from None


def _entry(noun: Any, fields: Any, place: str, keys: str) -> Any:
    """One table of a list; an error says which one it is and what keys there are."""
    fields = fields if isinstance(fields, dict) else {"table": fields}
    named = f" {fields['name']!r}" if "name" in fields else ""
    return _made(noun, fields, place + named, keys)


def _made(noun: Any, fields: dict[str, Any], place: str, keys: str) -> Any:
    try:
        return noun(**fields)
    except BadInput as error:
        raise BadInput(f"{place}: {str(error).partition(': ')[2]} {keys}") from None
