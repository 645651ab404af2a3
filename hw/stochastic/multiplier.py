"""Multiplication of uncorrelated streams by one gate a product."""

from typing import Literal

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

StreamCoding = Literal["unipolar", "bipolar", "sign_magnitude"]


class Multiplier(wiring.Component):
    """`inputs` products: AND (unipolar), XNOR (bipolar), or AND of magnitudes with XOR of the signs beside them (sign-magnitude)."""

    def __init__(self, coding: StreamCoding, inputs: int) -> None:
        self.coding = coding
        signs = ("a_signs", "b_signs") if coding == "sign_magnitude" else ()
        ports = {name: In(inputs) for name in ("a", "b", *signs)} | {"product": Out(inputs)}
        super().__init__(ports | ({"signs": Out(inputs)} if signs else {}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.product.eq(~(self.a ^ self.b) if self.coding == "bipolar" else self.a & self.b)
        if self.coding == "sign_magnitude":
            m.d.comb += self.signs.eq(self.a_signs ^ self.b_signs)
        return m
