"""A result of a reproduction, made by hand: numbers of a plausible shape, drawn from a seed, that nothing computed."""

import random

from gatewright.dse.claims import Claim
from gatewright.dse.prove import Verified
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.result import Design, Kind, Point, Result, Search, Step
from gatewright.hw.config import AcceleratorConfig, Operator, floating, integer, stochastic, xnor
from gatewright.sim.metrics import Metrics
from gatewright.sw.accuracy import wilson
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture

PROVEN = Verified(images=300, mismatches=0, cycles_predicted=1200, cycles_simulated=(1200,))
FIXED = QUICK.fixed(1, 8, 8, 10)
SHORT, MIDDLE = stochastic(8, bits=4), stochastic(16, bits=4)
METHODS: tuple[tuple[str, str, Kind, tuple[Operator, ...], float], ...] = (
    ("scnas", "SC-NAS", "stochastic", (SHORT, xnor(), MIDDLE), 60.0),
    ("random", "streams, random", "stochastic", (MIDDLE, SHORT, SHORT), 80.0),
    ("int8", "INT8 NAS", "integer", (integer(8),), 190.0),
    ("int4", "INT4 NAS", "integer", (integer(4),), 90.0),
    ("fp32", "FP-NAS, FP32", "float", (floating("fp32"),), 2300.0),
)


def made(seed: int = 0) -> Result:
    """Five searches with two designs each, and pure stochastic computing without a search."""
    random_ = random.Random(seed)
    searches = tuple(_search(random_, *method) for method in METHODS)
    designs = [_design(random_, *method, i) for method in METHODS for i in range(2)]
    designs.append(_design(random_, "pure", "pure SC, converted, L = 64", "stochastic", (stochastic(64),), 400.0, 0, converted=True))
    return Result(
        plan=QUICK,
        data="digits",
        steps=(
            Step(name="all options", size=3.1e19, why="every choice of every layer"),
            Step(name="chart", size=4e12, why="circuits that the one-block chart shows dominated are dropped"),
            Step(name="stages", size=2.5e6, why="layers of a stage have one circuit"),
        ),
        searches=searches,
        designs=tuple(designs),
        winner=0,
        claims=(
            Claim(name="energy of FP-NAS over that of SC-NAS", paper=7.0, measured=38.0, unit="times", holds=True, note="units alone"),
            Claim(name="accuracy above pure stochastic computing", paper=3.8, measured=2.5, unit="points", holds=False, note="by hand"),
            Claim(name="a claim without a measurement", paper=8.6e19, measured=None, unit="times", holds=False),
            Claim(name="energy of INT8 NAS over that of SC-NAS", paper=None, measured=3.0, unit="times", holds=True),
        ),
        seconds={"super-network": 61.5, "searches": 203.0},
        provenance={"gatewright": "0", "seed": "0"},
    )


def _architecture(random_: random.Random, operators: tuple[Operator, ...]) -> Architecture:
    widths = tuple(random_.choice(choice) for choice in QUICK.widths)
    kernels = tuple(random_.choice(QUICK.kernels) for _ in widths)
    return FIXED.replace(widths=widths, kernels=kernels, pooling=("max", "average"), operators=operators)


def _search(random_: random.Random, method: str, label: str, kind: Kind, operators: tuple[Operator, ...], nj: float) -> Search:
    points = []
    for number in range(40):
        status = random_.choices(("scored", "over_budget", "impossible", "repeated"), (5, 3, 1, 1))[0]
        energy = 1e3 * nj * random_.uniform(0.3, 2.0) if status in ("scored", "over_budget") else None
        points.append(
            Point(
                number=number,
                status=status,
                architecture=_architecture(random_, operators) if status != "impossible" else None,
                energy_pj=energy,
                memory_energy_pj=energy and (0.0 if kind == "float" else 1.2 * energy),
                estimate=random_.uniform(0.7, 0.97) if status == "scored" else None,
            )
        )
    return Search(method=method, label=label, kind=kind, space=2.5e6, budget_pj=2.2e5, points=tuple(points), seconds=12.5)


def scored(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    """A point for each pair of an energy in pJ and an estimate, all of different networks."""
    return tuple(
        Point(
            number=i,
            status="scored",
            architecture=FIXED.replace(widths=(i + 1, 8)),
            energy_pj=energy,
            memory_energy_pj=0.0,
            estimate=accuracy,
        )
        for i, (energy, accuracy) in enumerate(pairs)
    )


def searched(points: tuple[Point, ...], method: str = "scnas") -> Search:
    """A search within 100 pJ."""
    return Search(method=method, label=method, kind="stochastic", space=1e6, budget_pj=100.0, points=points, seconds=1.0)


def metrics(pj: float, memories: float = 0.0, *, measured: bool = False) -> Metrics:
    return Metrics(
        energy_pj=pj,
        memory_energy_pj=memories,
        external_energy_pj=10.0,
        cycles=1200.0,
        latency_ns=24_000.0,
        area_um2=4e5,
        memory_area_um2=5e5,
        origin="measured" if measured else "calibrated",
        heldout_error=None if measured else 0.02,
    )


def _design(
    random_: random.Random,
    method: str,
    label: str,
    kind: Kind,
    operators: tuple[Operator, ...],
    nj: float,
    number: int,
    *,
    converted: bool = False,
) -> Design:
    float_, energy = kind == "float", 1e3 * nj * (1 + 0.4 * number)
    right = 470 + random_.randrange(25) - 60 * converted
    proven = number == 0 and kind != "float" and not converted
    return Design(
        method=method,
        label=label,
        kind=kind,
        architecture=_architecture(random_, operators),
        config=None if float_ else AcceleratorConfig(rows=4, cols=4, operators=tuple(dict.fromkeys(operators))),
        mappings=() if float_ else (Mapping(),) * 3,
        metrics=metrics(energy, 0.0 if float_ else 1.1 * energy),
        estimate=0.9,
        validation=wilson(right * 300 // 500, 300),
        test=wilson(right, 500),
        converted=converted,
        measured=metrics(1.03 * energy, 1.1 * energy, measured=True) if proven else None,
        cells=51_234 if proven else None,
        verified=PROVEN if method == "scnas" and proven else None,
    )
