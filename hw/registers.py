"""An engine's instruction, written word by word as it is fetched."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.instructions import Layout


class InstructionRegisters(wiring.Component):
    """Holds one instruction of `layout`. `write` stores memory word number `index` (the header not counted) from `data`."""

    def __init__(self, layout: Layout, operand_bits: int) -> None:
        self.layout, self.operand_bits = layout, operand_bits
        super().__init__(
            {"write": In(1), "index": In(6), "data": In(operand_bits)}
            | {f"field_{name}": Out(bits) for name, (_, _, bits) in layout.places.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = [Signal(32, name=f"word{i}") for i in range(self.layout.words)]
        per = self.operand_bits // 32
        for i, word in enumerate(words):
            with m.If(self.write & (self.index == i // per)):
                m.d.sync += word.eq(self.data.word_select(i % per, 32))
        for name, value in self.layout.decode(words).items():
            m.d.comb += getattr(self, f"field_{name}").eq(value)
        return m

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field
