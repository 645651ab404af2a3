"""How the space of circuits is made smaller, step by step, each with its size and its reason.

Sizes are exact. They are counted layer by layer: a layer's output (activation and pooling) may depend on its own circuit and on that of
the layer that reads it, so ways are kept by what of a circuit matters to its neighbours.

    python -m gatewright.dse.scnas.contraction [FILE]

prints the fronts of the chart, or puts them into a page.
"""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod

from gatewright.dse.scnas import chart as charts
from gatewright.dse.scnas.chart import Chart, Entry
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Step
from gatewright.hw.config import Operator, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.stochastic.sharing import ALL_LANES
from gatewright.sw.stochastic.measure import publish

BEGIN, END = "<!-- front: begin -->\n", "<!-- front: end -->"
TOLERANCE = 0.05  # a circuit on the front errs at least so much less than any that costs no more,
NEAR = 0.02  # and no more than one that costs at most so much more
Options = Mapping[str, tuple[str | int, ...]]
OPTIONS: Options = {
    "length": (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    "bits": (4, 8),
    "coding": ("sign_magnitude", "bipolar"),
    "source": ("lfsr", "sobol", "counter"),
    "sharing": (ALL_LANES, 2, 1),
    "multiplier": ("and", "xnor", "conditional"),
    "adder": ("exact", "approximate", "mux", "or"),
    "activation": ("relu", "clamp", "stanh", "btanh"),
    "pooling": ("max", "average", "mux", "segment"),
}
"""What each layer chooses from, before any rule. Length 1 is the XNOR operator. clamp: hard tanh."""
RULES = (
    "a coding and a source have one multiplier; OR needs sign-magnitude; a stream is a multiple of its lane; length 1 is XNOR, with "
    "nothing left to choose, and not for the image and the logits; unsigned readers make results ReLU's; the logits have no output"
)
CHARTED = (
    f"of circuits of equal operands, those that err at least {TOLERANCE:.0%} less than any that costs no more, XNOR included, "
    f"and less than any that costs up to {NEAR:.0%} more; not on the chart: sharing of two lanes, which errs nearly as no sharing, "
    "and longer streams, which cost more than an exact product"
)
CIRCUIT = ("length", "bits", "coding", "source", "sharing", "multiplier", "adder")
STREAM_ACTIVATIONS, STREAM_POOLINGS = ("stanh", "btanh"), ("mux", "segment")


def stages(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Convolutions by stage: each ends with a pooling, but for what follows the last one."""
    ends = sorted({*plan.pool_after, len(plan.widths) - 1})
    return tuple(tuple(range(first + 1, last + 1)) for first, last in zip([-1, *ends], ends, strict=False))


def front(entries: Collection[Entry], tolerance: float = TOLERANCE, near: float = NEAR) -> tuple[Entry, ...]:
    """Entries worth having, by energy: in one of the two errors each is less by `tolerance` than any that costs no more, and in one less
    than any that costs more by at most `near`."""
    kept: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.energy_pj, e.error, e.error_64, e.operator)):
        if not any((1 - tolerance) * k.error <= entry.error and (1 - tolerance) * k.error_64 <= entry.error_64 for k in kept):
            kept.append(entry)

    def bettered(k: Entry) -> bool:
        close = [e for e in kept if k.energy_pj < e.energy_pj <= (1 + near) * k.energy_pj]
        return any(e.error <= k.error and e.error_64 <= k.error_64 for e in close)

    return tuple(k for k in kept if not bettered(k))


def undominated(chart: Chart, bits: int) -> tuple[str, ...]:
    """The stream circuits of an operand width on its chart's front; on which XNOR is too, whose operands are one bit of theirs."""
    found = front([chart.entry(xnor().name), *(e for e in chart.entries if _streams(e, bits))])
    return tuple(entry.operator for entry in found if _streams(entry, bits))


def worthwhile(chart: Chart, bits: int) -> tuple[str, ...]:
    """Those that also cost less than the exact product of the same operands."""
    exact = chart.entry(f"int{bits}").energy_pj
    return tuple(name for name in undominated(chart, bits) if chart.entry(name).energy_pj < exact)


def _streams(entry: Entry, bits: int) -> bool:
    operator = operator_named(entry.operator)
    return operator.kind == "stochastic" and operator.weight_bits == bits


@cache
def circuits() -> tuple[str, ...]:
    """The stream circuits that the contraction leaves, by name."""
    return tuple(name for bits in OPTIONS["bits"] for name in worthwhile(charts.load(), int(bits)))


@dataclass(frozen=True)
class Kind:
    """What of a layer's circuit matters to its neighbours."""

    binary: bool
    coding: str
    adder: str


@dataclass(frozen=True)
class Output:
    """A layer's results: how they are made. `reader`: None for the logits."""

    mine: Kind
    reader: Kind | None
    pooled: bool
    activation: str
    pooling: str


@dataclass(frozen=True)
class Space:
    """One step's: circuits of inner layers and of the first and the last, outputs, and whether a stage has one circuit."""

    inner: Counter[Kind]
    ends: Counter[Kind]
    allowed: Callable[[Output], bool]
    tied: bool = False


def steps(plan: Plan, options: Options = OPTIONS, chart: Chart | None = None) -> tuple[Step, ...]:
    """The contraction of a plan's space."""
    chart = chart or charts.load()
    raw = [dict(zip(CIRCUIT, values, strict=True)) for values in product(*(options[name] for name in CIRCUIT))]
    plain, built = Counter(map(_kind, raw)), [_operator(values) for values in raw]
    legal = {operator.name for operator in built if operator}
    narrow = [int(bits) for bits in options["bits"]]
    best = {name for bits in narrow for name in undominated(chart, bits)}
    cheap = {name for bits in narrow for name in worthwhile(chart, bits)}

    def space(names: Collection[str], allowed: Callable[[Output], bool], tied: bool = False) -> Space:
        kept = [operator_named(name) for name in sorted(names)]
        return Space(Counter(map(_kind_of, kept)), Counter(_kind_of(o) for o in kept if o.kind != "xnor"), allowed, tied)

    one = {xnor().name} & legal
    found = (
        ("every option of every layer", Space(plain, plain, lambda output: True), "as listed, each layer on its own"),
        (
            "circuits that exist",
            space(legal, _exists),
            RULES,
        ),
        (
            "what belongs together",
            space(legal, lambda output: _exists(output) and _together(output)),
            "Stanh follows a multiplexer and Btanh a counter; only their streams can be pooled as streams",
        ),
        (
            "sums that end in counters",
            space(legal, lambda output: _exists(output) and _counted(output)),
            "Stanh and Btanh need a layer's whole sum in one element, and no layer here is so small: sums are counted, results binary",
        ),
        (
            "the front of the chart",
            space(best & legal | one, lambda output: _exists(output) and _counted(output)),
            CHARTED,
        ),
        (
            "cheaper than exact",
            space(cheap & legal | one, lambda output: _exists(output) and _counted(output)),
            "a product of streams that costs more than the exact product of the same operands is no gain to any network",
        ),
        (
            "one circuit a stage",
            space(cheap & legal | one, lambda output: _exists(output) and _counted(output), tied=True),
            "convolutions between two poolings have the same circuit",
        ),
    )
    return tuple(Step(name=name, size=float(size(plan, made, options)), why=why) for name, made, why in found)


def size(plan: Plan, space: Space, options: Options) -> int:
    """How many networks with circuits a space has."""
    layers, stage = len(plan.widths) + 1, {i: part for part in stages(plan) for i in part}
    ways: Counter[Kind] = Counter(space.ends)
    for i in range(layers - 1):
        tied = space.tied and i + 1 in stage[i]
        after = Counter[Kind]()
        for mine, number in ways.items():
            for reader, circuits in ((space.ends if i + 1 == layers - 1 else space.inner) if not tied else {mine: 1}).items():
                after[reader] += number * circuits * _outputs(mine, reader, i in plan.pool_after, space, options)
        ways = after
    total = sum(number * _outputs(mine, None, False, space, options) for mine, number in ways.items())
    return total * prod(len(widths) * len(plan.kernels) for widths in plan.widths)


def _outputs(mine: Kind, reader: Kind | None, pooled: bool, space: Space, options: Options) -> int:
    choices = product(options["activation"], options["pooling"])
    return sum(space.allowed(Output(mine, reader, pooled, str(activation), str(pooling))) for activation, pooling in choices)


def _exists(output: Output) -> bool:
    """Where there is nothing to choose, the first option stands for it."""
    nothing = output.activation == OPTIONS["activation"][0]
    if output.reader is None:
        return nothing and output.pooling == OPTIONS["pooling"][0]
    if not output.pooled and output.pooling != OPTIONS["pooling"][0]:
        return False
    return nothing or (not output.reader.binary and output.reader.coding == "bipolar")


def _together(output: Output) -> bool:
    adders = {"stanh": ("mux",), "btanh": ("exact", "approximate")}.get(output.activation)
    if adders and (output.mine.binary or output.mine.adder not in adders):
        return False
    return not output.pooled or (output.activation in STREAM_ACTIVATIONS) == (output.pooling in STREAM_POOLINGS)


def _counted(output: Output) -> bool:
    return output.activation not in STREAM_ACTIVATIONS and output.pooling not in STREAM_POOLINGS


def _kind(values: Mapping[str, str | int]) -> Kind:
    return Kind(values["length"] == 1, str(values["coding"]), str(values["adder"]))


def _kind_of(operator: Operator) -> Kind:
    return Kind(operator.kind == "xnor", operator.coding or "bipolar", operator.adder or "exact")


def multiplier(operator: Operator) -> str:
    """What multiplies: with a counter, whose pulses come first, an AND counts what the conditional multiplier counts."""
    if operator.coding == "bipolar":
        return "xnor"
    return "conditional" if operator.source == "counter" else "and"


def _operator(values: Mapping[str, str | int]) -> Operator | None:
    """A combination's operator; None where no circuit of ours is so."""
    if values["length"] == 1:
        return xnor() if (values["coding"], values["multiplier"], values["adder"]) == ("bipolar", "xnor", "exact") else None
    try:
        made = stream(values)
    except BadInput:
        return None
    return made if multiplier(made) == values["multiplier"] else None


def stream(values: Mapping[str, str | int]) -> Operator:
    """The circuit of a combination. Raises BadInput where it breaks a rule of the hardware."""
    length, bits, coding, source, sharing, adder = (values[name] for name in CIRCUIT if name != "multiplier")
    return stochastic(int(length), coding, source, int(bits), sharing=int(sharing), adder=adder)  # type: ignore[arg-type]


def table(chart: Chart) -> str:
    """The fronts as Markdown."""
    head = "| circuit | pJ a product | part of the exact one's | um2 a lane | error, 576 | error, 64 | nothing fitted | taken |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for bits in OPTIONS["bits"]:
        exact, taken = chart.entry(f"int{bits}"), worthwhile(chart, int(bits))
        for entry in (exact, chart.entry(xnor().name), *map(chart.entry, undominated(chart, int(bits)))):
            part, errors = entry.energy_pj / exact.energy_pj, (entry.error, entry.error_64, entry.plain)
            figures = (f"{entry.energy_pj:.2f}", f"{part:.2f}", f"{entry.area_um2:.0f}", *(f"{error:.3f}" for error in errors))
            how = "-" if not _streams(entry, int(bits)) else "yes" if entry.operator in taken else "dearer than exact"
            lines.append(f"| `{entry.operator}` | {' | '.join(figures)} | {how} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """The fronts of the chart that ships, printed or put into a page."""
    publish(arguments, table(charts.load()), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
