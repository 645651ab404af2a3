"""Runs a COMPUTE instruction's loops: one pair of buffer reads a cycle, blocks of sums handed to the drain."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import BLOCK_LEVELS, COMPUTE, COUNT_BITS, LEVELS, REDUCTION
from gatewright.hw.loop_nest import LoopNest

BLOCKS_IN_FLIGHT = 2  # one half of the accumulator file fills while the other drains
TOKEN_DELAY = 2  # cycles from a block's last issue to its token, plus the pipeline stages


class Sequencer(wiring.Component):
    """Issues the loops' iterations in order.

    Cycle of issue: buffer addresses. One later: operand words and `edge_*`. Two later: operands registered, `sum_enable`, a bit and
    a cycle for each pipeline stage. Then `accumulate`, `clear`, `index`. `token` says that a block's sums are complete from the next
    cycle on.
    A block may begin only if fewer than two are undrained (`drained` takes one away).
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.step_bits = max(1, (max(o.steps for o in config.operators) - 1).bit_length())
        super().__init__(
            {f"field_{name}": In(bits) for name, (_, _, bits) in COMPUTE.places.items()}
            | {
                "start": In(1),
                "drained": In(1),
                "busy": Out(1),
                "token": Out(1),
                "activation_read": Out(1),
                "activation_address": Out((config.activation_words - 1).bit_length()),
                "weight_read": Out(1),
                "weight_address": Out((config.weight_words - 1).bit_length()),
                "edge_select": Out(len(config.operators)),
                "edge_step": Out(self.step_bits),
                "sum_enable": Out(max(1, config.pipeline_stages)),
                "operator_select": Out(len(config.operators)),
                "accumulate": Out(1),
                "clear": Out(1),
                "index": Out((config.accumulator_depth - 1).bit_length()),
            }
        )

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.nest = nest = LoopNest(LEVELS, COUNT_BITS)
        m.d.comb += [nest.last[i].eq(self[f"last{i}"]) for i in range(LEVELS)]
        running, initialise, fresh_block = Signal(), Signal(), Signal()
        step, pending, half = Signal(self.step_bits), Signal(range(BLOCKS_IN_FLIGHT + 1)), Signal()
        last_step, reduction_first, block_last, issue = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last_step.eq(step == self["last_step"]),
            reduction_first.eq(Cat(*(nest.index[i] for i in REDUCTION), step) == 0),
            block_last.eq(nest.at_last[BLOCK_LEVELS:].all() & last_step),
            issue.eq(running & (~fresh_block | (pending != BLOCKS_IN_FLIGHT))),
            nest.advance.eq(issue & last_step),
        ]
        m.d.sync += initialise.eq(self.start)
        with m.If(initialise):
            m.d.sync += [running.eq(1), fresh_block.eq(1), step.eq(0)]
        with m.If(issue):
            m.d.sync += [step.eq(Mux(last_step, 0, step + 1)), fresh_block.eq(block_last)]
            with m.If(nest.done & last_step):
                m.d.sync += running.eq(0)
            with m.If(block_last & self["drain"]):
                m.d.sync += half.eq(~half)
        begun = issue & fresh_block & self["drain"]
        m.d.sync += pending.eq(pending + begun - self.drained)
        self._addresses(m, nest, initialise, issue, step, last_step)
        in_flight = self._pipeline(m, issue, step, reduction_first, block_last, half, nest)
        m.d.comb += self.busy.eq(running | initialise | in_flight | (pending != 0))
        return m

    def _addresses(self, m: Module, nest: LoopNest, initialise: Signal, issue: Signal, step: Signal, last_step: Signal) -> None:
        """Each buffer's address moves by the delta of the loop that increments; a word already read is not read again."""
        for buffer in ("activation", "weight"):
            address, read = getattr(self, f"{buffer}_address"), getattr(self, f"{buffer}_read")
            current, fresh = Signal.like(address, name=f"{buffer}_current"), Signal(init=1, name=f"{buffer}_fresh")
            delta = Signal(len(address), name=f"{buffer}_delta")
            for i in range(LEVELS):
                with m.If(nest.level[i]):
                    m.d.comb += delta.eq(self[f"{buffer}_delta{i}"])
            m.d.comb += [address.eq(current), read.eq(issue & (step == 0) & fresh)]
            with m.If(initialise):
                m.d.sync += [current.eq(self[f"{buffer}_base"]), fresh.eq(1)]
            with m.If(issue & last_step):
                m.d.sync += [current.eq(current + delta), fresh.eq(delta != 0)]

    def _pipeline(
        self, m: Module, issue: Signal, step: Signal, reduction_first: Signal, block_last: Signal, half: Signal, nest: LoopNest
    ) -> Value:
        """Control that travels beside the operands. Returns whether any does."""
        paths = len(self.config.operators)
        stages = 2 + self.config.pipeline_stages
        selected = Const(1, paths) << self["operator"]
        valid = [issue] + [Signal(name=f"valid{i}") for i in range(1, stages + 1)]
        clear = [reduction_first & ~self["accumulate"]] + [Signal(name=f"clear{i}") for i in range(1, stages + 1)]
        place = nest.index[LEVELS - 1][: max(0, len(self.index) - 1)]
        index = [Cat(half, place)] + [Signal.like(self.index, name=f"index{i}") for i in range(1, stages + 1)]
        token = [issue & block_last & self["drain"]] + [Signal(name=f"token{i}") for i in range(1, stages + 1)]
        for chain in (valid, clear, index, token):
            m.d.sync += [after.eq(before) for before, after in pairwise(chain)]
        edge_step = Signal.like(self.edge_step)
        m.d.sync += edge_step.eq(step)
        m.d.comb += [
            self.edge_select.eq(Mux(valid[1], selected, 0)),
            self.edge_step.eq(edge_step),
            self.operator_select.eq(selected),
            self.sum_enable.eq(Cat(valid[2 : 2 + len(self.sum_enable)])),
            self.accumulate.eq(valid[-1]),
            self.clear.eq(clear[-1]),
            self.index.eq(index[-1]),
            self.token.eq(token[TOKEN_DELAY + self.config.pipeline_stages]),
        ]
        return Cat(valid[1:]).any()
