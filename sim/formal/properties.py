"""Which invariants of which blocks are claimed."""

from collections.abc import Callable, Iterator
from functools import cache

from gatewright.sim.formal.aig import Aig
from gatewright.sim.formal.blocks import CONFIGS
from gatewright.sim.formal.claim import Claim
from gatewright.sim.formal.equivalence import Proof
from gatewright.sim.formal.graphs import graph
from gatewright.sim.formal.invariants import prove_always
from gatewright.sim.formal.monitors import (
    ComputeMonitor,
    FetchMonitor,
    LinearMonitor,
    LoopNestMonitor,
    StoreMonitor,
    SystemMonitor,
)

DEPTH = 16  # cycles, where a property cannot be proved for all time
MONITORS: dict[str, type[LinearMonitor | StoreMonitor | FetchMonitor | ComputeMonitor | SystemMonitor]] = {
    "linear loader": LinearMonitor,
    "store": StoreMonitor,
    "fetch": FetchMonitor,
    "sequencer and drain": ComputeMonitor,
    "system": SystemMonitor,
}


def claims() -> Iterator[Claim]:
    """The loop nest's with three short loops, the others' for every configuration of `blocks`."""
    yield from _of("loop nest", LoopNestMonitor.properties, cache(lambda: graph(LoopNestMonitor(3, 3))), "3 loops of 8")
    for name, config in CONFIGS.items():
        for block, kind in MONITORS.items():
            circuit = cache(lambda kind=kind, config=config: graph(kind(config)))
            yield from _of(f"{block} ({name})", kind.properties, circuit, f"{config.operand_bits} bits")


def _of(block: str, properties: tuple[str, ...], circuit: Callable[[], Aig], size: str) -> Iterator[Claim]:
    for name in properties:

        def prove(seconds: float, name: str = name) -> Proof:
            return prove_always(circuit(), name, seconds, DEPTH)

        yield Claim(block, name.replace("_", " "), size, prove)
