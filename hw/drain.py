"""Empties finished accumulators, one row of the grid a cycle, into post-processing, and says where each result goes."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import BLOCK_LEVELS, BUFFER_BITS, COMPUTE, COUNT_BITS, LEVELS, OutputMode
from gatewright.hw.loop_nest import LoopNest

RAW_PLANES = 4  # bytes of a raw result
FIELDS = (
    "mode",
    "last_row",
    "output_base",
    "parameter_base",
    "output_stride_a",
    "parameter_stride_a",
    "output_stride_row",
    *(f"last{i}" for i in (*range(BLOCK_LEVELS), LEVELS - 1)),
    *(f"output_delta{i}" for i in range(BLOCK_LEVELS)),
    *(f"parameter_delta{i}" for i in range(BLOCK_LEVELS)),
)


class Drain(wiring.Component):
    """For every block whose `token` has come: accumulators, then rows, then byte planes, one beat a cycle.

    In a beat `row` selects the grid row, `index` the accumulator; `parameter_read` asks for the channels' parameters one cycle
    ahead of their use. `address` is where the beat's results go, counted in groups of `cols` bits of the output buffer.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.address_bits = (config.output_words * config.output_bits // config.cols - 1).bit_length()
        super().__init__(
            {f"field_{name}": In(COMPUTE.places[name][2]) for name in FIELDS}
            | {
                "initialise": In(1),
                "token": In(1),
                "drained": Out(1),
                "beat": Out(1),
                "row": Out(config.rows),
                "row_index": Out(max(1, (config.rows - 1).bit_length())),
                "index": Out((config.accumulator_depth - 1).bit_length()),
                "plane": Out(2),
                "pool_first": Out(1),
                "pool_last": Out(1),
                "address": Out(self.address_bits),
                "parameter_read": Out(1),
                "parameter_address": Out((config.parameter_words - 1).bit_length()),
            }
        )

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.blocks = blocks = LoopNest(BLOCK_LEVELS, COUNT_BITS)
        m.d.comb += [blocks.last[i].eq(self[f"last{i}"]) for i in range(BLOCK_LEVELS)]
        tokens, half = Signal(2), Signal()
        a, row, plane = Signal(max(1, len(self.index) - 1)), Signal.like(self.row_index), Signal(2)
        plane_last, row_last, a_last = Signal(), Signal(), Signal()
        m.d.comb += [
            self.beat.eq(tokens != 0),
            plane_last.eq((self["mode"] != OutputMode.RAW) | (plane == RAW_PLANES - 1)),
            row_last.eq(row == self["last_row"]),
            a_last.eq(a == self[f"last{LEVELS - 1}"]),
            self.drained.eq(self.beat & plane_last & row_last & a_last),
            self.row.eq(1 << row),
            self.row_index.eq(row),
            self.index.eq(Cat(half, a[: len(self.index) - 1])),
            self.plane.eq(plane),
            self.pool_first.eq((blocks.index[BLOCK_LEVELS - 2] == 0) & (blocks.index[BLOCK_LEVELS - 1] == 0)),
            self.pool_last.eq(blocks.at_last[BLOCK_LEVELS - 2 :].all()),
            self.parameter_read.eq(self.beat & (row == 0) & (plane == 0)),
            blocks.advance.eq(self.drained),
        ]
        m.d.sync += tokens.eq(tokens + self.token - self.drained)
        with m.If(self.beat):
            m.d.sync += plane.eq(Mux(plane_last, 0, plane + 1))
            with m.If(plane_last):
                m.d.sync += row.eq(Mux(row_last, 0, row + 1))
                with m.If(row_last):
                    m.d.sync += a.eq(Mux(a_last, 0, a + 1))
        with m.If(self.drained):
            m.d.sync += half.eq(~half)
        self._addresses(m, blocks, plane_last, row_last)
        return m

    def _addresses(self, m: Module, blocks: LoopNest, plane_last: Signal, row_last: Signal) -> None:
        """Output and parameter addresses: a base for the block, for the accumulator in it, for the row in that."""
        bits, parameter_bits = len(self.address), len(self.parameter_address)
        block, of_a, of_row, current = (Signal(bits, name=name) for name in ("block", "of_a", "of_row", "current"))
        parameter_block, parameter = Signal(parameter_bits), Signal(parameter_bits)
        output_delta, parameter_delta = Signal(BUFFER_BITS), Signal(BUFFER_BITS)
        for i in range(BLOCK_LEVELS):
            with m.If(blocks.level[i]):
                m.d.comb += [output_delta.eq(self[f"output_delta{i}"]), parameter_delta.eq(self[f"parameter_delta{i}"])]
        m.d.comb += [self.address.eq(current), self.parameter_address.eq(parameter)]
        with m.If(self.beat):
            m.d.sync += current.eq(current + 8)  # a byte plane is eight groups of `cols` bits
            with m.If(plane_last):
                m.d.sync += [x.eq(of_row + self["output_stride_row"]) for x in (of_row, current)]
                with m.If(row_last):
                    m.d.sync += [x.eq(of_a + self["output_stride_a"]) for x in (of_a, of_row, current)]
                    m.d.sync += parameter.eq(parameter + self["parameter_stride_a"])
        with m.If(self.drained):
            m.d.sync += [x.eq(block + output_delta) for x in (block, of_a, of_row, current)]
            m.d.sync += [x.eq(parameter_block + parameter_delta) for x in (parameter_block, parameter)]
        with m.If(self.initialise):
            m.d.sync += [x.eq(self["output_base"]) for x in (block, of_a, of_row, current)]
            m.d.sync += [x.eq(self["parameter_base"]) for x in (parameter_block, parameter)]
