"""Accuracy against energy of every design of a reproduction, in numbers; `front_plot` draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatewright.dse.scnas.comparison import FLOATING, INTEGERS, ratio_of, rival
from gatewright.dse.scnas.result import Design, Kind, Result
from gatewright.dse.scnas.tables import network_words
from gatewright.dse.words import operators_words

BELOW = 0.6  # of the span of the fronts' accuracies: how far below them a plot still shows designs


@dataclass(frozen=True)
class Mark:
    """A design: nJ per image, on gates if `measured`, at least so much if `bound`, else predicted; percent of test images, 95% interval."""

    energy_nj: float
    accuracy: float
    low: float
    high: float
    measured: bool
    bound: bool
    winner: bool
    text: str


@dataclass(frozen=True)
class MethodMarks:
    """A method: its designs, and which of them no other one of its own beats."""

    label: str
    kind: Kind
    designs: tuple[Mark, ...]
    front: tuple[Mark, ...]


@dataclass(frozen=True)
class Note:
    """A design that is named in the plot: the winner, and what it is set beside with its energy over the winner's."""

    mark: Mark
    kind: Kind
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FrontInfo:
    """Every method, and by kind the designs that no other one of the kind beats.

    `memories`: how many times their cited cost the on-chip memories count, 0 for the logic alone.
    """

    memories: float
    methods: tuple[MethodMarks, ...]
    fronts: dict[Kind, tuple[Mark, ...]]
    notes: tuple[Note, ...]

    @property
    def marks(self) -> list[Mark]:
        """All designs."""
        return [mark for method in self.methods for mark in method.designs]


def front_info(result: Result, memories: float = 0.0) -> FrontInfo:
    """Accuracy against energy. Floating point's is a lower bound."""
    marks = [_mark(design, memories, i == result.winner) for i, design in enumerate(result.designs)]
    methods = []
    for method, (label, kind) in method_kinds(result).items():
        mine = [mark for mark, design in zip(marks, result.designs, strict=True) if design.method == method]
        methods.append(MethodMarks(label, kind, tuple(mine), tuple(pareto(mine))))
    fronts = {}
    for kind in dict.fromkeys(method.kind for method in methods):
        fronts[kind] = tuple(pareto(mark for method in methods if method.kind == kind for mark in method.designs))
    return FrontInfo(memories, tuple(methods), fronts, tuple(_notes(result, marks, memories)))


def method_kinds(result: Result) -> dict[str, tuple[str, Kind]]:
    """A label and the kind of each method: streams, integers, floating point, each in the order of the searches, then those without one."""
    found: dict[str, tuple[str, Kind]] = {search.method: (search.label, search.kind) for search in result.searches}
    for design in result.designs:
        found.setdefault(design.method, (design.label.partition(",")[0], design.kind))
    order = ("stochastic", "integer", "float")
    return dict(sorted(found.items(), key=lambda item: order.index(item[1][1])))


def _mark(design: Design, memories: float, winner: bool) -> Mark:
    known = design.measured or design.metrics
    energy, test = known.with_memories(memories) / 1e3, design.test
    logic = f"logic {'≥ ' * (design.config is None)}{known.energy_pj / 1e3:,.1f} nJ {'on gates' if design.measured else 'predicted'}"
    lines = (
        f"<b>{design.label}</b>",
        network_words(design.architecture),
        operators_words(design.architecture),
        f"test {test}",
        f"validation {100 * design.validation.value:.1f}% (n = {design.validation.n:,})",
        f"{logic}, {known.with_memories() / 1e3:,.1f} nJ with memories",
        f"{known.cycles:,.0f} cycles, {known.area_um2 / 1e6:.3f} mm² of logic",
    )
    value, low, high = (100 * getattr(test, name) for name in ("value", "low", "high"))
    return Mark(energy, value, low, high, design.measured is not None, design.config is None, winner, "<br>".join(lines))


def _notes(result: Result, marks: Sequence[Mark], memories: float) -> Iterable[Note]:
    """The winner, and each rival that the claims set it beside."""
    best = result.designs[result.winner]
    mark = marks[result.winner]
    yield Note(mark, best.kind, (f"<b>{best.label}: {mark.accuracy:.1f}%</b>", f"<b>{mark.energy_nj:,.1f} nJ = 1 ×</b>"))
    for method, name in (INTEGERS | FLOATING).items():
        if other := rival(result.designs, method, best):
            theirs = marks[result.designs.index(other)]
            ratio = ratio_of(other, best, memories)
            yield Note(theirs, other.kind, (f"{name}: {theirs.accuracy:.1f}%", f"<b>{'≥ ' * theirs.bound}{ratio:.2f} ×</b>"))


def pareto(marks: Iterable[Mark]) -> list[Mark]:
    """Designs that none beats in both energy and accuracy, by energy."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.energy_nj, -m.accuracy)):
        if not found or mark.accuracy > found[-1].accuracy:
            found.append(mark)
    return found


def window(infos: Sequence[FrontInfo]) -> tuple[float, float]:
    """The percents that plots show: of the fronts, the named designs, and what is not far below; poorer ones would flatten the rest."""
    kept = [mark for info in infos for mark in (*(m for front in info.fronts.values() for m in front), *(n.mark for n in info.notes))]
    if not kept:
        return 0.0, 100.0
    low, high = min(mark.accuracy for mark in kept), max(mark.accuracy for mark in kept)
    span = max(high - low, 1.0)
    near = min(mark.accuracy for info in infos for mark in info.marks if mark.accuracy >= low - BELOW * span)
    return max(-1.0, near - 0.08 * span), min(101.0, high + 0.08 * span)
