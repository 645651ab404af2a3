"""The host link: frames of bytes, each with session, sequence number and CRC-32, become commands of the host stream, once each.

docs/boards.md has the protocol. Nothing of a frame is executed before its CRC is checked, a repeated frame is answered from
memory, and a frame that is neither the last one nor the next is refused. So whatever the line does to the bytes, memory and
answers are those of the host's frames in their order, or there is no answer.
"""

from enum import IntEnum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.frames import BUFFER_BYTES, FrameReceiver, FrameSender
from gatewright.hw.memory import Memory

VERSION = 1
IDENTITY_BYTES = 16


class Kind(IntEnum):
    """What a request asks for."""

    HELLO = 1  # begin this session, and say who you are
    COMMAND = 2  # words for the host stream, and how many words to answer with


class Status(IntEnum):
    """What an answer says."""

    DONE = 0
    IDENTITY = 1
    DAMAGED = 2  # a frame's CRC or length was wrong
    NO_SESSION = 3  # the frame's session is not this one
    OUT_OF_ORDER = 4  # the frame's sequence number is neither the last nor the next


def buffer_words(operand_bits: int) -> int:
    """Words that one frame carries at most."""
    return BUFFER_BYTES * 8 // operand_bits


class Link(wiring.Component):
    """Bytes from and to the line (`rx_*`: one cycle each; `tx_*`: valid and ready), commands to and answers from the host stream.

    `identity` is 64 bits that name what is behind the link, `memory_words` the size of its memory; both are in the answer to HELLO.
    `busy` is low while nothing happens before the next byte arrives.
    """

    def __init__(self, operand_bits: int, memory_words: int, identity: int) -> None:
        self.operand_bits, self.memory_words, self.identity = operand_bits, memory_words, identity
        super().__init__(
            {
                "rx_data": In(8),
                "rx_valid": In(1),
                "tx_data": Out(8),
                "tx_valid": Out(1),
                "tx_ready": In(1),
                "in_valid": Out(1),
                "in_ready": In(1),
                "in_data": Out(operand_bits),
                "out_valid": In(1),
                "out_ready": Out(1),
                "out_data": In(operand_bits),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, word_bytes, limit = self.operand_bits, self.operand_bits // 8, buffer_words(self.operand_bits)
        m.submodules.request = request = Memory(BUFFER_BYTES, 8)
        m.submodules.answer = answer = Memory(BUFFER_BYTES, 8)
        m.submodules.receiver = receiver = FrameReceiver(word_bytes)
        m.submodules.sender = sender = FrameSender(word_bytes)
        session, last = Signal(32), Signal(16)
        answered = Signal(range(limit + 1))  # words of the answer to the last command
        word, index, left = Signal(bits), Signal(range(BUFFER_BYTES)), Signal(range(limit + 1))
        at_edge = index[: (word_bytes - 1).bit_length()] == word_bytes - 1
        me = Cat(Const(VERSION, 8), Const(bits, 8), Const(limit, 8), Const(0, 8), Const(self.memory_words, 32), Const(self.identity, 64))
        m.d.comb += [
            receiver.data.eq(self.rx_data),
            receiver.valid.eq(self.rx_valid),
            request.write_enable.eq(receiver.write),
            request.write_address.eq(receiver.place),
            request.write_data.eq(receiver.byte),
            request.read_address.eq(index),
            answer.write_address.eq(index),
            answer.write_data.eq(word[:8]),
            answer.read_address.eq(sender.place),
            answer.read_enable.eq(sender.read),
            sender.byte.eq(Mux(sender.status == Status.IDENTITY, me.word_select(sender.place[:4], 8), answer.read_data)),
            sender.head.eq(Cat(session, last)),
            self.tx_data.eq(sender.data),
            self.tx_valid.eq(sender.valid),
            sender.ready.eq(self.tx_ready),
            self.in_data.eq(word),
        ]
        damaged = Signal()
        with m.If(receiver.damaged):
            m.d.sync += damaged.eq(1)

        def respond(status: Status, words: Value | int = 0) -> None:
            m.d.comb += [sender.start.eq(1), sender.new_status.eq(status), sender.new_words.eq(words)]
            m.next = "respond"

        with m.FSM() as states:
            with m.State("listen"):
                m.d.comb += receiver.listen.eq(1)
                m.d.sync += index.eq(0)
                with m.If(receiver.complete):
                    m.next = "decide"
                with m.Elif(damaged & sender.idle):  # the sender says so while the receiver goes on
                    m.d.comb += [sender.start.eq(1), sender.new_status.eq(Status.DAMAGED)]
                    m.d.sync += damaged.eq(0)
            with m.State("decide"):
                mine = (receiver.session == session) & (session != 0)
                with m.If(sender.idle):
                    with m.If(receiver.kind == Kind.HELLO):
                        with m.If(~mine):
                            m.d.sync += [session.eq(receiver.session), last.eq(0), answered.eq(0)]
                        m.next = "introduce"
                    with m.Elif(~mine):
                        respond(Status.NO_SESSION)
                    with m.Elif((receiver.sequence == last) & (last != 0)):
                        m.next = "repeat"
                    with m.Elif(receiver.sequence == (last + 1)[:16]):
                        m.d.sync += [last.eq(receiver.sequence), answered.eq(receiver.answers), left.eq(receiver.words)]
                        m.next = "push"
                    with m.Else():
                        respond(Status.OUT_OF_ORDER)
            with m.State("introduce"):
                respond(Status.IDENTITY, IDENTITY_BYTES // word_bytes)
            with m.State("repeat"):
                respond(Status.DONE, answered)
            with m.State("push"):
                m.d.comb += request.read_enable.eq(1)
                m.next = "gather"
                with m.If(left == 0):
                    m.d.sync += [index.eq(0), left.eq(answered)]
                    m.next = "pull"
            with m.State("gather"):
                m.d.sync += [word.eq(Cat(word[8:], request.read_data)), index.eq(index + 1)]
                m.next = "push"
                with m.If(at_edge):
                    m.next = "give"
            with m.State("give"):
                m.d.comb += self.in_valid.eq(1)
                with m.If(self.in_ready):
                    m.d.sync += left.eq(left - 1)
                    m.next = "push"
            with m.State("pull"):
                m.d.comb += self.out_ready.eq(left != 0)
                m.d.sync += word.eq(self.out_data)
                with m.If(left == 0):
                    m.next = "repeat"
                with m.Elif(self.out_valid):
                    m.d.sync += left.eq(left - 1)
                    m.next = "scatter"
            with m.State("scatter"):
                m.d.comb += answer.write_enable.eq(1)
                m.d.sync += [word.eq(word >> 8), index.eq(index + 1)]
                with m.If(at_edge):
                    m.next = "pull"
            with m.State("respond"):
                with m.If(sender.idle):
                    m.d.sync += damaged.eq(0)
                    m.next = "listen"
        m.d.comb += self.busy.eq(~states.ongoing("listen") | ~sender.idle)
        return m
