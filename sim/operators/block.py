"""The circuits that are measured: a grid of one processing element with its edges, or a floating-point unit built alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import Mismatch
from gatewright.hw.grid import Grid
from gatewright.hw.operators.float import MultiplyAccumulate, form
from gatewright.sim.design import Design
from gatewright.sim.operators.operands import Operands

STAGES = 1  # a register between products and accumulator
Stimulus = Mapping[str, NDArray[Any]]


class Register(wiring.Component):
    """An operand, one cycle later."""

    def __init__(self, width: int) -> None:
        super().__init__({"word": In(width), "operand": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.operand.eq(self.word)
        return m


class FloatElement(wiring.Component):
    """A multiply-accumulate unit between operand registers; its blocks have the names of a grid's."""

    def __init__(self, operator: Operator) -> None:
        self.form = form(operator)
        width = self.form.width
        super().__init__({"activation": In(width), "weight": In(width), "valid": In(1), "clear": In(1), "total": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.element_0_0 = element = MultiplyAccumulate(self.form, STAGES)
        for side in ("activation", "weight"):
            m.submodules[f"{side}_edge_0"] = edge = Register(self.form.width)
            m.d.comb += [edge.word.eq(getattr(self, side)), getattr(element, side).eq(edge.operand)]
        m.d.comb += [element.valid.eq(self.valid), element.clear.eq(self.clear), self.total.eq(element.total)]
        return m


@dataclass(frozen=True, eq=False)
class Block:
    """A design, its stimulus [cycles, streams], and `check`, which is given its outputs."""

    operator: Operator
    lanes: int
    design: Design
    stimulus: Stimulus
    output: str
    expected: NDArray[np.int64]  # [cycles, streams], where `valid`
    valid: NDArray[np.bool_]

    @property
    def products_per_cycle(self) -> float:
        return self.lanes / self.operator.steps

    def check(self, outputs: NDArray[Any]) -> None:
        """Raises Mismatch unless the sums are those of the operator's arithmetic."""
        if wrong := int((outputs.astype(np.int64) != self.expected)[self.valid].sum()):
            raise Mismatch(f"{self.operator.name}: the gates differ from the arithmetic in {wrong} of {self.valid.sum()} sums.")


def block(operator: Operator, given: Operands, operand_bits: int) -> Block:
    """An operator's element with its operands; no cycle is idle but those at the start and the end."""
    steps, late = operator.steps, 1 + STAGES  # from an operand at the edge to the accumulator's input
    outputs, length, streams = given.activations.shape
    cycles = outputs * length * steps
    time = np.arange(cycles + late + 1)  # the last sum shows when the pipeline has run empty
    number = np.minimum(time // steps, outputs * length - 1)
    at = np.clip(time - late, 0, None)
    clear = (time >= late) & (at % (length * steps) == 0)
    accumulate = (time >= late) & (at < cycles)
    which = at // (length * steps)  # the output being summed
    words = {side: getattr(given, side).reshape(-1, streams)[number] for side in ("activations", "weights")}
    valid = clear & (which > 0)
    sums = given.sums[np.maximum(which - 1, 0)]
    if operator.kind == "float":
        width = form(operator).width
        stimulus = {"activation": words["activations"], "weight": words["weights"], "valid": accumulate, "clear": clear}
        design, output, lanes = Design.of(FloatElement(operator)), "total", 1
    else:
        config = AcceleratorConfig(rows=1, cols=1, operand_bits=operand_bits, operators=(operator,), pipeline_stages=STAGES)
        width, lanes = config.accumulator_bits, config.lanes(operator)
        design, output = Design.of(Grid(config, max(1, (steps - 1).bit_length()))), "drained__0"
        parity = which % 2
        stimulus = {"activations__0": words["activations"], "weights__0": words["weights"], "edge_step": time % steps}
        stimulus |= {"accumulate": accumulate, "clear": clear, "index": parity, "drain_index": 1 - parity, "drain_row": clear}
        stimulus |= {name: np.ones(len(time)) for name in ("edge_select", "operator_select", "sum_enable")}
    shaped = {
        name: np.ascontiguousarray(np.broadcast_to(values[:, None] if values.ndim == 1 else values, (len(time), streams))).astype(
            np.uint64 if name.startswith(("activation", "weight")) else np.int64
        )
        for name, values in stimulus.items()
    }
    expected = sums & ((1 << width) - 1)
    return Block(operator, lanes, design, shaped, output, expected, np.broadcast_to(valid[:, None], expected.shape))
