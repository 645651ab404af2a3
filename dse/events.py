"""What the unit costs of dynamic energy multiply: events of a layer in each part, times the bits that an event moves.

Events come from the exact counts of `sw/counts.py`; which parts of the grid hold useful data follows from products and slots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gatewright.dse.features import Features, Part, Shape, shape
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sw.counts import Counts


@dataclass(frozen=True)
class Work:
    """What one layer does on a configuration: its operator, exact counts, and the datapath in use."""

    operator: Operator
    counts: Counts

    @property
    def streaming(self) -> bool:
        return self.operator.kind == "stochastic"

    @property
    def useful(self) -> float:
        """Part of the grid's lanes that made useful products."""
        return self.counts.products / self.counts.slots if self.counts.slots else 0.0


Dynamic = Callable[[Shape, Part, Work], Features]


def dynamic(config: AcceleratorConfig, part: Part, work: Work) -> Features:
    """Events of a layer times the bits they move in a part; empty where the layer leaves the part alone."""
    return _DYNAMIC[part.family.partition(".")[0]](shape(config), part, work)


def _element(s: Shape, part: Part, w: Work) -> Features:
    issues, acc = w.counts.issues * s.elements, s.config.accumulator_bits
    total = s.sums[s.path_of(w.operator)]
    kind = "stream" if w.streaming else w.operator.kind
    return {
        f"sum.{kind}": issues * total,
        "accumulate": issues * acc,
        "useful": issues * total * w.useful,
        "drain": w.counts.beats * s.config.cols * acc,
    }


def _edge(s: Shape, part: Part, w: Work) -> Features:
    weight = part.key.startswith("weight")
    reads = w.counts.weight_reads if weight else w.counts.activation_reads
    bits = s.encoded[s.path_of(w.operator)][weight]
    moves = (w.counts.issues if w.streaming else reads) * part.instances * bits
    others = s.config.rows if weight else s.config.cols
    side = "weight" if weight else "activation"
    kind = "stream" if w.streaming else "word"
    dense = 1.0 if w.operator.kind in ("xnor", "binary_weight") else w.useful
    return {
        f"{kind}.{side}": moves * dense,
        f"{kind}.fanout": moves * dense * others,
        "idle": reads * part.instances * s.config.operand_bits * len(s.paths) * dense,
        "words": reads * part.instances,
    }


def _lane(s: Shape, part: Part, w: Work) -> Features:
    if s.path_of(w.operator) != part.path:
        return {}
    assert part.operator is not None
    issues = w.counts.issues
    weights, activations = (1.0, 1.0) if w.streaming else (w.counts.weight_reads / issues, w.counts.activation_reads / issues)
    lanes = issues * s.elements * s.config.lanes(part.operator)
    size = w.operator.weight_bits * w.operator.activation_bits if part.family == "lanes.int" else w.operator.width
    bits = w.operator.weight_bits + w.operator.activation_bits
    if w.streaming:
        return {"stream": issues * s.elements * s.config.operand_bits, "useful": lanes * w.useful * size}
    return {
        "weights": lanes * w.useful * size * weights,
        "activations": lanes * w.useful * size * activations,
        "sum": lanes * w.useful * bits * max(weights, activations),
        "idle": lanes * size * max(weights, activations),
    }


def _encoder(s: Shape, part: Part, w: Work) -> Features:
    if part.operator is None or s.config.operators[s.config.path(w.operator)] != part.operator:
        return {}
    side = "weight" if "weight" in part.key else "activation"
    events = w.counts.issues * part.instances
    return {f"play.{side}": events * s.config.operand_bits * w.operator.activation_bits, "one": events * s.config.operand_bits}


def _source(s: Shape, part: Part, w: Work) -> Features:
    if part.operator is None or s.config.operators[s.config.path(w.operator)] != part.operator:
        return {}
    others = s.config.rows if "activation" in part.key else s.config.cols
    bits = w.counts.issues * w.operator.width * w.operator.activation_bits
    return {"play": bits, "fanout": bits * others * s.config.lanes(part.operator)}


def _merge(s: Shape, part: Part, w: Work) -> Features:
    c = s.config
    drained = w.counts.beats * c.cols * c.accumulator_bits
    streams = w.counts.issues if w.streaming else 0
    return {"drain": drained, "streams": streams, "load": streams * (c.rows + c.cols) * c.operand_bits}


def _ports(s: Shape, part: Part, w: Work) -> Features:
    c, n, paths = s.config, w.counts, len(s.paths)
    bits = c.operand_bits * paths
    return {
        "activations": n.activation_reads * c.rows * bits * w.useful,
        "weights": n.weight_reads * c.cols * bits * w.useful,
        "any": (n.activation_reads * c.rows + n.weight_reads * c.cols) * bits,
        "parameters": n.parameter_reads * c.cols,
        "stored": n.stored_words * c.operand_bits,
    }


def _post(s: Shape, part: Part, w: Work) -> Features:
    n, cols = w.counts, s.config.cols
    return {
        "beats": n.beats * cols * s.config.accumulator_bits,
        "columns": n.beats * cols,
        "beat": n.beats,
        "writes": n.output_writes * s.config.output_bits,
        "parameters": n.parameter_reads * cols,
        "starts": n.instruction_words,
    }


def _sequencer(s: Shape, part: Part, w: Work) -> Features:
    n, c = w.counts, s.config
    return {
        "issues": n.issues,
        "reads": n.activation_reads * c.rows + n.weight_reads * c.cols,
        "elements": n.parameter_reads * s.elements * c.accumulator_bits,
        "file": n.issues * s.elements * (c.accumulator_depth - 2),
        "streams": n.issues * (c.rows + c.cols) if w.streaming else 0,
        "instructions": n.instruction_words,
    }


def _drain(s: Shape, part: Part, w: Work) -> Features:
    n = w.counts
    return {
        "beats": n.beats,
        "rows": n.beats * s.config.cols * s.config.accumulator_bits,
        "blocks": n.parameter_reads * s.elements * s.config.accumulator_bits,
        "instructions": n.instruction_words,
    }


def _words(s: Shape, part: Part, w: Work) -> Features:
    """Units that move or hold words: an energy for each word that passes."""
    n, c = w.counts, s.config
    return {
        "instructions": n.instruction_words * c.operand_bits,
        "instruction": n.instruction_words,
        "linear": n.linear_words,
        "images": n.image_words + n.padding_words,
        "rows": (n.image_words + n.padding_words) * c.rows,
        "read": (n.linear_words + n.image_words) * c.operand_bits,
        "stored": n.stored_words,
        "stored_bits": n.stored_words * c.operand_bits,
    }


_DYNAMIC: Mapping[str, Dynamic] = {
    "element": _element,
    "edge": _edge,
    "lanes": _lane,
    "encoder": _encoder,
    "source": _source,
    "grid": _merge,
    "memory_port": _ports,
    "post": _post,
    "sequencer": _sequencer,
    "drain": _drain,
} | dict.fromkeys(("system", "fetch", "linear", "image", "instruction", "store"), _words)
