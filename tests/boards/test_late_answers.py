"""The driver against intact answers that come too late: a board of a few lines, whose words say which request they answer."""

from collections import deque

import pytest

from gatewright.boards.link import Link
from tests.boards.frames import DONE, HELLO, IDENTITY, answer


def word(session: int, sequence: int) -> int:
    """What the board answers this command with."""
    return session << 16 | sequence


class LateCopies:
    """A port behind which a board sends, before each answer, the answer before it once more, and all of `older`."""

    def __init__(self) -> None:
        self.older, self.given = list[bytes](), list[bytes]()
        self.line = deque[bytes]()

    @property
    def in_waiting(self) -> int:
        return sum(map(len, self.line))

    def write(self, data: bytes, /) -> int:
        body = data[1:-1].replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")
        session, sequence = int.from_bytes(body[:4], "little"), int.from_bytes(body[4:6], "little")
        if body[6] == HELLO:
            facts = bytes([1, 32, 128, 0]) + session.to_bytes(4, "little") + bytes(8)
            new = answer(session, 0, IDENTITY, facts, 4)
        else:
            new = answer(session, sequence, DONE, word(session, sequence).to_bytes(4, "little"), 1)
        self.line += [*self.older, *self.given[-1:], new]
        self.given.append(new)
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        """A frame at a time, so that what follows the awaited one is left for the next request."""
        return self.line.popleft() if self.line else b""


def talk(link: Link, commands: int) -> tuple[int, list[int]]:
    """A new session: the memory words that the board says it has, which are its session here, and the answers to some commands."""
    return link.hello().memory_words, [int(link.read(0, 1)[0]) for _ in range(commands)]


@pytest.mark.parametrize("older", [False, True], ids=["copies of the answer before", "and answers of an older session"])
def test_a_late_answer_is_nobodys_answer(older: bool) -> None:
    port, sessions = LateCopies(), iter([1, 2])
    link = Link(port, 32, new_session=lambda: next(sessions))
    assert talk(link, 5) == (1, [word(1, n) for n in range(1, 6)])
    port.older = list(port.given) if older else []
    assert talk(link, 5) == (2, [word(2, n) for n in range(1, 6)])
    assert link.retries == 0
