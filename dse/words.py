"""Networks and accelerators in words."""

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sw.models import Architecture


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
    """A network's layers in order, each with its operator."""
    layers = []
    for i, (width, operator) in enumerate(zip(a.widths, a.operators, strict=False)):
        kind = "3x3 convolution" if a.family == "vgg" else "fully connected"
        pool = f" and 2x2 {a.pooling} pooling" if i in a.pool_after else ""
        layers.append(f"{kind} to {width} channels{pool} in {operator_words(operator)}")
    layers.append(f"{a.classes} logits in {operator_words(a.operators[-1])}")
    return "; ".join(layers)


def accelerator_words(c: AcceleratorConfig) -> str:
    """An accelerator's grid, operators and buffers."""
    names = ", ".join(o.name for o in c.operators)
    return (
        f"{c.rows} x {c.cols} elements of {c.operand_bits}-bit operands ({names}), {c.accumulator_bits}-bit accumulators; "
        f"buffers of {c.activation_words} activation, {c.weight_words} weight, {c.output_words} output words"
    )
