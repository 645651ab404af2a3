"""Fills the on-chip buffers from external memory: linear loads (weights, parameters, windows) and image loads with padding."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import ACTIVATIONS, ADDRESS_BITS, COUNT_BITS, LINEAR, WINDOW, WINDOW_UNUSED
from gatewright.hw.registers import InstructionRegisters

BURST = {  # one burst: a request, then its words
    "request_valid": Out(1),
    "request_ready": In(1),
    "request_address": Out(ADDRESS_BITS),
    "request_length": Out(16),
    "data_valid": In(1),
    "data_ready": Out(1),
}


class LinearLoader(wiring.Component):
    """Reads `length` words in one burst and deals them to the banks in turn, `last_bank + 1` of them at each buffer address.

    With `halves`, each bank takes two words in a row (a channel's parameters on a 32-bit memory). `done` is high with the last word.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.banks = max(config.rows, config.cols)
        super().__init__(
            {
                "instruction_write": In(1),
                "instruction_index": In(6),
                "data": In(config.operand_bits),
                "start": In(1),
                "halves": In(1),
                "done": Out(1),
                "write": Out(1),
                "bank": Out(max(1, (self.banks - 1).bit_length())),
                "half": Out(1),
                "address": Out(16),
            }
            | BURST
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fields = fields = InstructionRegisters(LINEAR, self.config.operand_bits)
        m.d.comb += [fields.write.eq(self.instruction_write), fields.index.eq(self.instruction_index), fields.data.eq(self.data)]
        requesting, receiving, left = Signal(), Signal(), Signal(16)
        taken = self.data_valid & receiving
        bank_done = Mux(self.halves, self.half, 1)
        m.d.comb += [
            self.request_valid.eq(requesting),
            self.request_address.eq(fields["address"]),
            self.request_length.eq(fields["length"]),
            self.data_ready.eq(receiving),
            self.write.eq(taken),
            self.done.eq(taken & (left == 1)),
        ]
        with m.If(self.start):
            m.d.sync += [requesting.eq(1), left.eq(fields["length"]), self.address.eq(fields["base"]), self.bank.eq(0), self.half.eq(0)]
        with m.If(requesting & self.request_ready):
            m.d.sync += [requesting.eq(0), receiving.eq(1)]
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), self.half.eq(self.halves & ~self.half)]
            with m.If(left == 1):
                m.d.sync += receiving.eq(0)
            with m.If(bank_done):
                m.d.sync += self.bank.eq(self.bank + 1)
                with m.If(self.bank == fields["last_bank"]):
                    m.d.sync += [self.bank.eq(0), self.address.eq(self.address + 1)]
        return m


class ImageLoader(wiring.Component):
    """Walks a padded tile of a feature map (n, y, x, word), one burst for each image row in it, and shows every word to all banks.

    A bank keeps the words in its window, a rectangle of pixels of one image, one after the other from `base` on; windows are set
    by `window_write`. Padding is made here, not read. `done` is high in the last cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address = (config.activation_words - 1).bit_length()
        super().__init__(
            {
                "instruction_write": In(1),
                "instruction_index": In(6),
                "data": In(config.operand_bits),
                "start": In(1),
                "done": Out(1),
                "window_write": In(config.rows),
                "enable": Out(config.rows),
                "address": Out(address).array(config.rows),
                "word": Out(config.operand_bits),
            }
            | BURST
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fields = fields = InstructionRegisters(ACTIVATIONS, self.config.operand_bits)
        m.d.comb += [fields.write.eq(self.instruction_write), fields.index.eq(self.instruction_index), fields.data.eq(self.data)]
        active, requested = Signal(), Signal()
        n, y, x, word = Signal(8), Signal(COUNT_BITS), Signal(COUNT_BITS), Signal(COUNT_BITS)
        image_base, row_address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        inside_y, inside, step = Signal(), Signal(), Signal()
        word_last, x_last, y_last, n_last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            inside_y.eq((y - fields["top"])[:COUNT_BITS] < fields["inside_y"]),
            inside.eq(inside_y & ((x - fields["left"])[:COUNT_BITS] < fields["inside_x"])),
            self.request_valid.eq(active & inside & ~requested),
            self.request_address.eq(row_address),
            self.request_length.eq(fields["row_words"]),
            self.data_ready.eq(active & inside & requested),
            step.eq(active & Mux(inside, requested & self.data_valid, 1)),
            self.word.eq(Mux(inside, self.data, 0)),
            word_last.eq(word == fields["last_word"]),
            x_last.eq(x == fields["last_x"]),
            y_last.eq(y == fields["last_y"]),
            n_last.eq(n == fields["last_n"]),
            self.done.eq(step & word_last & x_last & y_last & n_last),
        ]
        with m.If(self.start):
            m.d.sync += [v.eq(0) for v in (n, y, x, word, requested)]
            m.d.sync += [active.eq(1), image_base.eq(fields["address"]), row_address.eq(fields["address"])]
        with m.If(self.request_valid & self.request_ready):
            m.d.sync += requested.eq(1)
        with m.If(step):
            m.d.sync += word.eq(word + 1)
            with m.If(word_last):
                m.d.sync += [word.eq(0), x.eq(x + 1)]
                with m.If(x_last):
                    m.d.sync += [x.eq(0), y.eq(y + 1), requested.eq(0)]
                    with m.If(inside_y):
                        m.d.sync += row_address.eq(row_address + fields["y_stride"])
                    with m.If(y_last):
                        following = image_base + fields["n_stride"]
                        m.d.sync += [y.eq(0), n.eq(n + 1), image_base.eq(following), row_address.eq(following)]
        with m.If(self.done):
            m.d.sync += active.eq(0)
        for r in range(self.config.rows):
            m.submodules[f"window_{r}"] = window = Window(len(self.address[r]))
            m.d.comb += [
                window.write.eq(self.window_write[r]),
                window.data.eq(self.data[:32]),
                window.start.eq(self.start),
                window.base.eq(fields["base"]),
                window.size_y.eq(fields["window_y"]),
                window.size_x.eq(fields["window_x"]),
                window.step.eq(step),
                window.n.eq(n),
                window.y.eq(y),
                window.x.eq(x),
                self.enable[r].eq(window.enable),
                self.address[r].eq(window.address),
            ]
        return m


class Window(wiring.Component):
    """Which words of the tile one grid row's buffer keeps, a rectangle of pixels of one image, and where the next one goes."""

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "write": In(1),
                "data": In(32),
                "start": In(1),
                "base": In(address_bits),
                "size_y": In(COUNT_BITS),
                "size_x": In(COUNT_BITS),
                "step": In(1),
                "n": In(8),
                "y": In(COUNT_BITS),
                "x": In(COUNT_BITS),
                "enable": Out(1),
                "address": Out(address_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        arriving = WINDOW.decode([self.data])
        of_n, of_y, of_x = Signal(8, init=WINDOW_UNUSED), Signal(COUNT_BITS), Signal(COUNT_BITS)
        with m.If(self.write):
            m.d.sync += [of_n.eq(arriving["n"]), of_y.eq(arriving["y"]), of_x.eq(arriving["x"])]
        inside_y = (self.y - of_y)[:COUNT_BITS] < self.size_y
        inside_x = (self.x - of_x)[:COUNT_BITS] < self.size_x
        m.d.comb += self.enable.eq(self.step & (self.n == of_n) & inside_y & inside_x)
        with m.If(self.start):
            m.d.sync += self.address.eq(self.base)
        with m.Elif(self.enable):
            m.d.sync += self.address.eq(self.address + 1)
        return m
