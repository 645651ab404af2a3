"""Post-processing of all columns at once, and packing of their results into the output buffer's rows."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.channel import FIELDS as CHANNEL_FIELDS
from gatewright.hw.channel import SCALE_BITS, Channel
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import COMPUTE

LATENCY = 4  # cycles from a drain beat to the write into the output buffer
FIELDS = ("container", *CHANNEL_FIELDS)


class Post(wiring.Component):
    """Takes the drained row in its beat, one row a cycle, and never stalls: a channel for each column, then packing and writing."""

    def __init__(self, config: AcceleratorConfig, address_bits: int) -> None:
        self.config = config
        self.groups = config.output_bits // config.cols
        self.address_bits = address_bits
        super().__init__(
            {f"field_{name}": In(COMPUTE.places[name][2]) for name in FIELDS}
            | {
                "beat": In(1),
                "plane": In(2),
                "row_index": In(max(1, (config.rows - 1).bit_length())),
                "pool_first": In(1),
                "pool_last": In(1),
                "address": In(address_bits),
                "accumulators": In(signed(config.accumulator_bits)).array(config.cols),
                "bias": In(config.accumulator_bits * config.cols),
                "scale": In(SCALE_BITS * config.cols),
                "busy": Out(1),
                "write_enable": Out(self.groups),
                "write_address": Out(address_bits - (self.groups - 1).bit_length()),
                "write_data": Out(config.output_bits),
            }
        )

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = [self.beat, *(Signal(name=f"beat{i}") for i in range(1, LATENCY + 1))]
        travelling = Cat(self.address, self.plane, self.row_index, self.pool_first, self.pool_last)
        along = [travelling, *(Signal(len(travelling), name=f"along{i}") for i in range(1, LATENCY + 1))]
        for before, after in pairwise(beat):
            m.d.sync += after.eq(before)
        for i, (before, after) in enumerate(pairwise(along)):
            with m.If(beat[i]):
                m.d.sync += after.eq(before)
        m.d.comb += self.busy.eq(Cat(beat[1:]).any())
        split, last = len(self.address) + 2, along[LATENCY]
        final = last[-1]
        results = []
        for c in range(self.config.cols):
            m.submodules[f"channel_{c}"] = channel = Channel(self.config)
            m.d.comb += [channel[name].eq(self[name]) for name in CHANNEL_FIELDS]
            m.d.comb += [
                channel.beat.eq(Cat(beat)),
                channel.plane.eq(along[3][len(self.address) : split]),
                channel.row.eq(last[split : split + len(self.row_index)]),
                channel.first.eq(last[-2]),
                channel.last.eq(final),
                channel.accumulator.eq(self.accumulators[c]),
                channel.bias.eq(self.bias.word_select(c, self.config.accumulator_bits).as_signed()),
                channel.scale.eq(self.scale.word_select(c, SCALE_BITS)),
            ]
            results.append(channel.result)
        self._write(m, results, last[: len(self.address)], beat[LATENCY] & (final if self.config.pooling else 1))
        return m

    def _write(self, m: Module, results: list[Value], address: Value, write: Value) -> None:
        """Pack the results into their groups of an output row; the first write of a row clears the rest of it."""
        cols, total = self.config.cols, self.config.output_bits
        place = address[: (self.groups - 1).bit_length()]
        pattern, mask, low_part = Signal(total), Signal(self.groups), Signal(total)
        with m.Switch(self["container"]):
            for code in range(4):
                bits = 1 << code
                packed = Cat(*(result[:bits] for result in results))
                with m.Case(code):
                    m.d.comb += [
                        pattern.eq(packed.replicate(total // (cols * bits))),
                        low_part.eq(packed),
                        mask.eq(((1 << bits) - 1) << place),
                    ]
        m.d.comb += [
            self.write_address.eq(address[len(place) :]),
            self.write_data.eq(Mux(place == 0, low_part, pattern)),
            self.write_enable.eq(Mux(place == 0, ~0, mask) & write.replicate(self.groups)),
        ]
