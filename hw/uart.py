"""A serial port: bytes of eight bits, no parity, one stop bit, lowest bit first."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

DIVISOR_MIN = 4  # clock cycles of a bit: fewer leave no middle to sample


class UartReceiver(wiring.Component):
    """`valid` for a cycle with each byte that ends in a stop bit; others are dropped. A bit takes `divisor` cycles, at least 4."""

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, line = Signal(init=1), Signal(init=1)  # two registers, since the line does not follow our clock
        timer, number = Signal(range(self.divisor)), Signal(range(8))
        due = timer == 0
        m.d.sync += [first.eq(self.rx), line.eq(first), timer.eq(Mux(due, self.divisor - 1, timer - 1))]
        with m.FSM():
            with m.State("idle"):
                with m.If(~line):
                    m.d.sync += timer.eq(self.divisor // 2 - 1)
                    m.next = "start"
            with m.State("start"):
                with m.If(due):
                    m.d.sync += number.eq(0)
                    m.next = "data"
                    with m.If(line):  # a spike, not a start bit
                        m.next = "idle"
            with m.State("data"):
                with m.If(due):
                    m.d.sync += [self.data.eq(Cat(self.data[1:], line)), number.eq(number + 1)]
                    with m.If(number == 7):
                        m.next = "stop"
            with m.State("stop"):
                with m.If(due):
                    m.d.comb += self.valid.eq(line)
                    m.next = "idle"
                    with m.If(~line):
                        m.next = "break"
            with m.State("break"):
                with m.If(line):
                    m.next = "idle"
        return m


class UartTransmitter(wiring.Component):
    """Sends `data` when `valid` and `ready`; the line is high between bytes."""

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"tx": Out(1, init=1), "data": In(8), "valid": In(1), "ready": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = Signal(10, init=(1 << 10) - 1)  # the start bit and the byte, ones behind them
        left, timer = Signal(range(11)), Signal(range(self.divisor))
        m.d.comb += [self.tx.eq(bits[0]), self.ready.eq(left == 0)]
        with m.If(self.ready):
            with m.If(self.valid):
                m.d.sync += [bits.eq(Cat(0, self.data, 1)), left.eq(10), timer.eq(self.divisor - 1)]
        with m.Elif(timer == 0):
            m.d.sync += [bits.eq(Cat(bits[1:], 1)), left.eq(left - 1), timer.eq(self.divisor - 1)]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m
