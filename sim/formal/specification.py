"""What one lane of each operator is to compute, in plain Verilog, from docs/hardware.md and the papers, without a look at the circuits."""

from collections.abc import Callable
from dataclasses import dataclass

from gatewright.hw.config import Operator


@dataclass(frozen=True)
class Product:
    """A lane's product as a Verilog expression of the signed `a` and `w` (and their bits `a_bits`, `w_bits`).

    `legal` says which operands a network can hold.
    """

    expression: str
    activation_bits: int
    weight_bits: int
    activation_signed: bool = False
    legal: str = "1'b1"

    def verilog(self, sum_bits: int) -> str:
        """A module `step`: `sum` is `before` with the product of these operands in place of that of zeros."""
        sign = "" if self.activation_signed else "1'b0, "
        ports = f"input [{self.activation_bits - 1}:0] a_bits, input [{self.weight_bits - 1}:0] w_bits"
        return "\n".join(
            [
                f"module product({ports}, output signed [31:0] value);",
                f"  wire signed [31:0] a = $signed({{{sign}a_bits}});",
                "  wire signed [31:0] w = $signed(w_bits);",
                f"  assign value = {self.expression};",
                "endmodule",
                f"module step({ports}, input signed [{sum_bits - 1}:0] before, output signed [{sum_bits - 1}:0] sum, output legal);",
                "  wire signed [31:0] given, zeros;",
                "  product one(.a_bits(a_bits), .w_bits(w_bits), .value(given));",
                f"  product other(.a_bits({self.activation_bits}'d0), .w_bits({self.weight_bits}'d0), .value(zeros));",
                "  assign sum = before + given - zeros;",
                f"  assign legal = {self.legal};",
                "endmodule",
            ]
        )


def _int(operator: Operator) -> tuple[str, str]:
    return "a * w", "1'b1"


def _binary_weight(operator: Operator) -> tuple[str, str]:
    return "w_bits ? a : -a", "1'b1"


def _xnor(operator: Operator) -> tuple[str, str]:
    return "a_bits == w_bits ? 1 : 0", "1'b1"


def _shift(operator: Operator) -> tuple[str, str]:
    """The sign on top, the exponent below."""
    sign, exponent = f"w_bits[{operator.weight_bits - 1}]", f"w_bits[{operator.weight_bits - 2}:0]"
    return f"{sign} ? -(a <<< {exponent}) : a <<< {exponent}", f"{exponent} < {operator.exponents}"


def _multiplication_free(operator: Operator) -> tuple[str, str]:
    """a sgn(w) + sgn(a) w, or the same of magnitudes."""
    sign = {x: f"({x} < 0 ? -1 : {x} > 0 ? 1 : {operator.zero_sign})" for x in "aw"}
    size = {x: x if operator.variant == "l1" else f"({x} < 0 ? -{x} : {x})" for x in "aw"}
    return f"{size['a']} * {sign['w']} + {sign['a']} * {size['w']}", "1'b1"


PRODUCTS: dict[str, Callable[[Operator], tuple[str, str]]] = {
    "int": _int,
    "binary_weight": _binary_weight,
    "xnor": _xnor,
    "shift": _shift,
    "multiplication_free": _multiplication_free,
}


def product(operator: Operator) -> Product:
    """The product of an operator whose kind is in PRODUCTS."""
    expression, legal = PRODUCTS[operator.kind](operator)
    return Product(expression, operator.activation_bits, operator.weight_bits, operator.activation_signed, legal)


def signed_pulses(width: int) -> Product:
    """A lane of sign-magnitude streams: the number of coinciding pulses, taken away where the weight's top bit, its sign, is set."""
    count = " + ".join(f"(a_bits[{i}] & w_bits[{i}])" for i in range(width))
    return Product(f"w_bits[{width}] ? -({count}) : {count}", width, width + 1)
