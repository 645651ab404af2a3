"""Rows x columns of processing elements between their edges, with the shared number sources of stochastic operators."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Module, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.datapath import datapaths
from gatewright.hw.edge import Edge, encoded
from gatewright.hw.element import Element
from gatewright.hw.operators import circuit
from gatewright.hw.split import mode_of
from gatewright.hw.stochastic.numbers import Side


class Grid(wiring.Component):
    """Row r multiplies activation word r, column c weight word c. `drain_row` (one-hot) and `drain_index` choose what `drained` shows."""

    def __init__(self, config: AcceleratorConfig, step_bits: int) -> None:
        self.config, self.step_bits = config, step_bits
        index = (config.accumulator_depth - 1).bit_length()
        super().__init__(
            {
                "activations": In(config.operand_bits).array(config.rows),
                "weights": In(config.operand_bits).array(config.cols),
                "edge_select": In(len(config.operators)),
                "edge_step": In(step_bits),
                "operator_select": In(len(config.operators)),
                "sum_enable": In(max(1, config.pipeline_stages)),
                "accumulate": In(1),
                "clear": In(1),
                "index": In(index),
                "drain_row": In(config.rows),
                "drain_index": In(index),
                "drained": Out(signed(config.accumulator_bits)).array(config.cols),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        rows = [self._edge(m, "activation", r) for r in range(config.rows)]
        cols = [self._edge(m, "weight", c) for c in range(config.cols)]
        self._sources(m, rows, cols)
        paths = datapaths(config)
        select = Cat(self._selected(path.operators) for path in paths)
        modes = Cat(
            self._selected(operator for operator in path.operators if mode_of(operator) == mode) for path in paths for mode in path.modes
        )
        elements = {}
        for r in range(config.rows):
            for c in range(config.cols):
                m.submodules[f"element_{r}_{c}"] = e = elements[r, c] = Element(config)
                for i in range(len(paths)):
                    m.d.comb += getattr(e, f"activation{i}").eq(getattr(rows[r], f"operand{i}"))
                    m.d.comb += getattr(e, f"weight{i}").eq(getattr(cols[c], f"operand{i}"))
                m.d.comb += [
                    e.sum_select.eq(select),
                    e.sum_enable.eq(self.sum_enable),
                    *([e.mode.eq(modes)] if len(modes) else []),
                    e.valid.eq(self.accumulate),
                    e.clear.eq(self.clear),
                    e.index.eq(self.index),
                    e.drain.eq(self.drain_row[r]),
                    e.drain_index.eq(self.drain_index),
                ]
        for c in range(config.cols):
            value = elements[0, c].drained
            for r in range(1, config.rows):
                value = value | elements[r, c].drained
            m.d.comb += self.drained[c].eq(value)
        return m

    def _selected(self, operators: Iterable[Operator]) -> Value:
        """Whether one of these operators is at work."""
        return Cat(self.operator_select[self.config.operators.index(operator)] for operator in operators).any()

    def _edge(self, m: Module, side: Side, number: int) -> Edge:
        edge = Edge(self.config, side)
        m.submodules[f"{side}_edge_{number}"] = edge
        word = self.activations[number] if side == "activation" else self.weights[number]
        m.d.comb += [edge.word.eq(word), edge.select.eq(self.edge_select)]
        return edge

    def _sources(self, m: Module, rows: list[Edge], cols: list[Edge]) -> None:
        """One source for all rows and one for all columns, per stochastic operator."""
        for i, operator in enumerate(encoded(self.config)):
            selected = self.edge_select[self.config.operators.index(operator)]
            for side, edges in (("activation", rows), ("weight", cols)):
                m.submodules[f"{side}_source_{i}"] = source = circuit(operator).Numbers(operator, side)
                step = self.edge_step & selected.replicate(self.step_bits)
                m.d.comb += [source.step.eq(step), source.advance.eq(selected)]
                for edge in edges:
                    m.d.comb += getattr(edge, f"numbers{i}").eq(Cat(source.numbers))
