"""The host link's frames as docs/boards.md lays them out, written apart from the driver's and the circuit's."""

from tests.boards.crc import crc32

HELLO, COMMAND = 1, 2
DONE, IDENTITY, DAMAGED, NO_SESSION, OUT_OF_ORDER = range(5)


def wire(body: bytes) -> bytes:
    """Body and CRC, escaped, between flags."""
    return escaped(body + crc32(body).to_bytes(4, "little"))


def escaped(whole: bytes) -> bytes:
    """These bytes, escaped, between flags."""
    return b"\x7e" + whole.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + b"\x7e"


def request(session: int, sequence: int, kind: int, payload: bytes = b"", words: int = 0, answers: int = 0) -> bytes:
    return wire(session.to_bytes(4, "little") + sequence.to_bytes(2, "little") + bytes([kind, words, answers]) + payload)


def answer(session: int, sequence: int, status: int, payload: bytes = b"", words: int = 0) -> bytes:
    return wire(session.to_bytes(4, "little") + sequence.to_bytes(2, "little") + bytes([status, words]) + payload)
