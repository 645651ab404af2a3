"""Frames of bytes: a request taken apart and checked, an answer put together. docs/boards.md has the layout.

A frame lies between two flags. In it flags and escapes are sent as an escape and the byte with bit 5 flipped, so a flag is always
a frame's edge, and a receiver that lost its place finds it again at the next one.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
BUFFER_BYTES = 512  # of a frame's words, at most
REQUEST_BYTES, ANSWER_BYTES, CRC_BYTES = 9, 8, 4  # what is before the words, and behind them


class FrameReceiver(wiring.Component):
    """Takes the escapes out of a request, holds its head, writes its words' bytes to `place`, checks length and CRC at its end.

    At a frame's end `complete` or `damaged` is high for a cycle. While `listen` is low it is deaf, and then waits for the next flag.
    """

    def __init__(self, word_bytes: int) -> None:
        self.word_bytes = word_bytes
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "listen": In(1),
                "session": Out(32),
                "sequence": Out(16),
                "kind": Out(8),
                "words": Out(8),
                "answers": Out(8),
                "write": Out(1),
                "place": Out(range(BUFFER_BYTES)),
                "byte": Out(8),
                "complete": Out(1),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(8).create()
        longest = REQUEST_BYTES + BUFFER_BYTES + CRC_BYTES
        head, count = Signal(8 * REQUEST_BYTES), Signal(range(longest + 2))
        hunting, escaped, good = Signal(init=1), Signal(), Signal()
        payload = self.words << (self.word_bytes.bit_length() - 1)
        m.d.comb += [
            Cat(self.session, self.sequence, self.kind, self.words, self.answers).eq(head),
            self.byte.eq(self.data ^ Mux(escaped, FLIP, 0)),
            self.place.eq(count - REQUEST_BYTES),
            crc.data.eq(self.byte),
            good.eq(
                crc.match_detected
                & ~escaped
                & (count == payload + (REQUEST_BYTES + CRC_BYTES))
                & (self.words <= BUFFER_BYTES // self.word_bytes)
                & (self.answers <= BUFFER_BYTES // self.word_bytes)
            ),
        ]
        with m.If(~self.listen):
            m.d.sync += hunting.eq(1)
        with m.Elif(self.valid & (self.data == FLAG)):
            m.d.sync += [hunting.eq(0), escaped.eq(0), count.eq(0)]
            m.d.comb += crc.start.eq(1)
            with m.If(~hunting & (count != 0)):
                m.d.comb += [self.complete.eq(good), self.damaged.eq(~good)]
        with m.Elif(self.valid & ~hunting & (self.data == ESCAPE)):
            m.d.sync += escaped.eq(1)
        with m.Elif(self.valid & ~hunting):
            m.d.sync += escaped.eq(0)
            m.d.comb += [crc.valid.eq(1), self.write.eq((count >= REQUEST_BYTES) & (count < REQUEST_BYTES + BUFFER_BYTES))]
            with m.If(count < REQUEST_BYTES):
                m.d.sync += head.eq(Cat(head[8:], self.byte))
            with m.If(count <= longest):  # a longer frame stays too long
                m.d.sync += count.eq(count + 1)
        return m


class FrameSender(wiring.Component):
    """Sends an answer: `head`, status, number of words, the words' bytes, CRC, with flags and escapes.

    `start` while `idle` takes `new_status` and `new_words`. `read` asks for the byte at `place` of the words, which follows on `byte`.
    """

    def __init__(self, word_bytes: int) -> None:
        self.word_bytes = word_bytes
        super().__init__(
            {
                "head": In(48),
                "start": In(1),
                "new_status": In(8),
                "new_words": In(8),
                "idle": Out(1),
                "status": Out(8),
                "read": Out(1),
                "place": Out(range(BUFFER_BYTES)),
                "byte": In(8),
                "data": Out(8),
                "valid": Out(1),
                "ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC32_ISO_HDLC(8).create()
        words, position, ending = Signal(8), Signal(range(ANSWER_BYTES + BUFFER_BYTES)), Signal(range(CRC_BYTES))
        byte, escaped, closing = Signal(8), Signal(), Signal()
        head = Cat(self.head, self.status, words)
        in_head, in_words = position < ANSWER_BYTES, position < (words << (self.word_bytes.bit_length() - 1)) + ANSWER_BYTES
        special = ((byte == FLAG) | (byte == ESCAPE)) & ~escaped
        m.d.comb += self.place.eq(position - ANSWER_BYTES)
        with m.FSM() as states:
            with m.State("idle"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [position.eq(0), ending.eq(0), closing.eq(0), escaped.eq(0)]
                with m.If(self.start):
                    m.d.sync += [self.status.eq(self.new_status), words.eq(self.new_words)]
                    m.next = "flag"
            with m.State("flag"):
                m.d.comb += [self.valid.eq(1), self.data.eq(FLAG)]
                with m.If(self.ready):
                    m.next = "fetch"
                    with m.If(closing):
                        m.next = "idle"
            with m.State("fetch"):
                m.d.comb += self.read.eq(1)
                m.next = "choose"
            with m.State("choose"):
                m.d.sync += position.eq(position + in_words)
                m.d.comb += [crc.valid.eq(in_words), crc.data.eq(Mux(in_head, head.word_select(position[:3], 8), self.byte))]
                m.d.sync += byte.eq(crc.data)
                m.next = "emit"
                with m.If(~in_words):
                    m.d.sync += [byte.eq(crc.crc.word_select(ending, 8)), ending.eq(ending + 1), closing.eq(ending == CRC_BYTES - 1)]
            with m.State("emit"):
                m.d.comb += [self.valid.eq(1), self.data.eq(Mux(special, ESCAPE, byte ^ Mux(escaped, FLIP, 0)))]
                with m.If(self.ready):
                    m.d.sync += escaped.eq(special)
                    with m.If(~special):
                        m.next = "fetch"
                        with m.If(closing):
                            m.next = "flag"
        m.d.comb += self.idle.eq(states.ongoing("idle"))
        return m
