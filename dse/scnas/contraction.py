"""How the space of circuits is made smaller, step by step, each with its size and its reason.

Sizes are exact. They are counted layer by layer: a layer's output (activation and pooling) may depend on its own circuit and on that of
the layer that reads it, so ways are kept by what of a circuit matters to its neighbours.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

from gatewright.dse.scnas import chart as charts
from gatewright.dse.scnas.chart import Chart
from gatewright.dse.scnas.circuits import NEAR, TOLERANCE, undominated, worthwhile
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Step
from gatewright.hw.config import Operator, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.stochastic.sharing import ALL_LANES

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
    f"of circuits of equal operands, those that err at least {TOLERANCE:.0%} less than any that stays and costs no more, XNOR included, "
    f"and less than any that costs up to {NEAR:.0%} more; not on the chart: sharing of two lanes, near-twins of no sharing "
    "(beside the 14 circuits here that share nothing, energy within 1%, errors within 11%, and less by more than 5% in two), "
    "and longer streams, which cost more than an exact product"
)
CIRCUIT = ("length", "bits", "coding", "source", "sharing", "multiplier", "adder")
STREAM_ACTIVATIONS, STREAM_POOLINGS = ("stanh", "btanh"), ("mux", "segment")


def stages(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Convolutions by stage: each ends with a pooling, but for what follows the last one."""
    ends = sorted({*plan.pool_after, len(plan.widths) - 1})
    return tuple(tuple(range(first + 1, last + 1)) for first, last in zip([-1, *ends], ends, strict=False))


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
    bits = int(values["bits"])
    return stochastic(8).replace(
        stream_length=int(values["length"]),
        weight_bits=bits,
        activation_bits=bits,
        activation_signed=values["coding"] == "bipolar",
        coding=values["coding"],
        source=values["source"],
        sharing=int(values["sharing"]),
        adder=values["adder"],
    )
