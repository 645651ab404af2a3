"""The host's driver: write, run and read a board's accelerator over a serial port, or say that it cannot be done.

A request is repeated until its own answer arrives intact. An answer counts only if its CRC, session, sequence number, status and
length are those awaited. Where the board no longer knows the session (it was reset, or another host spoke to it) `SessionLost`
is raised, and whoever uses the link starts again from the beginning: nothing done before may be relied on.
"""

import secrets
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from gatewright.boards.protocol import Answer, AnswerReader, Identity, request, to_bytes, to_words
from gatewright.hw.errors import GatewrightError
from gatewright.hw.frames import BUFFER_BYTES
from gatewright.hw.link import VERSION, Kind, Status
from gatewright.hw.system import COMMAND, READ, RUN, WRITE

SEQUENCE_MAX = (1 << 16) - 1
TRIES = 20
PATIENCE = 16  # times the timeout: the longest wait


class LinkError(GatewrightError):
    """The board does not answer, or not as this version expects."""


class SessionLost(LinkError):
    """The board has forgotten the session: begin again."""


class Port(Protocol):
    """What the driver needs of a serial port; pyserial's `Serial` has it. `read` returns what arrived by its timeout, maybe nothing."""

    def write(self, data: bytes, /) -> int | None: ...

    def read(self, size: int = 1, /) -> bytes: ...

    @property
    def in_waiting(self) -> int: ...


class Link:
    """A session with the board behind `port`, whose `read` returns within a fraction of `timeout`, the seconds until a request is repeated.

    `operand_bits` are the bits of a word. `retries` counts requests that were sent again. `check=False` is for tests alone.
    """

    def __init__(
        self,
        port: Port,
        operand_bits: int,
        timeout: float = 0.5,
        tries: int = TRIES,
        new_session: Callable[[], int] = lambda: 1 + secrets.randbelow((1 << 32) - 1),
        check: bool = True,
    ) -> None:
        self.port, self.operand_bits, self.timeout, self.tries, self.new_session = port, operand_bits, timeout, tries, new_session
        self.reader = AnswerReader(operand_bits // 8, check)
        self.session, self.sequence, self.retries = 0, 0, 0

    @property
    def frame_words(self) -> int:
        """Words in a frame at most."""
        return BUFFER_BYTES * 8 // self.operand_bits

    def hello(self) -> Identity:
        """Begin a new session. Raises LinkError where nobody answers, or something that is not a board of this version."""
        self.session, self.sequence = self.new_session(), 0
        answer = self._exchange(Kind.HELLO, b"", 0, Status.IDENTITY, 16 * 8 // self.operand_bits, self.timeout)
        identity = Identity.of(answer.payload)
        if identity.version != VERSION or identity.operand_bits != self.operand_bits:
            raise LinkError(
                f"The board speaks version {identity.version} of the link with words of {identity.operand_bits} bits; expected are "
                f"{VERSION} and {self.operand_bits}. Build its bitstream again with `gatewright board build`, from the same run."
            )
        return identity

    def write(self, address: int, words: np.ndarray) -> None:
        """Write words (uint64) to external memory from `address`."""
        room = self.frame_words - len(self._command(WRITE, 0, 0))
        for start in range(0, len(words), room):
            part = words[start : start + room]
            self._do(WRITE, address + start, len(part), part, 0)

    def read(self, address: int, count: int) -> np.ndarray:
        """Read `count` words from `address`: uint64."""
        sizes = [min(self.frame_words, count - start) for start in range(0, count, self.frame_words)]
        parts = [self._do(READ, address + self.frame_words * i, size, _NOTHING, size) for i, size in enumerate(sizes)]
        return np.concatenate([_NOTHING, *parts])

    def run(self, address: int, entry_words: int, seconds: float = 0.0) -> int:
        """Run the program at `address`, which may take `seconds`; returns its cycles."""
        return int(self._do(RUN, address, entry_words, _NOTHING, 1, seconds)[0])

    def _command(self, operation: int, length: int, address: int) -> np.ndarray:
        low, high = COMMAND.encode({"operation": operation, "length": length, "spare": 0, "address": address})
        return np.array([low | high << 32] if self.operand_bits == 64 else [low, high], dtype=np.uint64)

    def _do(self, operation: int, address: int, length: int, words: np.ndarray, answers: int, seconds: float = 0.0) -> np.ndarray:
        """One command of the host stream, executed exactly once, and the words it answered."""
        if self.sequence == SEQUENCE_MAX:
            raise SessionLost("The session's sequence numbers are used up; a new one begins.")
        self.sequence += 1
        payload = to_bytes(np.concatenate([self._command(operation, length, address), words]), self.operand_bits)
        answer = self._exchange(Kind.COMMAND, payload, answers, Status.DONE, answers, self.timeout + seconds)
        return to_words(answer.payload, self.operand_bits)

    def _exchange(self, kind: Kind, payload: bytes, answers: int, status: Status, words: int, timeout: float) -> Answer:
        """Send a request until its answer is there."""
        size = self.operand_bits // 8
        data = request(self.session, self.sequence, kind, payload, len(payload) // size, answers)
        patience = timeout
        for attempt in range(self.tries):
            self.retries += attempt > 0
            self._send(data)
            answer, known = self._await(status, words * size, patience)
            if answer is not None:
                return answer
            if not known:  # a slow board must not drown in repetitions
                patience = min(2 * patience, PATIENCE * timeout)
        raise LinkError(
            f"The board does not answer: {self.tries} tries of {timeout:.2g} s and more, {self.reader.damaged} damaged answers. Check the "
            "cable, the bit rate and that the bitstream was flashed, or give a longer --timeout."
        )

    def _await(self, status: Status, size: int, timeout: float) -> tuple[Answer | None, bool]:
        """The awaited answer; none after `timeout`, or earlier, knowing why: when the board has got, or sent, a damaged frame."""
        deadline, damaged = time.monotonic() + timeout, self.reader.damaged
        while time.monotonic() < deadline:
            data = self._receive()
            if not data and self.reader.damaged > damaged:  # and the line is quiet: the board listens again
                return None, True
            for answer in self.reader.feed(data):
                if answer.status == Status.DAMAGED:
                    return None, True
                mine, here = answer.session == self.session, answer.sequence == self.sequence
                if mine and here and answer.status == status and len(answer.payload) == size:
                    return answer, False
                # The board also refuses late copies of older frames; then it is still where we think it is.
                refused = answer.status in (Status.NO_SESSION, Status.OUT_OF_ORDER)
                in_step = mine and self.sequence - 1 <= answer.sequence <= self.sequence
                if refused and not in_step and status != Status.IDENTITY:
                    raise SessionLost("The board has lost the session: it was reset, or another host speaks to it.")
        return None, False

    def _send(self, data: bytes) -> None:
        try:
            self.port.write(data)
        except OSError as error:
            raise LinkError(f"The board is gone: the port cannot be written ({error}). Check its cable and power.") from error

    def _receive(self) -> bytes:
        try:
            return self.port.read(max(1, self.port.in_waiting))
        except OSError as error:
            raise LinkError(f"The board is gone: the port cannot be read ({error}). Check its cable and power.") from error


_NOTHING = np.zeros(0, dtype=np.uint64)
