"""The edge of one row or column: operand words become what the elements multiply, registered once for the whole row or column."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.datapath import datapaths
from gatewright.hw.operators import circuit
from gatewright.hw.stochastic.numbers import Side


def encoded(config: AcceleratorConfig) -> list[Operator]:
    """The operators whose operand words pass a stream generator at the edge."""
    return [operator for operator in config.operators if hasattr(circuit(operator), "Encoder")]


class Edge(wiring.Component):
    """Registers the operand word of the selected operator, encoded, in that operator's datapath; the others stand still (unless the
    configuration does without isolation).

    `select` has one bit per operator of the configuration; `numbers{i}` are the shared source's numbers for encoded operator i.
    """

    def __init__(self, config: AcceleratorConfig, side: Side) -> None:
        self.config, self.side = config, side
        self.paths = datapaths(config)
        self.encoded = encoded(config)
        ports: dict[str, object] = {"word": In(config.operand_bits), "select": In(len(config.operators))}
        for i, operator in enumerate(self.encoded):
            bits = circuit(operator).number_bits(operator, side)
            ports[f"numbers{i}"] = In(bits * operator.width)
        for i, path in enumerate(self.paths):
            ports[f"operand{i}"] = Out(path.encoded_bits[side == "weight"])
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for i, path in enumerate(self.paths):
            operand = getattr(self, f"operand{i}")
            words = {operator: path.operand(operator, self._word(m, operator), self.side) for operator in path.operators}
            if not self.config.isolation:
                with m.If(self.select.any()):
                    m.d.sync += operand.eq(words[path.operators[0]])
            for operator, word in words.items():
                with m.If(self._selected(operator)):
                    m.d.sync += operand.eq(word)
        return m

    def _selected(self, operator: Operator) -> Value:
        return self.select[self.config.operators.index(operator)]

    def _word(self, m: Module, operator: Operator) -> Value:
        return self._encode(m, operator) if operator in self.encoded else self.word

    def _encode(self, m: Module, operator: Operator) -> Value:
        """The stream bits of a word. The generator's input stands still while another operator is at work."""
        number = self.encoded.index(operator)
        encoder = circuit(operator).Encoder(operator, self.config.operand_bits, self.side)
        m.submodules[f"encoder{number}"] = encoder
        gate = Signal()
        m.d.comb += gate.eq(self._selected(operator) if self.config.isolation else 1)
        numbers = getattr(self, f"numbers{number}")
        bits = len(numbers) // operator.width
        m.d.comb += encoder.word.eq(self.word & gate.replicate(self.config.operand_bits))
        m.d.comb += [encoder.numbers[j].eq(numbers.word_select(j, bits)) for j in range(operator.width)]
        return encoder.encoded
