"""Fetches the program, runs its loads one after the other, hands COMPUTE and STORE to their engines as these fall idle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import ADDRESS_BITS, HEADER, Opcode
from gatewright.hw.loader import BURST

LINEAR_LOADS = (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS, Opcode.LOAD_WINDOWS)


class Fetch(wiring.Component):
    """For each instruction: request (1 cycle), header, fields, and for a load: wait (1 cycle or until its condition), then the load.

    The fields of COMPUTE and STORE are held back until their engine is idle, so an engine never sees its instruction change.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "entry": In(ADDRESS_BITS),
                "entry_words": In(6),
                "busy": Out(1),
                "data": In(config.operand_bits),
                "compute_busy": In(1),
                "store_busy": In(1),
                "load_done": In(1),
                "fetching": Out(1),
                "opcode": Out(3),
                "instruction_write": Out(1),
                "instruction_index": Out(6),
                "dispatch": Out(1),
            }
            | BURST
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address, words, next_words, index = Signal(ADDRESS_BITS), Signal(6), Signal(6), Signal(6)
        wait_store, wait_compute, engine_busy = Signal(), Signal(), Signal()
        header = HEADER.decode([self.data[:32]])
        taken = self.data_valid & self.data_ready
        m.d.comb += [
            self.busy.eq(1),
            self.request_address.eq(address),
            self.request_length.eq(words),
            self.instruction_index.eq(index),
            engine_busy.eq(Mux(self.opcode == Opcode.COMPUTE, self.compute_busy, 0) | Mux(self.opcode == Opcode.STORE, self.store_busy, 0)),
        ]
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [address.eq(self.entry), words.eq(self.entry_words)]
                with m.If(self.start):
                    m.next = "request"
            with m.State("request"):
                m.d.comb += [self.request_valid.eq(1), self.fetching.eq(1)]
                with m.If(self.request_ready):
                    m.next = "header"
            with m.State("header"):
                m.d.comb += [self.data_ready.eq(1), self.fetching.eq(1)]
                with m.If(taken):
                    m.d.sync += [
                        self.opcode.eq(header["opcode"]),
                        next_words.eq(header["next_words"]),
                        wait_store.eq(header["wait_store"]),
                        wait_compute.eq(header["wait_compute"]),
                        index.eq(0),
                    ]
                    m.next = "fields"
                    with m.If(header["opcode"] == Opcode.END):
                        m.next = "end"
            with m.State("fields"):
                m.d.comb += [self.data_ready.eq(~engine_busy), self.instruction_write.eq(taken), self.fetching.eq(1)]
                with m.If(taken):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == words - 2):
                        m.d.sync += [address.eq(address + words), words.eq(next_words)]
                        m.next = "wait"
                        with m.If((self.opcode == Opcode.COMPUTE) | (self.opcode == Opcode.STORE)):
                            m.d.comb += self.dispatch.eq(1)
                            m.next = "request"
            with m.State("wait"):
                with m.If(~(wait_store & self.store_busy) & ~(wait_compute & self.compute_busy)):
                    m.d.comb += self.dispatch.eq(1)
                    m.next = "load"
            with m.State("load"):
                with m.If(self.load_done):
                    m.next = "request"
            with m.State("end"):
                with m.If(~self.compute_busy & ~self.store_busy):
                    m.next = "idle"
        return m
