"""Writes a tile of results from the output buffer to external memory, word by word, leaving out pixels beyond the image."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import ADDRESS_BITS, BUFFER_BITS, COUNT_BITS, STORE
from gatewright.hw.registers import InstructionRegisters

LOOPS = ("n", "tile_y", "tile_x", "y", "x", "word")
BUFFER_LOOPS = ("row", "y", "x", "word")  # the grid rows lie one after the other in the buffer


class Store(wiring.Component):
    """Waits for the COMPUTE before it to finish (`compute_busy` low), then writes a word a cycle, or as the memory takes them.

    Grid rows are (n, tile_y, tile_x), each with y * x pixels of `last_word + 1` memory words. A tile's last row or column of
    pixels ends at `end_y`, `end_x`, so ragged tiles cost nothing.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "instruction_write": In(1),
                "instruction_index": In(6),
                "data": In(config.operand_bits),
                "start": In(1),
                "compute_busy": In(1),
                "busy": Out(1),
                "read": Out(1),
                "read_address": Out((config.output_words - 1).bit_length()),
                "read_data": In(config.output_bits),
                "write_valid": Out(1),
                "write_ready": In(1),
                "write_address": Out(ADDRESS_BITS),
                "write_data": Out(config.operand_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fields = fields = InstructionRegisters(STORE, self.config.operand_bits)
        m.d.comb += [fields.write.eq(self.instruction_write), fields.index.eq(self.instruction_index), fields.data.eq(self.data)]
        per_row = self.config.output_bits // self.config.operand_bits
        waiting, running, held, finished = Signal(), Signal(), Signal(), Signal()
        issue = running & (~held | self.write_ready)  # a read whenever the word before it is taken
        (place, address), lane = self._walk(m, fields, issue, finished), Signal(range(max(2, per_row)))
        m.d.comb += [
            self.busy.eq(waiting | running | held),
            self.read.eq(issue),
            self.write_valid.eq(held),
            self.write_data.eq(self.read_data.word_select(lane, self.config.operand_bits) if per_row > 1 else self.read_data),
        ]
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.If(waiting & ~self.compute_busy):
            m.d.sync += [waiting.eq(0), running.eq(1)]
        with m.If(issue):
            m.d.sync += [held.eq(1), lane.eq(place), self.write_address.eq(address)]
            with m.If(finished):
                m.d.sync += running.eq(0)
        with m.Elif(self.write_ready):
            m.d.sync += held.eq(0)
        return m

    def _walk(self, m: Module, fields: InstructionRegisters, advance: Signal, finished: Signal) -> tuple[Signal, Signal]:
        """Six loops, each with its base address outside and in the buffer; returns which memory word of the output row is meant, and
        its address outside."""
        per_row = self.config.output_bits // self.config.operand_bits
        lane, fresh = Signal(range(max(2, per_row))), Signal()
        count = {loop: Signal(COUNT_BITS, name=f"count_{loop}") for loop in LOOPS}
        outside = {loop: Signal(ADDRESS_BITS, name=f"address_{loop}") for loop in LOOPS}
        buffer = {loop: Signal(BUFFER_BITS, name=f"buffer_{loop}") for loop in BUFFER_LOOPS}
        origin = {loop: Signal(COUNT_BITS, name=f"origin_{loop}") for loop in ("y", "x")}  # of the grid row's pixels in the tile
        at_end = {loop: count[loop] == fields[f"last_{loop}"] for loop in LOOPS}
        for loop in ("y", "x"):  # a ragged tile ends early
            at_end[loop] |= (origin[loop] + count[loop])[:COUNT_BITS] == fields[f"end_{loop}"]
        m.d.comb += [
            self.read_address.eq(buffer["word"]),
            finished.eq(Cat(at_end.values()).all()),
        ]
        m.d.sync += fresh.eq(self.start)
        with m.If(fresh):
            m.d.sync += [v.eq(0) for v in (*count.values(), *origin.values(), lane)]
            m.d.sync += [v.eq(fields["address"]) for v in outside.values()] + [v.eq(fields["base"]) for v in buffer.values()]
        with m.Elif(advance & ~at_end["word"]):
            m.d.sync += [count["word"].eq(count["word"] + 1), outside["word"].eq(outside["word"] + 1), lane.eq(lane + 1)]
            with m.If(lane == per_row - 1):
                m.d.sync += [lane.eq(0), buffer["word"].eq(buffer["word"] + 1)]
        for i in reversed(range(len(LOOPS) - 1)):
            loop, inner = LOOPS[i], LOOPS[i + 1 :]
            with m.Elif(advance & ~at_end[loop]):
                place = loop if loop in ("y", "x") else "row"
                address = outside[loop] + fields[f"address_{loop}"]
                row = buffer[place] + fields[f"buffer_{place}"]
                m.d.sync += [outside[k].eq(address) for k in (loop, *inner)]
                m.d.sync += [buffer[k].eq(row) for k in BUFFER_LOOPS[BUFFER_LOOPS.index(place) :]]
                m.d.sync += [count[loop].eq(count[loop] + 1), lane.eq(0)] + [count[k].eq(0) for k in inner]
                if loop == "tile_x":
                    m.d.sync += origin["x"].eq(origin["x"] + fields["last_x"] + 1)
                if loop == "tile_y":
                    m.d.sync += [origin["x"].eq(0), origin["y"].eq(origin["y"] + fields["last_y"] + 1)]
                if loop == "n":
                    m.d.sync += [origin["x"].eq(0), origin["y"].eq(0)]
        return lane, outside["word"]
