"""The claims of SC-NAS beside what a reproduction measured, and where streams stand against integers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gatewright.dse.claims import Claim
from gatewright.dse.scnas.methods import PURE, SCNAS
from gatewright.dse.scnas.result import Design, Search, Step
from gatewright.sw.accuracy import below

ENERGY, POINTS, EVALUATIONS = 7.0, 3.8, 8.6e19  # the paper's abstract
ABOUT = 0.1  # energies that differ by no more are about equal: a little more than the cost model errs
FLOATING = {"fp32": "FP32", "fp16": "FP16"}
INTEGERS = {"int8": "INT8", "int4": "INT4"}
STREAMS = {
    "tpe": "the same search by TPE",
    "random": "random search",
    "hardware": "hardware alone",
    "sequential": "software, then hardware",
}


def winner(designs: Sequence[Design]) -> int:
    """The stochastic design that the claims are about, by validation accuracy and predicted energy.

    That of least energy that is no less accurate than the most accurate in 8-bit integers, else the most accurate.
    """
    mine = [i for i, d in enumerate(designs) if d.method == SCNAS]
    floor = max((d.validation.value for d in designs if d.method == "int8"), default=0.0)
    enough = [i for i in mine if designs[i].validation.value >= floor]
    if enough:
        return min(enough, key=lambda i: designs[i].metrics.energy_pj)
    return min(mine, key=lambda i: (-designs[i].validation.value, designs[i].metrics.energy_pj))


def rival(designs: Sequence[Design], method: str, against: Design) -> Design | None:
    """A method's design of least energy that is no less accurate on validation images, else its most accurate one."""
    theirs = [d for d in designs if d.method == method]
    enough = [d for d in theirs if d.validation.value >= against.validation.value]
    if enough:
        return min(enough, key=lambda d: d.metrics.energy_pj)
    return max(theirs, key=lambda d: (d.validation.value, -d.metrics.energy_pj), default=None)


def rivals(designs: Sequence[Design], best: Design) -> list[Design]:
    """The integer designs that the winner is set beside."""
    return [d for name in INTEGERS if (d := rival(designs, name, best)) is not None]


def claims(
    designs: Sequence[Design], best: Design, searches: Sequence[Search], steps: Sequence[Step], *, published: bool
) -> tuple[Claim, ...]:
    """The paper's claims, then our own comparisons with integers. Energies are measured on gates where both are, else predicted.

    published: whether the space is of the size that the paper's count of evaluations is about, a VGG's.
    """
    found = []
    for method, name in FLOATING.items():
        other = rival(designs, method, best)
        ratio = other and ratio_of(other, best)
        note = f"{_accuracies(best, other)}; floating point at the least" if other else ""
        paper = ENERGY if method == "fp32" else None
        found.append(
            Claim(
                name=f"energy of FP-NAS ({name}) over that of SC-NAS",
                paper=paper,
                measured=ratio,
                unit="times",
                bound=True,
                holds=bool(other and ratio and ratio >= (paper or 1) and not below(best.test, other.test)),
                note=note,
            )
        )
    found.append(_points(designs, best))
    found.append(_evaluations(searches, steps, published=published))
    for method, name in INTEGERS.items():
        if other := rival(designs, method, best):
            found += _beside(other, best, f"{name} NAS")
    for method, name in STREAMS.items():
        if other := rival(designs, method, best):
            found += _beside(other, best, f"streams by {name}", {0.0: "logic"})
    if trained := [d for d in designs if d.method == PURE and not d.converted]:
        found += _beside(trained[0], best, f"{trained[0].label}, not searched", {0.0: "logic"})
    return tuple(found)


def _points(designs: Sequence[Design], best: Design) -> Claim:
    """Points of accuracy above the most accurate pure stochastic computing that takes about as much energy at the most."""
    pure = [d for d in designs if d.method == PURE and d.converted]
    allowed = [d for d in pure if d.metrics.energy_pj <= (1 + ABOUT) * best.metrics.energy_pj]
    other = max(allowed, key=lambda d: (d.validation.value, -d.metrics.energy_pj)) if allowed else None
    note = f"none takes at most {100 * ABOUT:.0f}% more energy"
    if other is not None:
        note = f"{other.label}, of {ratio_of(other, best):.2f} times the energy: test {best.test} against {other.test}"
        circuits = {d.architecture: d for d in designs if d.method == PURE and not d.converted}
        if trained := circuits.get(other.architecture):
            note += f"; trained in the same circuits instead {trained.test}"
    points = None if other is None else 100 * (best.test.value - other.test.value)
    return Claim(
        name="accuracy above pure stochastic computing",
        paper=POINTS,
        measured=points,
        unit="points",
        holds=points is not None and points > POINTS,
        note=note,
    )


def _evaluations(searches: Sequence[Search], steps: Sequence[Step], *, published: bool) -> Claim:
    """How many times fewer networks were evaluated than the whole space holds."""
    mine = next(search for search in searches if search.method == SCNAS)
    scored = mine.count("scored")
    fewer = steps[0].size / scored if scored else None
    return Claim(
        name="networks of the whole space for each that was evaluated",
        paper=EVALUATIONS if published else None,
        measured=fewer,
        unit="times",
        holds=bool(fewer and fewer >= (EVALUATIONS if published else 1)),
        note=f"{steps[0].size:.2g} networks with their circuits, {steps[-1].size:.2g} after contraction; {scored} evaluated. "
        "It counts choices, and grows with every layer and option",
    )


EVERY = {
    0.0: "logic",
    0.5: "with memories at half their cited cost",
    1.0: "with memories at their cited cost",
    2.0: "at twice their cited cost",
}


def _beside(other: Design, best: Design, name: str, factors: Mapping[float, str] = MappingProxyType(EVERY)) -> list[Claim]:
    """Energy of a design over the winner's: of the logic, and with memories at each cost. Holds if the winner takes no more,
    and its accuracy on test images is not below the other's by more than chance explains."""
    same = both_measured(other, best)
    how = "measured on gates" if same else "predicted"
    found = []
    for factor, words in factors.items():
        ratio = ratio_of(other, best, factor)
        found.append(
            Claim(
                name=f"energy of {name} over that of SC-NAS, {words}",
                paper=None,
                measured=ratio,
                unit="times",
                holds=ratio >= 1 and not below(best.test, other.test),
                note=f"{how}; {_accuracies(best, other)}",
            )
        )
    return found


def both_measured(one: Design, other: Design) -> bool:
    """Whether both have run on their gates."""
    return one.measured is not None and other.measured is not None


def ratio_of(other: Design, best: Design, memories: float = 0.0) -> float:
    """Energy of a design over another's: measured if both are, and beside floating point, which is never measured as a whole."""
    theirs, mine = (other.measured, best.measured) if both_measured(other, best) else (other.metrics, best.metrics)
    if other.kind == "float" and best.measured is not None:
        theirs, mine = other.metrics, best.measured
    assert theirs is not None
    assert mine is not None
    return theirs.with_memories(memories) / mine.with_memories(memories)


def _accuracies(best: Design, other: Design) -> str:
    """Those of a rival, and which of both is less accurate where the choice was made."""
    mine, theirs = best.validation.value, other.validation.value
    short = "; SC-NAS's is less accurate on validation images" if mine < theirs else ""
    short = ", its most accurate; it is less accurate on validation images than SC-NAS's" if theirs < mine else short
    if below(best.test, other.test):
        short += "; SC-NAS's is less accurate on test images by more than chance, so that less energy shows nothing"
    return f"test {best.test} against {other.test}{short}"
