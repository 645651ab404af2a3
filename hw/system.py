"""The accelerator behind a stream of words: the host writes memory, runs the program and reads memory by command.

A command is two 32-bit words (one memory word of 64 bits, or two of 32): operation in bits 0..1 and length in bits 8..23 of the
first, address in the second. WRITE (1) is followed by `length` words. RUN (2) starts the program at the address, whose
first instruction has `length` words, and answers with one word, the cycles it took. READ (3) answers with `length` words.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.accelerator import MEMORY_PORTS, Accelerator
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import ADDRESS_BITS, Layout

COMMAND = Layout.pack([("operation", 8), ("length", 16), ("spare", 8), ("address", ADDRESS_BITS)])
WRITE, RUN, READ = 1, 2, 3
CYCLE_BITS = 32


class System(wiring.Component):
    """Host port (`in_*` and `out_*`, valid/ready streams of memory words) and accelerator, sharing one external memory."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        word = config.operand_bits
        super().__init__(
            MEMORY_PORTS
            | {
                "data": In(word),
                "write_data": Out(word),
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_data": In(word),
                "out_valid": Out(1),
                "out_ready": In(1),
                "out_data": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = core = Accelerator(self.config)
        operation, address, left, cycles = Signal(2), Signal(ADDRESS_BITS), Signal(16), Signal(CYCLE_BITS)
        for name in MEMORY_PORTS:
            if name in ("request_ready", "data_valid", "write_ready"):
                m.d.comb += getattr(core, name).eq(getattr(self, name))
            else:
                m.d.comb += getattr(self, name).eq(getattr(core, name))
        m.d.comb += [core.data.eq(self.data), self.write_data.eq(core.write_data), core.entry.eq(address), core.entry_words.eq(left)]
        wide = self.config.operand_bits == 64
        with m.FSM():
            with m.State("command"):
                m.d.comb += self.in_ready.eq(1)
                m.d.sync += [operation.eq(self.in_data[:2]), left.eq(self.in_data[8:24])]
                with m.If(self.in_valid):
                    m.next = "address"
                    if wide:
                        m.d.sync += address.eq(self.in_data[32 : 32 + ADDRESS_BITS])
                        self._decide(m, self.in_data[:2])
            with m.State("address"):
                m.d.comb += self.in_ready.eq(not wide)
                m.d.sync += address.eq(self.in_data[:ADDRESS_BITS])
                with m.If(self.in_valid):
                    self._decide(m, operation)
            with m.State("write"):
                m.d.comb += [
                    self.write_valid.eq(self.in_valid),
                    self.in_ready.eq(self.write_ready),
                    self.write_address.eq(address),
                    self.write_data.eq(self.in_data),
                ]
                with m.If(self.in_valid & self.write_ready):
                    m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "command"
            with m.State("run"):
                m.d.comb += core.start.eq(1)
                m.d.sync += cycles.eq(0)
                m.next = "running"
            with m.State("running"):
                m.d.sync += cycles.eq(cycles + 1)
                with m.If(~core.busy):
                    m.next = "report"
            with m.State("report"):
                m.d.comb += [self.out_valid.eq(1), self.out_data.eq(cycles)]
                with m.If(self.out_ready):
                    m.next = "command"
            with m.State("request"):
                m.d.comb += [self.request_valid.eq(1), self.request_address.eq(address), self.request_length.eq(left)]
                with m.If(self.request_ready):
                    m.next = "read"
            with m.State("read"):
                m.d.comb += [self.out_valid.eq(self.data_valid), self.data_ready.eq(self.out_ready), self.out_data.eq(self.data)]
                with m.If(self.data_valid & self.out_ready):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "command"
        return m

    def _decide(self, m: Module, operation: object) -> None:
        with m.Switch(operation):
            with m.Case(WRITE):
                m.next = "write"
            with m.Case(RUN):
                m.next = "run"
            with m.Case(READ):
                m.next = "request"
            with m.Default():
                m.next = "command"
