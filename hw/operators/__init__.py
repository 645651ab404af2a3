"""The registry of operators' circuits: one module each, found by its name; other packages add theirs by entry point."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewright.hw.config import Operator


@cache
def modules() -> dict[str, ModuleType]:
    """Every operator's circuit module by its kind."""
    names = [info.name for info in pkgutil.iter_modules(__path__)]
    found = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    for entry in entry_points(group="gatewright.operators"):
        found[entry.name] = entry.load()
    return found


def circuit(operator: Operator) -> ModuleType:
    """The circuit module of an operator: see `int.py` for what a module has.

    `OPTIONS`, `EXAMPLES`, `check`, `name` and `named` are every module's; `datapath`, `sum_range`, `encoded_bits` and `Lanes` those of
    operators that run on a grid.
    """
    return modules()[operator.kind]


def rules(operator: Operator) -> None:
    """Raise ValueError, naming the rule, for an operator whose circuit cannot be built."""
    from gatewright.hw.config import OPTIONS

    if operator.kind not in modules():
        raise ValueError(f"kind must be one of {', '.join(sorted(modules()))}; got {operator.kind!r}")
    module = modules()[operator.kind]
    given = [name for name in OPTIONS if getattr(operator, name) is not None]
    if missing := [name for name in module.OPTIONS if name not in given]:
        raise ValueError(f"kind {operator.kind!r} needs {', '.join(missing)}")
    if foreign := [name for name in given if name not in module.OPTIONS]:
        raise ValueError(f"{', '.join(foreign)} cannot be given with kind {operator.kind!r}")
    module.check(operator)
