"""What the unit costs of dynamic energy multiply: events of a layer in each part, times the bits that an event moves.

Events are multiples of the numbers in `dse/work.py`, so that a layer's energy is a matrix times its basis.
"""

from collections.abc import Callable, Mapping

from gatewright.dse.features import Part, comparators
from gatewright.dse.shape import Shape, shape
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.operators import circuit
from gatewright.hw.stochastic.numbers import Side

Events = Mapping[str, tuple[str, float]]  # feature: (number of the basis, times what)


def dynamic(config: AcceleratorConfig, part: Part, operator: Operator) -> Events:
    """Events in a part while a layer of `operator` runs; empty where the layer leaves the part alone."""
    return _DYNAMIC[part.family.partition(".")[0]](shape(config), part, operator)


def _streaming(operator: Operator) -> bool:
    return operator.kind == "stochastic"


def _dense(operator: Operator) -> bool:
    """Whether operands of value zero toggle too."""
    return operator.coding == "bipolar"


def _element(s: Shape, part: Part, operator: Operator) -> Events:
    c, total = s.config, s.sums[s.path_of(operator)]
    return {
        f"sum.{operator.kind}": ("issues", s.elements * total),
        "accumulate": ("issues", s.elements * c.accumulator_bits),
        "useful": ("useful_issues", s.elements * total),
        "filled": ("filled_issues", s.elements * total),
        "switch": ("switches", s.elements * c.accumulator_bits),
        "file": ("switches", s.elements * c.accumulator_bits * c.accumulator_depth),
        "drain": ("sums", c.cols * c.accumulator_bits),
        "drain.file": ("sums", c.cols * c.accumulator_bits * c.accumulator_depth),
    }


def _edge(s: Shape, part: Part, operator: Operator) -> Events:
    weight = part.key.startswith("weight")
    side = "weight" if weight else "activation"
    moved = part.instances * s.encoded[s.path_of(operator)][weight]
    others = s.config.rows if weight else s.config.cols
    event, name = ("issues", f"stream.{operator.source}.{side}") if _streaming(operator) else (f"{side}_reads", f"word.{side}")
    event = event if _dense(operator) else f"filled_{event}"
    return {
        name: (event, moved),
        f"{name}.fanout": (event, moved * others),
        "useful": (event.replace("filled", "useful"), moved * others),
        "idle": (f"filled_{side}_reads", part.instances * s.config.operand_bits * len(s.paths)),
        "words": (f"{side}_reads", part.instances),
    }


def _lanes(s: Shape, part: Part, operator: Operator) -> Events:
    if s.path_of(operator) != part.path or part.operator is None:
        return {}
    lanes = s.elements * s.config.lanes(part.operator)
    if _streaming(operator):
        return {
            "stream": ("issues", s.elements * s.config.operand_bits),
            "useful": ("useful_issues", s.elements * s.config.operand_bits),
            "filled": ("filled_issues", s.elements * s.config.operand_bits),
        }
    w, a = operator.weight_bits, operator.activation_bits
    size = {"int": w * a, "multiplication_free": w + a}.get(operator.kind, a)
    return {
        "weights": ("useful_weight_reads", lanes * size),
        "weights.filled": ("filled_weight_reads", lanes * size),
        "activations": ("useful_activation_reads", lanes * size),
        "activations.filled": ("filled_activation_reads", lanes * size),
        "products": ("useful_issues", lanes * size),
        "products.filled": ("filled_issues", lanes * size),
        "sum.filled": ("filled_issues", lanes * (w + a)),
        "idle": ("issues", lanes * size),
    }


def _mine(s: Shape, part: Part, operator: Operator) -> bool:
    """Whether a layer's operator uses an encoder or a source."""
    return s.config.operators[s.config.path(operator)] == part.operator


def _encoder(s: Shape, part: Part, operator: Operator) -> Events:
    if not _mine(s, part, operator):
        return {}
    side: Side = "weight" if "weight" in part.key else "activation"
    size = comparators(operator, circuit(operator).number_bits(operator, side), s.config.operand_bits)
    event = "issues" if _dense(operator) else "filled_issues"
    return {
        **{f"{feature}.{operator.source}.{side}": ("issues", part.instances * times) for feature, times in size.items()},
        f"values.{operator.source}.{side}": (event, part.instances * size["comparisons"]),
    }


def _source(s: Shape, part: Part, operator: Operator) -> Events:
    if not _mine(s, part, operator):
        return {}
    others = s.config.rows if "activation" in part.key else s.config.cols
    bits = operator.width * operator.activation_bits
    return {"play": ("issues", bits), "fanout": ("issues", bits * others * s.config.lanes(operator))}


def _merge(s: Shape, part: Part, operator: Operator) -> Events:
    c = s.config
    streams = operator.source == "sobol"  # its numbers are the step's own bits: the grid drives the comparators
    return {
        "drain": ("sums", c.cols * c.accumulator_bits),
        "streams": ("issues", streams),
        "load": ("issues", streams * (c.rows + c.cols) * c.operand_bits),
    }


def _ports(s: Shape, part: Part, operator: Operator) -> Events:
    c = s.config
    bits = c.operand_bits * len(s.paths)
    return {
        "activations": ("filled_activation_reads", c.rows * bits),
        "weights": ("filled_weight_reads", c.cols * bits),
        "any.activations": ("activation_reads", c.rows * bits),
        "any.weights": ("weight_reads", c.cols * bits),
        "parameters": ("parameter_reads", c.cols),
        "stored": ("stored_words", c.operand_bits),
    }


def _post(s: Shape, part: Part, operator: Operator) -> Events:
    c, cols = s.config, s.config.cols
    return {
        "sums": ("sums", cols * c.accumulator_bits),
        "columns": ("beats", cols),
        "beat": ("beats", 1),
        "requantised": ("requantised", cols * c.accumulator_bits),
        "pools": ("sums", cols * c.rows * c.pooling),
        "writes": ("output_writes", c.output_bits),
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
        "switches": ("switches", s.elements * c.accumulator_bits),
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
