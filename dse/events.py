"""What the unit costs of dynamic energy multiply: events of a layer in each part, times the bits that an event moves.

Events are multiples of a few numbers of a layer, its basis, which come from the exact counts of `sw/counts.py`. How much of the grid
holds useful data follows from products and slots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gatewright.dse.features import Part, Shape, shape
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sw.counts import Counts

BASIS = (
    "cycles",
    "issues",
    "useful_issues",  # issues x the part of the lanes that made useful products
    "activation_reads",
    "useful_activation_reads",
    "weight_reads",
    "useful_weight_reads",
    "reads",  # the greater of activation and weight reads: cycles with a new operand
    "useful_reads",
    "beats",
    "output_writes",
    "parameter_reads",
    "stored_words",
    "instruction_words",
    "linear_words",
    "image_words",
    "walked_words",  # images with their padding
)
Events = Mapping[str, tuple[str, float]]  # feature: (number of the basis, times what)


@dataclass(frozen=True)
class Work:
    """What one layer does on a configuration: its operator and exact counts."""

    operator: Operator
    counts: Counts

    @property
    def basis(self) -> tuple[float, ...]:
        """The numbers that `BASIS` names."""
        n = self.counts
        useful = n.products / n.slots if n.slots else 0.0
        reads = max(n.activation_reads, n.weight_reads)
        return (
            n.cycles,
            n.issues,
            n.issues * useful,
            n.activation_reads,
            n.activation_reads * useful,
            n.weight_reads,
            n.weight_reads * useful,
            reads,
            reads * useful,
            n.beats,
            n.output_writes,
            n.parameter_reads,
            n.stored_words,
            n.instruction_words,
            n.linear_words,
            n.image_words,
            n.image_words + n.padding_words,
        )


def dynamic(config: AcceleratorConfig, part: Part, operator: Operator) -> Events:
    """Events in a part while a layer of `operator` runs; empty where the layer leaves the part alone."""
    return _DYNAMIC[part.family.partition(".")[0]](shape(config), part, operator)


def _streaming(operator: Operator) -> bool:
    return operator.kind == "stochastic"


def _element(s: Shape, part: Part, operator: Operator) -> Events:
    acc, total = s.config.accumulator_bits, s.sums[s.path_of(operator)]
    return {
        f"sum.{operator.kind}": ("issues", s.elements * total),
        "accumulate": ("issues", s.elements * acc),
        "useful": ("useful_issues", s.elements * total),
        "drain": ("beats", s.config.cols * acc),
    }


def _edge(s: Shape, part: Part, operator: Operator) -> Events:
    weight = part.key.startswith("weight")
    side = "weight" if weight else "activation"
    moved = part.instances * s.encoded[s.path_of(operator)][weight]
    others = s.config.rows if weight else s.config.cols
    dense = operator.kind in ("xnor", "binary_weight")
    event, name = ("issues", "stream") if _streaming(operator) else (f"{side}_reads", f"word.{side}")
    event = event if dense else f"useful_{event}"
    return {
        name: (event, moved),
        f"{name}.fanout": (event, moved * others),
        "idle": (f"useful_{side}_reads", part.instances * s.config.operand_bits * len(s.paths)),
        "words": (f"{side}_reads", part.instances),
    }


def _lanes(s: Shape, part: Part, operator: Operator) -> Events:
    if s.path_of(operator) != part.path or part.operator is None:
        return {}
    lanes = s.elements * s.config.lanes(part.operator)
    if _streaming(operator):
        return {"stream": ("issues", s.elements * s.config.operand_bits), "useful": ("useful_issues", lanes * operator.width)}
    w, a = operator.weight_bits, operator.activation_bits
    size = w * a if operator.kind == "int" else a
    return {
        "weights": ("useful_weight_reads", lanes * size),
        "activations": ("useful_activation_reads", lanes * size),
        "sum": ("useful_reads", lanes * (w + a)),
        "idle": ("reads", lanes * size),
    }


def _mine(s: Shape, part: Part, operator: Operator) -> bool:
    """Whether a layer's operator uses an encoder or a source."""
    return s.config.operators[s.config.path(operator)] == part.operator


def _encoder(s: Shape, part: Part, operator: Operator) -> Events:
    if not _mine(s, part, operator):
        return {}
    side = "weight" if "weight" in part.key else "activation"
    bits = part.instances * s.config.operand_bits
    return {
        f"play.{side}": ("issues", bits * operator.activation_bits),
        f"useful.{side}": ("useful_issues", bits * operator.activation_bits),
        "bits": ("issues", bits),
    }


def _source(s: Shape, part: Part, operator: Operator) -> Events:
    if not _mine(s, part, operator):
        return {}
    others = s.config.rows if "activation" in part.key else s.config.cols
    bits = operator.width * operator.activation_bits
    return {"play": ("issues", bits), "fanout": ("issues", bits * others * s.config.lanes(operator))}


def _merge(s: Shape, part: Part, operator: Operator) -> Events:
    c = s.config
    streams = _streaming(operator)
    return {
        "drain": ("beats", c.cols * c.accumulator_bits),
        "streams": ("issues", streams),
        "load": ("issues", streams * (c.rows + c.cols) * c.operand_bits),
    }


def _ports(s: Shape, part: Part, operator: Operator) -> Events:
    c = s.config
    bits = c.operand_bits * len(s.paths)
    return {
        "activations": ("useful_activation_reads", c.rows * bits),
        "weights": ("useful_weight_reads", c.cols * bits),
        "any.activations": ("activation_reads", c.rows * bits),
        "any.weights": ("weight_reads", c.cols * bits),
        "parameters": ("parameter_reads", c.cols),
        "stored": ("stored_words", c.operand_bits),
    }


def _post(s: Shape, part: Part, operator: Operator) -> Events:
    cols = s.config.cols
    return {
        "beats": ("beats", cols * s.config.accumulator_bits),
        "columns": ("beats", cols),
        "beat": ("beats", 1),
        "writes": ("output_writes", s.config.output_bits),
        "parameters": ("parameter_reads", cols),
        "instructions": ("instruction_words", 1),
    }


def _sequencer(s: Shape, part: Part, operator: Operator) -> Events:
    c = s.config
    return {
        "issues": ("issues", 1),
        "activations": ("activation_reads", c.rows),
        "weights": ("weight_reads", c.cols),
        "elements": ("parameter_reads", s.elements * c.accumulator_bits),
        "file": ("issues", s.elements * (c.accumulator_depth - 2)),
        "streams": ("issues", (c.rows + c.cols) * _streaming(operator)),
        "instructions": ("instruction_words", 1),
    }


def _drain(s: Shape, part: Part, operator: Operator) -> Events:
    return {
        "beats": ("beats", 1),
        "rows": ("beats", s.config.cols * s.config.accumulator_bits),
        "blocks": ("parameter_reads", s.elements * s.config.accumulator_bits),
        "instructions": ("instruction_words", 1),
    }


def _words(s: Shape, part: Part, operator: Operator) -> Events:
    """Units that move or hold words: an energy for each word that passes."""
    c = s.config
    return {
        "instruction_bits": ("instruction_words", c.operand_bits),
        "instruction": ("instruction_words", 1),
        "linear": ("linear_words", 1),
        "linear_bits": ("linear_words", c.operand_bits),
        "images": ("walked_words", 1),
        "rows": ("walked_words", c.rows),
        "image_bits": ("image_words", c.operand_bits),
        "stored": ("stored_words", 1),
        "stored_bits": ("stored_words", c.operand_bits),
    }


_DYNAMIC: Mapping[str, Callable[[Shape, Part, Operator], Events]] = {
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
