"""The registry of operators' circuits: one module each, found by its name; other packages add theirs by entry point."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.hw.config import Operator


@cache
def modules() -> dict[str, ModuleType]:
    """Every operator's circuit module by its kind."""
    names = [info.name for info in pkgutil.iter_modules(__path__) if info.name != "sources"]
    found = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    for entry in entry_points(group="gatewright.operators"):
        found[entry.name] = entry.load()
    return found


def circuit(operator: Operator) -> ModuleType:
    """The circuit module of an operator. A module has `check(operator)`, `EDGES` and `lane_sum(...)`: see `int.py`."""
    return modules()[operator.kind]


def rules(operator: Operator) -> None:
    """Raise ValueError, naming the rule, for an operator whose circuit cannot be built."""
    if operator.kind not in modules():
        raise ValueError(f"kind must be one of {', '.join(sorted(modules()))}; got {operator.kind!r}")
    modules()[operator.kind].check(operator)


def datapaths(operators: Iterable[Operator]) -> list[list[Operator]]:
    """Operators grouped by the lane circuit they share, in order of first appearance."""
    groups: dict[str, list[Operator]] = {}
    for operator in operators:
        groups.setdefault(circuit(operator).datapath(operator), []).append(operator)
    return list(groups.values())
