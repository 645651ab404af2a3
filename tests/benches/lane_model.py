"""Words of lanes and the sums of their products, as docs/hardware.md says, on Python integers."""

from gatewright.hw.config import Operator
from tests.benches.base import packed


def signed(code: int, bits: int) -> int:
    return code - (code >> bits - 1 << bits)


def lanes(word: int, width: int, operand_bits: int) -> list[int]:
    return [word >> i & (1 << width) - 1 for i in range(0, operand_bits, width)]


def product(operator: Operator, activation: int, weight: int) -> int:
    """Of one lane's codes; bits above an operand's own do not matter."""
    a, w = activation & (1 << operator.activation_bits) - 1, weight & (1 << operator.weight_bits) - 1
    if operator.kind == "xnor":
        return int(a == w)
    a = signed(a, operator.activation_bits) if operator.activation_signed else a
    if operator.kind == "binary_weight":
        return a if w else -a
    assert operator.kind == "int", f"no model of {operator.name}"
    return a * signed(w, operator.weight_bits)


def lane_sum(operator: Operator, activation: int, weight: int, operand_bits: int) -> int:
    number = operand_bits // operator.width
    activations = lanes(activation, operator.activation_width, operand_bits)[:number]
    weights = lanes(weight, operator.weight_width, operand_bits)[:number]
    return sum(product(operator, a, w) for a, w in zip(activations, weights, strict=True))


def weight_word(operator: Operator, word: int, operand_bits: int, widest: int) -> int:
    """A weight word as an array of lanes that splits takes it: each weight a signed number that fills its part of a lane of `widest`
    bits, the last part of a lane first."""
    width, bits = operator.width, operator.weight_bits
    codes = [code & (1 << bits) - 1 for code in lanes(word, operator.weight_width, operand_bits)][: operand_bits // width]
    values = codes
    if width > 1:
        values = [2 * code - 1 if operator.kind == "binary_weight" else signed(code, bits) for code in codes]
    per = widest // width
    return packed((value for i in range(0, len(values), per) for value in reversed(values[i : i + per])), width)
