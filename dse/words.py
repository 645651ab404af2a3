"""Networks and accelerators in words."""

from collections import Counter

from gatewright.dse.network_space import FREE
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sw.models import Architecture, integers, layer_names, workload

FEW = 6  # layers whose operators are listed one by one


def operator_words(o: Operator) -> str:
    """An operator as a person says it: `8-bit integer`, `64-bit Sobol streams (sign-magnitude)`."""
    if o.kind == "xnor":
        return "XNOR"
    if o.kind == "binary_weight":
        return f"binary weights x {o.activation_bits}-bit activations"
    if o.kind == "stochastic":
        source = {"sobol": "Sobol", "lfsr": "LFSR", "counter": "counter"}[o.source or "sobol"]
        return f"{o.stream_length}-bit {source} streams ({(o.coding or '').replace('_', '-')}, {o.weight_bits}-bit operands)"
    if o.kind == "int":
        return (
            f"{o.weight_bits}-bit integers"
            if o.weight_bits == o.activation_bits
            else f"{o.weight_bits}-bit weights x {o.activation_bits}-bit activations"
        )
    if o.kind == "shift":
        return f"{o.exponents} signed powers of two x {o.activation_bits}-bit activations"
    if o.kind == "multiplication_free":
        zero = "" if o.zero_sign else ", sgn(0) = 0"
        return f"multiplication-free sums ({o.variant}{zero}) of {o.weight_bits}-bit weights and {o.activation_bits}-bit activations"
    return o.name


def network_words(a: Architecture) -> str:
    """A network's layers in order, each with its operator; of a network with many layers, which have which operator."""
    if a.family not in FREE:
        return _grouped_words(a)
    layers = []
    for (width, kernel, pooling, relu), operator in zip(a.convolutions, every_operator(a), strict=False):
        kind = f"{kernel}x{kernel} convolution" if a.family == "vgg" else "fully connected"
        after = [word for word in ("ReLU" if relu else "", f"2x2 {pooling} pooling" if pooling else "") if word]
        layers.append(f"{kind} to {width} channels{''.join(f' and {word}' for word in after)} in {operator_words(operator)}")
    layers.append(f"{a.classes} logits in {operator_words(a.operators[-1])}")
    return "; ".join(layers)


def _grouped_words(a: Architecture) -> str:
    by_operator: dict[Operator, list[int]] = {}
    operators = every_operator(a)
    for i, operator in enumerate(operators):
        by_operator.setdefault(operator, []).append(i)
    if len(by_operator) == 1:
        return f"{channels_words(a)}, all {len(operators)} layers in {operator_words(operators[0])}"
    names = [name for name, _ in by_layer(a)]
    most = max(by_operator, key=lambda operator: len(by_operator[operator]))
    parts = [f"{_listed([names[i] for i in places])} in {operator_words(o)}" for o, places in by_operator.items() if o != most]
    return f"{channels_words(a)}: {'; '.join(parts)}; the other {len(by_operator[most])} layers in {operator_words(most)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{names[0]}, {names[1]} and {len(names) - 2} more layers"


def channels_words(a: Architecture) -> str:
    """A network's sizes, in short: channels of its layers, or its family and what is chosen of it."""
    sizes = "-".join(map(str, a.widths))
    if a.family in FREE:
        return sizes
    return " ".join(word for word in (a.source or a.family, sizes, "" if a.multiplier == 1 else f"x {a.multiplier:g}") if word)


def by_layer(a: Architecture) -> list[tuple[str, Operator]]:
    """Every layer that takes an operator, by name; of a quantised network every layer that computes."""
    if integers(a) is not None:
        return [(layer.name, layer.operator) for layer in workload(a).layers if not layer.unit_weights]
    names = layer_names(a)
    return list(zip(names, a.operators if len(a.operators) > 1 else a.operators * len(names), strict=True))


def every_operator(a: Architecture) -> list[Operator]:
    """The operator of each layer that has one of its own."""
    return [operator for _, operator in by_layer(a)]


def operators_words(a: Architecture) -> str:
    """Operators of a network's layers by name; how many of each where there are many layers."""
    names = [operator.name for operator in every_operator(a)]
    return ", ".join(names) if len(names) <= FEW else ", ".join(f"{n} x {name}" for name, n in Counter(names).most_common())


def accelerator_words(c: AcceleratorConfig) -> str:
    """An accelerator's grid, operators and buffers."""
    names = ", ".join(o.name for o in c.operators)
    return (
        f"{c.rows} x {c.cols} elements of {c.operand_bits}-bit operands ({names}), {c.accumulator_bits}-bit accumulators; "
        f"buffers of {c.activation_words} activation, {c.weight_words} weight, {c.output_words} output words"
    )
