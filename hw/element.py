"""The processing element: lane products of each datapath, one accumulator file."""

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.arithmetic import balanced_sum
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.datapath import datapaths
from gatewright.hw.ranges import range_bits


class Element(wiring.Component):
    """Adds the lane sum of the selected datapath to accumulator `index`, or replaces it if `clear`.

    Operand words arrive registered at the edges, one pair per datapath; those of datapaths not in use stand still. `select` chooses
    the datapath, `mode` what one that splits does. With one pipeline stage the lane sum is registered while `sum_enable` is high; with two,
    the sums of slices of the operands are registered before. `valid`, `clear` and `index` belong to the cycle after the last of these
    (or of the operands). `drained` is accumulator `drain_index` if `drain` is high, else zero, so that a column is an OR.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.paths = datapaths(config)
        index = (config.accumulator_depth - 1).bit_length()
        ports: dict[str, object] = {}
        for i, path in enumerate(self.paths):
            activation_bits, weight_bits = path.encoded_bits
            ports |= {f"activation{i}": In(activation_bits), f"weight{i}": In(weight_bits)}
            if path.modes:
                ports["mode"] = In(len(path.modes))
        super().__init__(
            ports
            | {
                "sum_enable": In(max(1, config.pipeline_stages)),
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
        sums = [self._lane_sum(m, i) for i in range(len(self.paths))]
        total = Signal(signed(max(len(s) for s in sums)))
        if len(sums) == 1:
            m.d.comb += total.eq(sums[0])
        for i, value in enumerate(sums if len(sums) > 1 else []):
            with m.If(self.sum_select[i]):
                m.d.comb += total.eq(value)
        if config.pipeline_stages:
            held = Signal.like(total)
            with m.If(self.sum_enable[-1]):
                m.d.sync += held.eq(total)
            total = held
        accumulators = Array(Signal(signed(config.accumulator_bits), name=f"accumulator{i}") for i in range(config.accumulator_depth))
        after = Signal(signed(config.accumulator_bits))
        m.d.comb += after.eq(Mux(self.clear, 0, accumulators[self.index]) + total)
        with m.If(self.valid):
            m.d.sync += accumulators[self.index].eq(after)
        m.d.comb += self.drained.eq(accumulators[self.drain_index] & self.drain.replicate(config.accumulator_bits))
        return m

    def _lane_sum(self, m: Module, i: int) -> Value:
        """The sum of a datapath's lanes; with two pipeline stages, of its slices' registered sums."""
        path, deep = self.paths[i], self.config.pipeline_stages == 2
        low, high = path.sum_range()
        slices = path.slices if deep else 1
        parts: list[Value] = []
        for k in range(slices):
            lanes = path.lanes(slices)
            m.submodules[f"lanes{i}_{k}" if slices > 1 else f"lanes{i}"] = lanes
            m.d.comb += lanes.activation.eq(getattr(self, f"activation{i}").word_select(k, len(lanes.activation)))
            m.d.comb += lanes.weight.eq(getattr(self, f"weight{i}").word_select(k, len(lanes.weight)))
            if path.modes:
                m.d.comb += lanes.mode.eq(self.mode)
            parts.append(lanes.sum)
            if deep:
                held = Signal.like(lanes.sum, name=f"slice{i}_{k}")
                with m.If(self.sum_enable[0] & (self.sum_select[i] if self.config.isolation else 1)):
                    m.d.sync += held.eq(lanes.sum)
                parts[-1] = held
        total = Signal(signed(range_bits(low, high)), name=f"sum{i}")
        m.d.comb += total.eq(balanced_sum(parts))
        return total
