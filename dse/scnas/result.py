"""What a reproduction of SC-NAS found: every point, the designs trained to the end, the claims beside them. JSON through and through."""

from typing import Literal

from gatewright.dse.claims import Claim
from gatewright.dse.prove import Verified
from gatewright.dse.scnas.plan import Plan
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.noun import Noun
from gatewright.sim.metrics import Metrics
from gatewright.sw.accuracy import Accuracy
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture

Kind = Literal["stochastic", "integer", "float"]
Status = Literal["scored", "over_budget", "impossible", "repeated"]


class Step(Noun):
    """The search space at one step of its contraction: how many networks with their circuits it holds, and why fewer than before."""

    name: str
    size: float
    why: str


class Point(Noun):
    """A network that a search drew. Energies in pJ per image, None where it runs on no accelerator.

    `estimate`: accuracy with shared weights, of networks within the budget; `repeated` is one that the search had drawn before.
    """

    number: int
    status: Status
    architecture: Architecture | None = None
    energy_pj: float | None = None
    memory_energy_pj: float | None = None
    estimate: float | None = None


class Search(Noun):
    """One method's search. `budget_pj`: energy of the logic above which accuracy was not evaluated."""

    method: str
    label: str
    kind: Kind
    space: float
    budget_pj: float
    points: tuple[Point, ...]
    seconds: float

    def count(self, status: Status) -> int:
        """How many points ended so."""
        return sum(point.status == status for point in self.points)


class Design(Noun):
    """A network trained to the end, on its accelerator. Accuracies are exactly what the circuits compute, or floating point's.

    `metrics`: predicted by the calibrated model; of floating point at the least (`price.floating_bill`), with no accelerator.
    `measured`: on the gates of the whole accelerator. `verified`: on its Verilog.
    `converted`: weights trained in floating point, put into circuits as they are.
    """

    method: str
    label: str
    kind: Kind
    architecture: Architecture
    config: AcceleratorConfig | None
    mappings: tuple[Mapping, ...]
    metrics: Metrics
    estimate: float | None
    validation: Accuracy
    test: Accuracy
    converted: bool = False
    measured: Metrics | None = None
    cells: int | None = None
    verified: Verified | None = None


class Result(Noun):
    """Everything that is shown. `winner`: index of the stochastic design that the claims are about. `data`: the data set's full name."""

    plan: Plan
    data: str
    steps: tuple[Step, ...]
    searches: tuple[Search, ...]
    designs: tuple[Design, ...]
    winner: int
    claims: tuple[Claim, ...]
    seconds: dict[str, float]
    provenance: dict[str, str]
