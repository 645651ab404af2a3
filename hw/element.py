"""The processing element: lane products of each datapath, one accumulator file."""

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.operators import circuit, datapaths


class Element(wiring.Component):
    """Adds the lane sum of the selected datapath to accumulator `index`, or replaces it if `clear`.

    Operand words arrive registered at the edges, one pair per datapath; those of datapaths not in use stand still. With one
    pipeline stage the lane sum is registered, and `select`, `valid`, `clear`, `index` belong to the cycle after the operands.
    `drained` is accumulator `drain_index` if `drain` is high, else zero, so that a column is an OR.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.paths = datapaths(config.operators)
        index = (config.accumulator_depth - 1).bit_length()
        ports: dict[str, object] = {}
        for i, path in enumerate(self.paths):
            activation_bits, weight_bits = circuit(path[0]).encoded_bits(path[0], config.operand_bits)
            ports[f"activation{i}"] = In(activation_bits)
            ports[f"weight{i}"] = In(weight_bits)
        super().__init__(
            ports
            | {
                "sum_enable": In(1),
                "sum_select": In(len(self.paths)),
                "valid": In(1),
                "clear": In(1),
                "index": In(index),
                "drain": In(1),
                "drain_index": In(index),
                "drained": Out(signed(config.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        sums: list[Value] = []
        for i, path in enumerate(self.paths):
            m.submodules[f"lanes{i}"] = lanes = circuit(path[0]).Lanes(path[0], config.operand_bits)
            m.d.comb += [lanes.activation.eq(getattr(self, f"activation{i}")), lanes.weight.eq(getattr(self, f"weight{i}"))]
            sums.append(lanes.sum)
        total = Signal(signed(max(len(s) for s in sums)))
        if len(sums) == 1:
            m.d.comb += total.eq(sums[0])
        for i, value in enumerate(sums if len(sums) > 1 else []):
            with m.If(self.sum_select[i]):
                m.d.comb += total.eq(value)
        if config.pipeline_stages:
            held = Signal.like(total)
            with m.If(self.sum_enable):
                m.d.sync += held.eq(total)
            total = held
        accumulators = Array(Signal(signed(config.accumulator_bits), name=f"accumulator{i}") for i in range(config.accumulator_depth))
        after = Signal(signed(config.accumulator_bits))
        m.d.comb += after.eq(Mux(self.clear, 0, accumulators[self.index]) + total)
        with m.If(self.valid):
            m.d.sync += accumulators[self.index].eq(after)
        m.d.comb += self.drained.eq(accumulators[self.drain_index] & self.drain.replicate(config.accumulator_bits))
        return m
