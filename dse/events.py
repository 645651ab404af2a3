"""What the unit costs of dynamic energy multiply: events of a layer in each part, times the bits that change in one.

How many bits change is the layer's activity (`gatewright.sw.activity`). Events are multiples of the numbers in `dse/work.py`, so that a
layer's energy is a matrix times its basis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

from gatewright.dse.features import Part, played
from gatewright.dse.shape import Shape, shape
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.stochastic.numbers import Side
from gatewright.sw.activity import SUM_BITS, Activity, Toggles

Numbers = Mapping[str, float]  # how often each number of the basis counts
Events = Mapping[str, Numbers]  # by feature
ALL, FILLED, USEFUL = "", "filled_", "useful_"
SLICED = ("tree", "tree.dense", "product.dense")  # what is cheaper in a slice of an element's lanes
GLITCHES = "glitch."  # events that move glitches only
DENSITY = 0.3  # of an activation's bits, ones: where signs of weights are spread over a divided lane


def dynamic(config: AcceleratorConfig, part: Part, operator: Operator, activity: Activity) -> Events:
    """Events in a part while a layer of `operator` runs; empty where the layer leaves the part alone."""
    return _DYNAMIC[part.family.partition(".")[0]](shape(config), part, operator, activity)


def _streaming(operator: Operator) -> bool:
    return operator.kind == "stochastic"


def _dense(operator: Operator) -> bool:
    """Whether operands of value zero toggle too."""
    return operator.coding == "bipolar"


@dataclass(frozen=True)
class _Moves:
    """Toggles of a layer's operands in all issues, as multiples of the basis.

    An issue without a read of weights moves on to the next pixel, one without a read of activations to the next channel; all others
    change both. Streams move in every step. Activities by lane count where a channel is; those of an element are divided by that part.
    """

    operator: Operator
    activity: Activity

    def lane(self, name: str, times: float = 1.0) -> Numbers:
        """Of the lanes: the attribute `name` of the activity's toggles."""
        return self._of([getattr(change, name) for change in self._changes], times)

    def word(self, side: Side, times: float = 1.0) -> Numbers:
        """Of the buffers' words: a stream takes one for many issues."""
        both, pixel, channel = (times * getattr(change, f"{side}_word") for change in self._changes)
        scope = self._scope
        reads = {f"{scope}activation_reads": both - channel, f"{scope}weight_reads": both - pixel}
        return {f"{scope}issues": (pixel + channel - both) / self.operator.steps, **reads}

    def tree(self, first: int, last: int, times: float = 1.0) -> Numbers:
        """Of the sums of lanes in an element: those of 2**first lanes or more, but fewer than 2**last."""
        values = [sum(change.tree[max(0, first - 1) : max(0, last - 1)]) for change in self._changes]
        return self._of(values, times / self._part)

    def element(self, name: str, times: float = 1.0) -> Numbers:
        """Of an element: the attribute `name` of the activity's toggles."""
        return self.lane(name, times / self._part)

    def issue(self, times: float) -> Numbers:
        """Something in an element that each issue does."""
        return {f"{self._scope}issues": times / self._part}

    @property
    def _changes(self) -> tuple[Toggles, Toggles, Toggles]:
        return self.activity.both, self.activity.pixel, self.activity.channel

    @property
    def _scope(self) -> str:
        return ALL if _dense(self.operator) else FILLED

    @property
    def _part(self) -> float:
        return 1.0 if _dense(self.operator) else self.activity.filled

    def _of(self, values: Sequence[float], times: float) -> Numbers:
        both, pixel, channel = (times * value for value in values)
        scope = self._scope
        if _streaming(self.operator):
            return {f"{scope}issues": both}
        reads = {f"{scope}activation_reads": both - channel, f"{scope}weight_reads": both - pixel}
        return {f"{scope}issues": pixel + channel - both, **reads}


def _worked(numbers: Numbers, filled: float) -> Numbers:
    """The part of some numbers that falls to elements with useful work."""
    return {USEFUL + name.removeprefix(FILLED): times / (1.0 if name.startswith(FILLED) else filled) for name, times in numbers.items()}


def _idle(numbers: Numbers, filled: float) -> Numbers:
    """The other part: rows without pixels go on with old data, columns without channels with old weights."""
    return _added(numbers, _scaled(_worked(numbers, filled), -1.0))


def _scaled(numbers: Numbers, times: float) -> Numbers:
    return {name: value * times for name, value in numbers.items()}


def _added(first: Numbers, second: Numbers) -> Numbers:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {**first, **second}}


def _apart(events: Events, filled: float) -> Events:
    """Each event twice: where work is useful, and where it is not."""
    return {name: _worked(numbers, filled) for name, numbers in events.items()} | {
        f"idle.{name}": _idle(numbers, filled) for name, numbers in events.items()
    }


def _accumulators(s: Shape, change: Toggles) -> float:
    """Bits of an accumulator that change: copies of its sign beyond the accumulator's width are not there."""
    return change.accumulator - (SUM_BITS - s.config.accumulator_bits) * change.sign


def _levels(s: Shape, path: int, operator: Operator) -> tuple[int, int]:
    """Levels of sums in a lane circuit, and in all: with two pipeline stages the rest is the element's own."""
    lanes = s.config.lanes(operator)
    slices = s.paths[path].slices if s.config.pipeline_stages == 2 else 1
    return (lanes // slices).bit_length() - 1, lanes.bit_length() - 1


def _element(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    c, n, path = s.config, s.elements, s.path_of(operator)
    moves, (inner, outer) = _Moves(operator, activity), _levels(s, path, operator)
    sums = _accumulators(s, activity.both)
    switched = max(_accumulators(s, change) for change in (activity.pixel, activity.channel))
    total = moves.tree(outer, outer + 1, n)
    added = moves.issue(n * sums)
    kind = "count" if _streaming(operator) or operator.kind == "xnor" else "word"  # popcounts, or adders
    arriving = moves.tree(outer - 1, outer + 1, n)  # the last sums, still on their way
    moving = {
        "sum": total,
        "sum.choice": _scaled(total, len(s.paths) > 1),
        "slices": moves.tree(inner + 1, outer + 1, n),
        f"{kind}.arriving": arriving,
        f"{kind}.arriving.choice": _scaled(arriving, len(s.paths) > 1),
        f"{kind}.arriving.unregistered": _scaled(arriving, c.pipeline_stages == 0),
        f"{kind}.tree": moves.tree(1, outer + 1, n),
        f"{kind}.tree.choice": moves.tree(1, outer + 1, n * (len(s.paths) > 1)),
        f"{operator.kind}.tree.unregistered": moves.tree(1, outer + 1, n * (c.pipeline_stages == 0)),
        f"{kind}.products": moves.lane("product", n * c.lanes(operator)),
        f"{kind}.products.choice": moves.lane("product", n * c.lanes(operator) * (len(s.paths) > 1)),
        "carry": moves.element("sum_sign", n * (c.accumulator_bits - s.sums[path])),
        "accumulate": added,
        "accumulate.file": _scaled(added, c.accumulator_depth),
    }
    return {
        **_apart(moving, activity.filled),
        "issues": {"issues": n * c.accumulator_bits},
        "total": {"issues": n * s.sums[path]},
        "switch": {"switches": n * switched},
        "switch.file": {"switches": n * switched * c.accumulator_depth},
        "switch.bits": {"switches": n * c.accumulator_bits},
        "drain": {"sums": c.cols * c.accumulator_bits},
        "drain.file": {"sums": c.cols * c.accumulator_bits * c.accumulator_depth},
    }


def _edge(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    weight = part.key.startswith("weight")
    side: Side = "weight" if weight else "activation"
    lanes, others = part.instances * s.config.lanes(operator), s.config.rows if weight else s.config.cols
    kind, moves = "stream" if _streaming(operator) else "word", _Moves(operator, activity)
    spread = operator.width if weight and operator.kind == "binary_weight" and s.paths[s.path_of(operator)].modes else 1
    moved, stored = moves.lane(side, lanes * spread), moves.word(side, lanes)
    return {
        **_apart(
            {kind: moved, f"{kind}.{side}.fanout": _scaled(moved, others), "load": _scaled(moved, others * _gates(s, operator, side))},
            activity.filled,
        ),
        "idle": _scaled(stored, len(s.paths)),
        "words": stored,
        "reads": {f"{side}_reads": part.instances},
        "issues": {"issues": part.instances * s.encoded[s.path_of(operator)][weight]},
    }


def _gates(s: Shape, operator: Operator, side: Side) -> int:
    """Inputs of gates in an element that one operand bit drives, about."""
    other = operator.activation_bits if side == "weight" else operator.weight_bits
    if s.paths[s.path_of(operator)].modes:
        return operator.width
    return {"int": other, "binary_weight": other, "shift": other - 1 if side == "activation" else other, "multiplication_free": 2}.get(
        operator.kind, 1
    )


def _lanes(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    if s.path_of(operator) != part.path or part.operator is None:
        return {}
    n, moves, (levels, _) = s.elements, _Moves(operator, activity), _levels(s, part.path, operator)
    lanes, w, a = n * s.config.lanes(operator), operator.weight_bits, operator.activation_bits
    found = {name: moves.lane(name, lanes) for name in ("activation", "weight", "partial", "product")}
    found |= {"tree": moves.tree(1, levels + 1, n), "sum": moves.tree(levels, levels + 1, n)}
    if not _streaming(operator) and w > 1:
        found |= {"activation.fanout": _scaled(found["activation"], w), "weight.fanout": _scaled(found["weight"], a)}
    if s.paths[part.path].modes and operator.kind == "binary_weight":  # a weight is -1 or +1 in all bits of a part
        found["weight"] = _scaled(found["weight"], operator.width)
        found["weight.fanout"] = _scaled(found["weight"], a)
        found["activation.fanout"] = _scaled(found["activation"], operator.width / 2)
        found["partial"] = _added(found["activation.fanout"], _scaled(found["weight.fanout"], DENSITY))
    lag = log2(s.config.rows * _gates(s, operator, "weight") / (s.config.cols * _gates(s, operator, "activation")))
    late = {"weight": max(0.0, lag), "activation": max(0.0, -lag)}  # unbuffered, a net's delay grows with what it drives
    found |= {f"{GLITCHES}late.{side}": _scaled(found["tree"], times) for side, times in late.items()}
    dense = {f"{name}.dense": _worked(_scaled(found[name], activity.filled), activity.filled) for name in ("product", "tree")}
    if levels < s.config.lanes(operator).bit_length() - 1:  # a slice is too shallow for glitches to pile up
        found, dense = ({f"slice.{name}" if name in SLICED else name: numbers for name, numbers in some.items()} for some in (found, dense))
    return {**_apart(found, activity.filled), **dense, "lanes": {"issues": lanes}}


def _mine(s: Shape, part: Part, operator: Operator) -> bool:
    """Whether a layer's operator uses an encoder or a source."""
    return s.config.operators[s.config.path(operator)] == part.operator


def _played(operator: Operator, side: Side) -> float:
    """Bits that change in the numbers a source plays in a cycle, on average."""
    numbers, width = played(operator, side), operator.width
    return sum((a ^ b).bit_count() for a, b in zip(numbers, numbers[width:] + numbers[:width], strict=True)) * width / len(numbers)


def _encoder(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    if not _mine(s, part, operator):
        return {}
    side: Side = "weight" if "weight" in part.key else "activation"
    lanes = s.config.lanes(operator)
    numbers = {"issues": _played(operator, side) * part.instances * lanes}
    moves, source = _Moves(operator, activity), f"{operator.source}.{side}"
    filled = {"issues" if _dense(operator) else "filled_issues": numbers["issues"]}
    encoded, words = moves.lane(side, part.instances * lanes), moves.word(side, part.instances * lanes * operator.width)
    return {
        f"numbers.{source}": numbers,
        f"numbers.filled.{source}": filled,
        f"encoded.{operator.source}": encoded,
        f"words.{operator.source}": words,
        "chosen": _scaled(numbers, operator.adder == "mux"),
        "bits": {"issues": part.instances * s.config.operand_bits},
    }


def _source(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    if not _mine(s, part, operator):
        return {}
    side: Side = "activation" if "activation" in part.key else "weight"
    others, numbers = s.config.rows if side == "activation" else s.config.cols, _played(operator, side)
    chosen = operator.width * (operator.adder == "mux")
    selects = {"select": {"issues": chosen}, "select.fanout": {"issues": chosen * others}}
    if side == "activation" and operator.source != "lfsr":  # the step's own bits: wires
        return selects
    return selects | {"play": {"issues": numbers}, "fanout": {"issues": numbers * others * s.config.lanes(operator)}}


def _merge(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    c = s.config
    streams = operator.source in ("sobol", "counter")  # their numbers are the step's own bits: the grid drives the comparators
    return {
        "drain": {"sums": c.cols * c.accumulator_bits},
        "streams": {"issues": streams},
        "load": {"issues": streams * (c.rows + c.cols) * c.operand_bits},
    }


def _ports(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    c = s.config
    lanes, paths, moves = c.lanes(operator), len(s.paths), _Moves(operator, activity)
    words = {
        "activations": moves.word("activation", c.rows * lanes),
        "weights": moves.word("weight", c.cols * lanes),
    }
    return {
        **words,
        **{f"{side}.paths": {k: v * paths for k, v in numbers.items()} for side, numbers in words.items()},
        "any.activations": {"activation_reads": c.rows * c.operand_bits},
        "any.weights": {"weight_reads": c.cols * c.operand_bits},
        "parameters": {"parameter_reads": c.cols},
        "stored": {"stored_words": c.operand_bits},
    }


def _post(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    c, cols = s.config, s.config.cols
    return {
        "sums": {"sums": cols * c.accumulator_bits},
        "columns": {"beats": cols},
        "beat": {"beats": 1},
        "requantised": {"requantised": cols * c.accumulator_bits},
        "pools": {"sums": cols * c.rows * c.pooling},
        "writes": {"output_writes": c.output_bits},
        "parameters": {"parameter_reads": cols},
        "instructions": {"instruction_words": 1},
    }


def _sequencer(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    c = s.config
    return {
        "issues": {"issues": 1},
        "activations": {"activation_reads": c.rows},
        "weights": {"weight_reads": c.cols},
        "elements": {"parameter_reads": s.elements * c.accumulator_bits},
        "switches": {"switches": s.elements * c.accumulator_bits},
        "streams": {"issues": (c.rows + c.cols) * _streaming(operator)},
        "instructions": {"instruction_words": 1},
    }


def _drain(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    return {
        "beats": {"beats": 1},
        "rows": {"beats": s.config.cols * s.config.accumulator_bits},
        "blocks": {"parameter_reads": s.elements * s.config.accumulator_bits},
        "instructions": {"instruction_words": 1},
    }


def _words(s: Shape, part: Part, operator: Operator, activity: Activity) -> Events:
    """Units that move or hold words: an energy for each word that passes."""
    c = s.config
    return {
        "instruction_bits": {"instruction_words": c.operand_bits},
        "instruction": {"instruction_words": 1},
        "linear": {"linear_words": 1},
        "linear_bits": {"linear_words": c.operand_bits},
        "images": {"walked_words": 1},
        "rows": {"walked_words": c.rows},
        "image_bits": {"image_words": c.operand_bits},
        "stored": {"stored_words": 1},
        "stored_bits": {"stored_words": c.operand_bits},
    }


_DYNAMIC: Mapping[str, Callable[[Shape, Part, Operator, Activity], Events]] = {
    "element": _element,
    "edge": _edge,
    "lanes": _lanes,
    "encoder": _encoder,
    "source": _source,
    "grid": _merge,
    "memory_port": _ports,
    "post": _post,
    "sequencer": _sequencer,
    "drain": _drain,
    **dict.fromkeys(("system", "fetch", "linear", "image", "instruction", "store"), _words),
}
