"""What a board's chip holds: a serial port, the host link, the accelerator and its external memory in on-chip memory."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.accelerator import MEMORY_PORTS
from gatewright.hw.block_memory import BlockMemory
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.link import Link
from gatewright.hw.system import System
from gatewright.hw.uart import UartReceiver, UartTransmitter


class Board(wiring.Component):
    """An accelerator behind the two wires of a serial port, `divisor` clock cycles a bit, with `memory_words` of external memory.

    `busy` is high while the link executes or answers.
    """

    def __init__(self, config: AcceleratorConfig, memory_words: int, divisor: int, single_port: bool = False) -> None:
        self.config, self.memory_words, self.divisor, self.single_port = config, memory_words, divisor, single_port
        super().__init__({"rx": In(1), "tx": Out(1, init=1), "busy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.operand_bits
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.submodules.link = link = Link(bits, self.memory_words, int(self.config.content_hash, 16))
        m.submodules.system = system = System(self.config)
        m.submodules.external = external = BlockMemory(self.memory_words, bits, self.config.memory_interval, self.single_port)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.rx_data.eq(receiver.data),
            link.rx_valid.eq(receiver.valid),
            transmitter.data.eq(link.tx_data),
            transmitter.valid.eq(link.tx_valid),
            link.tx_ready.eq(transmitter.ready),
            system.in_valid.eq(link.in_valid),
            system.in_data.eq(link.in_data),
            link.in_ready.eq(system.in_ready),
            link.out_valid.eq(system.out_valid),
            link.out_data.eq(system.out_data),
            system.out_ready.eq(link.out_ready),
            self.busy.eq(link.busy | ~transmitter.ready),
        ]
        for name, port in (MEMORY_PORTS | {"data": In(bits), "write_data": Out(bits)}).items():
            ours, theirs = getattr(system, name), getattr(external, name)
            m.d.comb += theirs.eq(ours) if port.flow == Out else ours.eq(theirs)
        return m
