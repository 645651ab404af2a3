"""The project's own benchmarks: each in a file of its own, here by name."""

from gatewright.dse.bench.base import Benchmark
from gatewright.dse.bench.gates import GATES
from gatewright.dse.bench.mappings import MAPPINGS
from gatewright.dse.bench.programs import CYCLES, GOLDEN, RTL
from gatewright.dse.bench.spatial import SPATIAL
from gatewright.hw.errors import BadInput

BENCHMARKS: dict[str, Benchmark] = {one.name: one for one in (GATES, MAPPINGS, SPATIAL, RTL, GOLDEN, CYCLES)}


def named(name: str) -> Benchmark:
    """A benchmark. Raises BadInput for a name that is not there."""
    if name not in BENCHMARKS:
        raise BadInput(f"There is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[name]
