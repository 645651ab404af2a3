"""External memory made of on-chip memory, for boards: the accelerator's memory ports over one array, at the declared interval."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.instructions import ADDRESS_BITS


class BlockMemory(wiring.Component):
    """`depth` words of `width` bits behind the accelerator's memory ports (`MEMORY_PORTS`, seen from the other side).

    A burst gives its first word `interval` cycles after its request and then one every `interval`; writes are taken as often, and the
    two do not disturb each other, as the cycle counts assume. With `single_port` a write takes the array for a cycle and a
    read waits for it: results are the same, cycles may be more. Addresses must lie below `depth`.
    """

    def __init__(self, depth: int, width: int, interval: int, single_port: bool = False) -> None:
        self.depth, self.width, self.interval, self.single_port = depth, width, interval, single_port
        super().__init__(
            {
                "request_valid": In(1),
                "request_ready": Out(1),
                "request_address": In(ADDRESS_BITS),
                "request_length": In(16),
                "data_valid": Out(1),
                "data_ready": In(1),
                "data": Out(width),
                "write_valid": In(1),
                "write_ready": Out(1),
                "write_address": In(ADDRESS_BITS),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write, read = array.write_port(), array.read_port()
        bits = max(1, (self.depth - 1).bit_length())
        address, left = Signal(bits), Signal(16)
        read_wait, write_wait = Signal(range(max(2, self.interval))), Signal(range(max(2, self.interval)))
        begun, taken, written, shown = Signal(), Signal(), Signal(), Signal()
        following = Signal(bits)
        m.d.comb += [
            self.request_ready.eq(left == 0),
            self.data_valid.eq((left != 0) & (read_wait == 0) & shown),
            self.data.eq(read.data),
            self.write_ready.eq(write_wait == 0),
            begun.eq(self.request_valid & self.request_ready),
            taken.eq(self.data_valid & self.data_ready),
            written.eq(self.write_valid & self.write_ready),
            # The array is read in every cycle, at the address that comes next: what it gave last needs no register of its own.
            following.eq(Mux(begun, self.request_address[:bits], Mux(taken, (address + 1)[:bits], address))),
            write.en.eq(written),
            write.data.eq(self.write_data),
        ]
        if self.single_port:
            place = Signal(bits)
            m.d.comb += place.eq(Mux(written, self.write_address[:bits], following))
            m.d.comb += [write.addr.eq(place), read.addr.eq(place), read.en.eq(~written)]
            m.d.sync += shown.eq(~written)
        else:
            m.d.comb += [write.addr.eq(self.write_address[:bits]), read.addr.eq(following), read.en.eq(1), shown.eq(1)]
        m.d.sync += [
            address.eq(following),
            left.eq(Mux(begun, self.request_length, left - taken)),
            read_wait.eq(Mux(begun | taken, self.interval - 1, Mux(read_wait == 0, 0, read_wait - 1))),
            write_wait.eq(Mux(written, self.interval - 1, Mux(write_wait == 0, 0, write_wait - 1))),
        ]
        return m
