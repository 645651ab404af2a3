"""The project's own benchmarks: each in a file of its own, here by name, imported when asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.bench.base import Benchmark

BENCHMARKS = {  # the module of each, in which it is a constant of its name
    "gates": "gates",
    "mappings": "mappings",
    "spatial": "spatial",
    "rtl": "rtl",
    "golden": "programs",
    "cycles": "programs",
    "streams": "layers",
    "binary": "layers",
    "samplers": "samplers",
}


def check(name: str) -> None:
    """Raises BadInput for a benchmark that is not there."""
    if name not in BENCHMARKS:
        raise BadInput(f"There is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}.")


def named(name: str) -> "Benchmark":
    """A benchmark. Raises BadInput for a name that is not there."""
    check(name)
    found: Benchmark = getattr(import_module(f"{__name__}.{BENCHMARKS[name]}"), name.upper())
    return found
