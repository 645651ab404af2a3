"""On-chip memory: one write port, one synchronous read port. Each instance stays a module of its own, so a flow can put a macro there."""

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class Memory(wiring.Component):
    """`depth` x `width` bits; `write_enable` has one bit per group of `width / groups` bits.

    Read data appear one cycle after `read_enable` and hold until the next read; a read of the word being written gives the old word.
    """

    def __init__(self, depth: int, width: int, groups: int = 1) -> None:
        self.depth, self.width, self.groups = depth, width, groups
        address = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "write_enable": In(groups),
                "write_address": In(address),
                "write_data": In(width),
                "read_enable": In(1),
                "read_address": In(address),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = array.write_port(granularity=self.width // self.groups)
        read = array.read_port()
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
            read.addr.eq(self.read_address),
            read.en.eq(self.read_enable),
            self.read_data.eq(read.data),
        ]
        return m
