"""The host's side of the link's frames (docs/boards.md): requests to bytes, bytes to answers."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from gatewright.hw.frames import BUFFER_BYTES, ESCAPE, FLAG, FLIP
from gatewright.hw.link import Kind

_REQUEST = struct.Struct("<IHBBB")  # session, sequence, kind, words, words of the answer
_ANSWER = struct.Struct("<IHBB")  # session, sequence, status, words
_CRC = struct.Struct("<I")
_IDENTITY = struct.Struct("<BBBxIQ")  # version, bits of a word, words in a frame, words of memory, name


@dataclass(frozen=True)
class Answer:
    """A frame from the board whose CRC and length are right."""

    session: int
    sequence: int
    status: int
    payload: bytes


@dataclass(frozen=True)
class Identity:
    """Who answers: `name` is the content hash of the accelerator's configuration."""

    version: int
    operand_bits: int
    frame_words: int
    memory_words: int
    name: int

    @classmethod
    def of(cls, payload: bytes) -> "Identity":
        return cls(*_IDENTITY.unpack(payload))


def request(session: int, sequence: int, kind: Kind, payload: bytes, words: int, answers: int) -> bytes:
    """A request as it goes over the line."""
    return frame(_REQUEST.pack(session, sequence, kind, words, answers) + payload)


def frame(body: bytes) -> bytes:
    """A body with its CRC, escaped, between flags."""
    escaped = bytearray([FLAG])
    for byte in body + _CRC.pack(zlib.crc32(body)):
        escaped += bytes([ESCAPE, byte ^ FLIP]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes([*escaped, FLAG])


class AnswerReader:
    """Finds answers in a stream of bytes. `damaged` counts frames whose CRC or length was wrong, which are left out.

    `check=False` is for tests alone: it shows what the CRC keeps out.
    """

    def __init__(self, word_bytes: int, check: bool = True) -> None:
        self.word_bytes, self.check = word_bytes, check
        self.damaged = 0
        self._body: bytearray | None = None  # None: waiting for a flag
        self._escaped = False

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that end in `data`."""
        answers = []
        for byte in data:
            if byte == FLAG:
                if self._body and (answer := self._answer(bytes(self._body))):
                    answers.append(answer)
                self._body, self._escaped = bytearray(), False
            elif self._body is not None and byte == ESCAPE:
                self._escaped = True
            elif self._body is not None:
                self._body.append(byte ^ (FLIP if self._escaped else 0))
                self._escaped = False
                if len(self._body) > _ANSWER.size + BUFFER_BYTES + _CRC.size:
                    self._body = None
                    self.damaged += 1
        return answers

    def _answer(self, body: bytes) -> Answer | None:
        head, payload = body[: _ANSWER.size], body[_ANSWER.size : -_CRC.size]
        if len(body) >= _ANSWER.size + _CRC.size and not self._escaped:
            session, sequence, status, words = _ANSWER.unpack(head)
            intact = _CRC.unpack(body[-_CRC.size :])[0] == zlib.crc32(body[: -_CRC.size])
            if (intact or not self.check) and len(payload) == words * self.word_bytes:
                return Answer(session, sequence, status, payload)
        self.damaged += 1
        return None


def to_bytes(words: np.ndarray, operand_bits: int) -> bytes:
    """Memory words (uint64) as the link carries them, lowest byte first."""
    return words.astype("<u8" if operand_bits == 64 else "<u4").tobytes()


def to_words(data: bytes, operand_bits: int) -> np.ndarray:
    """The inverse: uint64."""
    return np.frombuffer(data, dtype="<u8" if operand_bits == 64 else "<u4").astype(np.uint64)
