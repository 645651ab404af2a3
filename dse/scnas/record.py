"""Results on record: without mappings, and of each point how it ended, its energies and its estimate; numbers rounded, a line an entry."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewright.dse.scnas.result import Point, Result, Search
from gatewright.dse.scnas.tables import STATUSES

DIGITS = 6  # significant ones of what is kept


def packed(result: Result) -> dict[str, Any]:
    """A result as it is kept."""
    kept = result.model_dump(mode="json")
    for search, entry in zip(result.searches, kept["searches"], strict=True):
        entry["points"] = [[STATUSES.index(p.status), p.energy_pj, p.memory_energy_pj, p.estimate] for p in search.points]
    for entry in kept["designs"]:
        entry |= {"mappings": [], "architecture": _given(entry["architecture"]), "config": _given(entry["config"])}
    found: dict[str, Any] = _rounded(kept)
    return found


def _given(value: Any) -> Any:
    """Without what is None: most of an operator's keys."""
    if isinstance(value, dict):
        return {name: _given(item) for name, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list) else value


def unpacked(kept: Mapping[str, Any]) -> Result:
    """The result that was kept: points without their networks."""
    searches = []
    for entry in kept["searches"]:
        points = tuple(
            Point(number=i, status=STATUSES[status], energy_pj=energy, memory_energy_pj=memory, estimate=estimate)
            for i, (status, energy, memory, estimate) in enumerate(entry["points"])
        )
        searches.append(Search(**entry | {"points": points}))
    return Result(**{**kept, "searches": tuple(searches)})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def read(path: Path) -> dict[str, Result]:
    """The results that are kept, by their plan's name."""
    return {name: unpacked(kept) for name, kept in json.loads(path.read_text()).items()} if path.exists() else {}


def write(results: Mapping[str, Result], path: Path) -> None:
    """Keep results: a line for each search and each design."""
    plans = [f'"{name}": {_lines(packed(results[name]))}' for name in sorted(results)]
    path.write_text("{\n" + ",\n".join(plans) + "\n}\n")


def _lines(kept: Mapping[str, Any]) -> str:
    parts = []
    for name, value in kept.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
        parts.append(f' "{name}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}"
