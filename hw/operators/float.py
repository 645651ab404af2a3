"""Floating point: a multiply-add and a multiply-accumulate unit, measured as a baseline; no grid has it.

Product and sum are rounded separately, as in a network trained in floating point.
"""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import Operator
from gatewright.hw.floating_point import Adder, Format, Multiplier

OPTIONS: Mapping[str, Any] = {"number_format": None}
EXAMPLES = "fp32, fp16, bf16 (floating point, measured as blocks)"
FORMATS = {"fp32": Format(8, 23), "fp16": Format(5, 10), "bf16": Format(8, 7)}


def name(operator: Operator) -> str:
    return str(operator.number_format)


def named(text: str) -> dict[str, Any] | None:
    """The fields of the operator that `name` calls so, None if it is another kind's."""
    if text not in FORMATS:
        return None
    bits = FORMATS[text].width
    return {"weight_bits": bits, "activation_bits": bits, "activation_signed": True, "number_format": text}


def check(operator: Operator) -> None:
    bits = form(operator).width
    if (operator.weight_bits, operator.activation_bits, operator.activation_signed) != (bits, bits, True):
        raise ValueError(f"{operator.number_format} has weight_bits = activation_bits = {bits}, signed")


def form(operator: Operator) -> Format:
    """The format of operands and sums."""
    return FORMATS[str(operator.number_format)]


class MultiplyAdd(wiring.Component):
    """result = round(round(a * b) + c).

    The result comes `stages` cycles after the operands, one in every cycle: with 1 the product and c are registered between
    multiplier and adder, with 2 the result as well.
    """

    def __init__(self, form: Format, stages: int = 0) -> None:
        self.form, self.stages = form, stages
        super().__init__({"a": In(form.width), "b": In(form.width), "c": In(form.width), "result": Out(form.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = Multiplier(self.form)
        m.submodules.adder = adder = Adder(self.form)
        m.d.comb += [multiplier.a.eq(self.a), multiplier.b.eq(self.b)]
        m.d["sync" if self.stages > 0 else "comb"] += [adder.a.eq(multiplier.product), adder.b.eq(self.c)]
        m.d["sync" if self.stages > 1 else "comb"] += self.result.eq(adder.sum)
        return m


class MultiplyAccumulate(wiring.Component):
    """Adds a product to `total` in every cycle with `valid`; with `clear`, to +0 instead.

    With `stages` 1 the product is registered, and `valid` and `clear` belong to the cycle after the operands.
    """

    def __init__(self, form: Format, stages: int = 1) -> None:
        self.form, self.stages = form, stages
        super().__init__({"activation": In(form.width), "weight": In(form.width), "valid": In(1), "clear": In(1), "total": Out(form.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = Multiplier(self.form)
        m.submodules.adder = adder = Adder(self.form)
        m.d.comb += [multiplier.a.eq(self.activation), multiplier.b.eq(self.weight)]
        product: Value = multiplier.product
        if self.stages:
            product = Signal(self.form.width)
            m.d.sync += product.eq(multiplier.product)
        m.d.comb += [adder.a.eq(product), adder.b.eq(self.total & ~self.clear.replicate(self.form.width))]
        with m.If(self.valid):
            m.d.sync += self.total.eq(adder.sum)
        return m
