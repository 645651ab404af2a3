"""What the unit costs of area and clock multiply: every part of an accelerator with its flip-flops and the features of its area.

Flip-flops are known from the circuits' text in `hw/`. Unit costs are fitted in `dse/fit.py`; here are no numbers of a technology.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gatewright.dse.shape import Shape, shape
from gatewright.dse.space import BUFFERS
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.datapath import Datapath
from gatewright.hw.operators import circuit
from gatewright.hw.stochastic.numbers import Side, sequence
from gatewright.hw.stochastic.sharing import PERIOD_BITS

Features = Mapping[str, float]
LEAST = 4  # words of any buffer


@dataclass(frozen=True)
class Part:
    """A part of an accelerator: `family` names the unit costs, `key` the part as measurements name it.

    Parts of one family with the same `circuit` are the same gates, whatever accelerator they stand in; "" if that is not said.
    """

    key: str
    family: str
    instances: int
    flips: Features  # of the flip-flops of all instances
    area: Features  # of all instances
    operator: Operator | None = None
    path: int = 0
    circuit: str = ""


@lru_cache(maxsize=4096)
def parts(config: AcceleratorConfig) -> tuple[Part, ...]:
    """Every part of a configuration's system: first the units, whose circuits depend on the buffers' sizes, then what does not."""
    return (*units(config), *array(unbuffered(config)))


def units(config: AcceleratorConfig) -> tuple[Part, ...]:
    """The parts whose circuits depend on the buffers' sizes."""
    return tuple(_units(shape(config)))


@lru_cache(maxsize=4096)
def array(config: AcceleratorConfig) -> tuple[Part, ...]:
    """The parts whose circuits do not."""
    s = shape(config)
    return (*_grid(s), *_lanes(s), *_streams(s))


@lru_cache(maxsize=4096)
def unbuffered(config: AcceleratorConfig) -> AcceleratorConfig:
    """What all configurations are equal to that differ in their buffers' sizes only."""
    return config.model_copy(update=dict.fromkeys(BUFFERS, LEAST))


def _units(s: Shape) -> list[Part]:
    c = s.config
    bits, rows, cols, acc = c.operand_bits, c.rows, c.cols, c.accumulator_bits
    along = 4 * (s.output + s.row)
    columns = cols * (4 * acc + 35)
    pools = 15 * rows * cols * c.pooling
    chains = (2 + c.pipeline_stages) * (3 + s.index)
    words = (c.output_words - 1).bit_length()
    banks = max(1, (max(rows, cols) - 1).bit_length())
    drained = 4 * s.output + 2 * s.parameter
    lanes = (c.output_bits // bits - 1).bit_length()
    fields = {"one": 1, "output": s.output, "activation": s.activation, "weight": s.weight, "parameter": s.parameter, "pooling": c.pooling}

    def unit(name: str, flips: Features, area: Features) -> Part:
        return Part(name, name, 1, {"one": 1, **flips}, {"one": 1, **area})

    return [
        unit("system", {}, {"bits": bits, "rows": rows, "cols": cols}),
        unit("fetch", {}, {"bits": bits}),
        unit("linear", {"banks": banks, "address": max(s.weight, s.parameter)}, {"bits": bits, "address": max(s.weight, s.parameter)}),
        unit("image", {"rows": rows, "address": rows * s.activation}, {"bits": bits, "rows": rows, "address": rows * s.activation}),
        unit("instruction", fields, {"bits": bits, **fields}),
        unit("store", {"words": words, "lanes": lanes}, {"bits": bits, "select": c.output_bits - bits, "words": words}),
        unit(
            "sequencer",
            {"activation": s.activation, "weight": s.weight, "chains": chains, "step": s.step},
            {"activation": s.activation, "weight": s.weight, "chains": chains, "operators": len(c.operators), "step": s.step},
        ),
        unit("drain", {"drained": drained, "row": s.row, "index": s.index}, {"drained": drained, "rows": rows, "index": s.index}),
        unit(
            "post",
            {"along": along, "columns": columns, "pools": pools, "pooling": c.pooling},
            {"along": along, "columns": cols * acc, "cols": cols, "pools": pools, "pooling": c.pooling * cols, "pack": c.output_bits},
        ),
    ]


def _grid(s: Shape) -> list[Part]:
    c = s.config
    acc, depth = c.accumulator_bits, c.accumulator_depth
    stages, most = c.pipeline_stages, max(s.sums)
    file = {"file": acc * depth, "adder": acc, "depth": depth, "held": s.held, "choice": sum(s.sums) * (len(s.sums) > 1)}
    file |= {"total": most, "unregistered": most * (stages == 0), "slices": (s.held - most) * (stages == 2), "one": 1}
    found = [Part("element", "element", s.elements, {"bits": s.elements * (acc * depth + s.held)}, _times(s.elements, file))]
    for side, number in (("activation", c.rows), ("weight", c.cols)):
        operands = [pair[side == "weight"] for pair in s.encoded]
        shared = sum(bits * (len(path.operators) - 1) for bits, path in zip(operands, s.paths, strict=True))
        edge = {"bits": sum(operands), "shared": shared, "gates": len(s.streams) * c.operand_bits, "one": 1}
        found.append(Part(f"{side}_edge", "edge", number, {"bits": number * sum(operands)}, _times(number, edge)))
    merged = (c.rows - 1) * c.cols * acc
    found.append(Part("grid", "grid", 1, {}, {"merge": merged, "shared": len(c.operators) - len(s.paths), "streams": len(s.streams)}))
    return found


def _lanes(s: Shape) -> list[Part]:
    found = []
    for i, path in enumerate(s.paths):
        operator = path.operators[0]
        family, features = lane_features(operator, s.config.operand_bits)
        if path.modes:
            family, features = "lanes.split", split_features(path)
        sliced = path.slices if s.config.pipeline_stages == 2 else 1
        circuit_name = f"{path.name}:{s.config.operand_bits}:{sliced}" + "".join(f":{o.name}" for o in path.operators if path.modes)
        found.append(Part(f"lanes:{path.name}", family, s.elements, {}, _times(s.elements, features), operator, i, circuit_name))
    return found


def split_features(path: Datapath) -> Features:
    """Of one array that divides: the partial products of its widest lanes."""
    lane = max(mode.width for mode in path.modes)
    lanes = path.operand_bits // lane
    return {"partial": lanes * lane**2}


def lane_features(operator: Operator, operand_bits: int) -> tuple[str, Features]:
    """Family of an element's lane circuit and the features of its area."""
    lanes, w, a = operand_bits // operator.width, operator.weight_bits, operator.activation_bits
    if operator.kind == "int":
        signed = lanes * w * a * operator.activation_signed
        return "lanes.int", {"products": lanes * w * a, "weights": lanes * w, "activations": lanes * a, "signed": signed, "lanes": lanes}
    if operator.kind == "binary_weight":
        return "lanes.binary_weight", {"terms": lanes * a, "lanes": lanes}
    if operator.kind == "shift":
        most = (operator.exponents or 0) - 1
        return "lanes.shift", {"levels": lanes * (a + most) * most.bit_length(), "terms": lanes * (a + most), "lanes": lanes}
    if operator.kind == "multiplication_free":
        silenced = lanes * (w + a) * (operator.zero_sign == 0)  # operands that a zero of the other one silences
        return "lanes.multiplication_free", {"terms": lanes * (w + a), "silenced": silenced, "lanes": lanes}
    if circuit(operator).datapath(operator) == "xnor":
        return "lanes.xnor", {"bits": operand_bits}
    adder = "" if operator.adder == "exact" else f".{operator.adder}"
    return f"lanes.{operator.kind}{adder}", {"bits": operand_bits, "lanes": lanes}


def _streams(s: Shape) -> list[Part]:
    found = []
    for operator in s.streams:
        sides: tuple[tuple[Side, int], ...] = (("activation", s.config.rows), ("weight", s.config.cols))
        for side, number in sides:
            bits = circuit(operator).number_bits(operator, side)
            encoder = _times(number, comparators(operator, side, s.config.operand_bits))
            key = f"encoder.{side}:{operator.name}"
            part = Part(key, "encoder", number, {}, encoder, operator, circuit=f"{key}:{s.config.operand_bits}")
            held = bits if operator.source == "lfsr" else 0
            steps = (operator.steps - 1).bit_length()
            size = {"linear": held * operator.width, "held": held, "sobol": 0 if held else bits * max(1, steps)}
            key = f"source.{side}:{operator.name}"
            found += [part, Part(key, f"source.{operator.source}", 1, {"bits": held}, size, operator, circuit=key)]
    return found


LOOKAHEAD = 8  # bits from which synthesis gives a comparison another structure


def comparators(operator: Operator, side: Side, operand_bits: int) -> Features:
    """Of a stream encoder: one comparison for every pulse, and the choice of a lane where a multiplexer adds.

    Synthesis gives comparisons of each width another structure, which depends on how the source's numbers are wired.
    """
    bits, chosen = circuit(operator).compared_bits(operator, side), operator.adder == "mux"
    pulses = operand_bits // PERIOD_BITS * operator.width if chosen else operand_bits
    structure = f"wide.{operator.source}.{operator.coding}" if bits >= LOOKAHEAD else f"width.{bits}.{operator.source}"
    registers = {f"registers.{side}": pulses} if operator.source == "lfsr" else {}
    choice = {"chosen": operand_bits * bits} if chosen else {}
    return {"comparisons": pulses * bits, "bits": pulses, structure: pulses, **registers, **choice}


@lru_cache(maxsize=1024)
def played(operator: Operator, side: Side) -> tuple[int, ...]:
    """What a stream's operands are compared with at each time: registers show their state, one more than the number."""
    bits = circuit(operator).compared_bits(operator, side)
    shown = int(operator.source == "lfsr")
    return tuple(number + shown for number in sequence(operator.source or "sobol", bits, side, operator.stream_length or 0))


def _times(number: int, features: Features) -> Features:
    return {name: number * value for name, value in features.items()}
