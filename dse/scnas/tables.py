"""What a reproduction is shown as, in numbers: a row for each design, and each integer design beside a stochastic one that equals it."""

from collections.abc import Sequence
from typing import get_args

from gatewright.dse.claims import Claim
from gatewright.dse.scnas.result import Design, Kind, Result, Status
from gatewright.dse.words import by_layer
from gatewright.hw.noun import Noun
from gatewright.sim.metrics import Metrics, with_memories
from gatewright.sw.accuracy import Accuracy, below
from gatewright.sw.models import Architecture

STATUSES: tuple[Status, ...] = get_args(Status)


class Costs(Noun):
    """Cost of classifying an image, energy and area of the logic alone.

    `with_memories_pj`: the logic and on-chip memories at half, once and twice their cited cost.
    """

    energy_pj: float
    with_memories_pj: dict[str, float]
    area_um2: float
    cycles: float
    latency_ns: float


class Row(Noun):
    """A design as it is shown. `network`: see `network_words`. `operators`: of each layer by its name. `accuracy`: of test images.

    `bound`: the costs are the least that floating point takes (`price.floating_bill`).
    """

    method: str
    label: str
    kind: Kind
    winner: bool
    converted: bool
    bound: bool
    network: str
    operators: dict[str, str]
    accuracy: Accuracy
    validation: Accuracy
    predicted: Costs
    measured: Costs | None
    cells: int | None
    images_on_rtl: int | None
    mismatches: int | None

    @property
    def circuits(self) -> str:
        """The operators in short, once if all layers have one: `sobol8_4` are sign-magnitude streams of 8 bits from 4-bit operands."""
        names = [name.removeprefix("sc_").removeprefix("sign_magnitude_") for name in self.operators.values()]
        return ", ".join(names if len({*names}) > 1 else names[:1])

    @property
    def best(self) -> Costs:
        """As measured on gates, where that was done."""
        return self.measured or self.predicted


class Standing(Noun):
    """An integer design, and the stream design of least energy that is no less accurate on validation images, else the most accurate one.

    `energy`: which is compared, that of the logic alone or with memories at once their cited cost; of gates where both ran on theirs
    (`measured`), else predicted. `integers_over_streams`: the integers' energy in that of the streams, more than 1 where streams take less.
    `points`: validation accuracy, the streams' above the integers', in percent.
    """

    energy: str
    integer: str
    network: str
    accuracy: Accuracy
    energy_pj: float
    stochastic: str
    stochastic_network: str
    stochastic_accuracy: Accuracy
    stochastic_pj: float
    integers_over_streams: float
    points: float
    measured: bool

    @property
    def won(self) -> bool:
        """Streams are no less accurate, and take less."""
        return not self.short and self.integers_over_streams > 1

    @property
    def short(self) -> bool:
        """Streams are less accurate on validation images, or on test images by more than chance explains."""
        return self.points < 0 or below(self.stochastic_accuracy, self.accuracy)


def network_words(a: Architecture) -> str:
    """The convolutions of a network, in short: `5x5 to 8 max, 3x3 to 16 relu average`."""
    parts = ((f"{kernel}x{kernel} to {width}", "relu" if relu else "", pooling or "") for width, kernel, pooling, relu in a.convolutions)
    return ", ".join(" ".join(word for word in part if word) for part in parts)


def rows(result: Result) -> tuple[Row, ...]:
    """Every design, in the order they were made."""
    return tuple(_row(design, i == result.winner) for i, design in enumerate(result.designs))


def _row(design: Design, winner: bool) -> Row:
    proven = design.verified
    return Row(
        method=design.method,
        label=design.label,
        kind=design.kind,
        winner=winner,
        converted=design.converted,
        bound=design.config is None,
        network=network_words(design.architecture),
        operators={name: operator.name for name, operator in by_layer(design.architecture)},
        accuracy=design.test,
        validation=design.validation,
        predicted=_costs(design.metrics),
        measured=_costs(design.measured) if design.measured else None,
        cells=design.cells,
        images_on_rtl=proven.images if proven else None,
        mismatches=proven.mismatches if proven else None,
    )


def _costs(metrics: Metrics) -> Costs:
    figures = {name: getattr(metrics, name) for name in ("energy_pj", "area_um2", "cycles", "latency_ns")}
    return Costs(**figures, with_memories_pj=with_memories(metrics.energy_pj, metrics.memory_energy_pj))


def standings(result: Result) -> tuple[Standing, ...]:
    """Every integer design, first by the energy of the logic, then with memories. None where there is no stream design."""
    streams = [design for design in result.designs if design.kind == "stochastic"]
    integers = [design for design in result.designs if design.kind == "integer"] if streams else []
    return tuple(_standing(design, streams, factor) for factor in (0.0, 1.0) for design in integers)


def _standing(integer: Design, streams: list[Design], factor: float) -> Standing:
    enough = integer.validation.value
    best = min(
        streams,
        key=lambda d: (-min(d.validation.value, enough), d.metrics.with_memories(factor)),
    )
    measured = integer.measured is not None and best.measured is not None

    def energy(design: Design) -> float:
        return ((design.measured if measured else None) or design.metrics).with_memories(factor)

    return Standing(
        energy="with memories" if factor else "logic alone",
        integer=integer.label,
        network=network_words(integer.architecture),
        accuracy=integer.test,
        energy_pj=energy(integer),
        stochastic=best.label,
        stochastic_network=network_words(best.architecture),
        stochastic_accuracy=best.test,
        stochastic_pj=energy(best),
        integers_over_streams=energy(integer) / energy(best),
        points=100 * (best.validation.value - enough),
        measured=measured,
    )


def standing_words(found: Sequence[Standing]) -> list[str]:
    """Where streams stand against integers, a sentence for each energy that was compared."""
    lines = []
    for energy in dict.fromkeys(item.energy for item in found):
        mine = [item for item in found if item.energy == energy]
        won, short = [item.integers_over_streams for item in mine if item.won], [item for item in mine if item.short]
        lost = [item.integers_over_streams for item in mine if not item.short and not item.won]
        parts = [
            f"{len(won)} take {_range(won)} times the energy of streams that are no less accurate" if won else "",
            f"streams LOSE to {len(lost)} in energy ({_range(lost)} times that of the streams)" if lost else "",
            f"streams LOSE to {len(short)} in accuracy (on validation images, or on test images by more than chance explains)"
            if short
            else "",
        ]
        lines.append(f"{energy}: of {len(mine)} integer designs {'; '.join(part for part in parts if part)}")
    return lines


def _range(ratios: Sequence[float]) -> str:
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return low if low == high else f"{low}..{high}"


def winner_words(row: Row) -> str:
    """A design in a sentence."""
    energy = f"{row.best.energy_pj / 1e3:,.1f} nJ an image for the logic ({'on gates' if row.measured else 'predicted'})"
    memories = row.best.with_memories_pj
    more = ", ".join(f"{pj / 1e3:,.1f}" for pj in memories.values())
    proof = f"; {row.images_on_rtl} test images on its Verilog, {row.mismatches} mismatches" if row.images_on_rtl is not None else ""
    return f"{row.label}: {row.accuracy} of test images, {energy}, {more} with memories at {', '.join(memories)} their cited cost{proof}"


class SearchRow(Noun):
    """A search in numbers: how many points ended how, and its best estimate."""

    method: str
    label: str
    kind: Kind
    space: float
    budget_pj: float
    points: int
    counts: dict[Status, int]
    best: float | None
    seconds: float


def search_rows(result: Result) -> tuple[SearchRow, ...]:
    """Every search."""
    return tuple(
        SearchRow(
            **{name: getattr(search, name) for name in ("method", "label", "kind", "space", "budget_pj", "seconds")},
            points=len(search.points),
            counts={status: search.count(status) for status in STATUSES},
            best=max((point.estimate for point in search.points if point.estimate is not None), default=None),
        )
        for search in result.searches
    )


def verdict(claim: Claim) -> str:
    """How a claim stands; one of ours asks whether streams are worse."""
    if claim.bound and not claim.holds:
        return "not shown"
    if claim.paper is None:
        return "no worse" if claim.holds else "worse"
    return "holds" if claim.holds else "does not hold"
