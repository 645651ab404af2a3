"""Real digits over a simulated board's serial pins, with a good line, a bad line, no line, and a board that is somebody else's."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from gatewright.boards import host
from gatewright.boards.link import Link, LinkError, SessionLost
from gatewright.boards.port import opened
from gatewright.boards.simulated import CLOCK_HZ, Simulated, simulated
from gatewright.hw.errors import BadInput, Mismatch, Missing
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from tests.boards import digits
from tests.boards.channel import FaultyPort

BAUD = 1_000_000
TIMEOUT = 2.0


@pytest.fixture(scope="module")
def there() -> Iterator[Simulated]:
    with simulated(digits.board()) as board:
        yield board


def sessions(seed: int) -> Iterator[int]:
    return itertools.count(seed << 16 | 1)


def linked(port: object, seed: int = 1, **options: object) -> Link:
    numbers = sessions(seed)
    return Link(port, 32, **{"timeout": TIMEOUT, "new_session": lambda: next(numbers)} | options)  # type: ignore[arg-type]


def test_digits_are_classified_as_by_the_golden_model(there: Simulated) -> None:
    program, codes, seen = digits.program(), digits.codes(6), list[int]()
    with opened(there.port, BAUD) as port:
        outcome = host.classify(linked(port), program, codes, CLOCK_HZ, seen.append)
    np.testing.assert_array_equal(outcome.logits, golden.forward(program.network, codes)[-1])
    assert (outcome.images, outcome.mismatches, outcome.retries, outcome.sessions) == (6, 0, 0, 1)
    assert outcome.cycles == (timing(program.schedule).cycles,)
    assert sum(seen) == 6
    assert outcome.passed


FAULTS = {
    "all kinds": ({"corrupt": 6e-4, "drop": 6e-4, "double": 6e-4, "delay": 6e-4}, 2),
    "corruption": ({"corrupt": 2e-3}, 2),
    "losses": ({"drop": 2e-3}, 1),
    "doubles and delays": ({"double": 1e-3, "delay": 1e-3}, 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_line_costs_time_and_nothing_else(there: Simulated, name: str) -> None:
    rates, images = FAULTS[name]
    seed = 11 + list(FAULTS).index(name)  # the board must not know the session already
    with opened(there.port, BAUD) as port:
        channel = FaultyPort(port, seed, rates)
        outcome = host.classify(linked(channel, seed), digits.program(), digits.codes(images), CLOCK_HZ)
    assert outcome.mismatches == 0
    assert outcome.retries > 0
    assert all(channel.done[kind] for kind in rates), channel.done


def test_late_and_repeated_frames_cost_time_and_nothing_else(there: Simulated) -> None:
    """Intact frames at the wrong time: only session and sequence number tell that they are not what is awaited."""
    rates = {"drop": 0.03, "double": 0.08, "delay": 0.05, "repeat": 0.1}
    with opened(there.port, BAUD) as port:
        channel = FaultyPort(port, 51, rates, frames=True)
        link = linked(channel, 51, timeout=0.5)
        outcome = host.classify(link, digits.program(), digits.codes(2), CLOCK_HZ)
        words = np.arange(1, 121, dtype=np.uint64)
        link.write(0, words)
        for _ in range(5):  # answers alike in all but their sequence numbers and words
            np.testing.assert_array_equal(np.concatenate([link.read(i, 10) for i in range(0, 120, 10)]), words)
    assert outcome.mismatches == 0
    assert outcome.retries > 0
    assert all(channel.done[kind] for kind in rates), channel.done


def test_a_hopeless_line_gives_an_error_and_no_answer(there: Simulated) -> None:
    with opened(there.port, BAUD) as port:
        channel = FaultyPort(port, 3, {"corrupt": 0.2, "drop": 0.1})
        with pytest.raises(LinkError, match="The board does not answer: 4 tries of 0.2 s and more"):
            host.classify(linked(channel, 3, timeout=0.2, tries=4), digits.program(), digits.codes(1), CLOCK_HZ)


def read_back(there: Simulated, check: bool) -> int:
    """How many of some hundred words differ, read many times over a line that corrupts answers alone."""
    rng = np.random.default_rng(5)
    words, wrong = rng.integers(0, 1 << 32, 100).astype(np.uint64), 0
    with opened(there.port, BAUD) as port:
        channel = FaultyPort(port, 5, {"corrupt": 3e-3}, ways=("in",))
        link = linked(channel, 5 + check, tries=40, check=check)
        link.hello()
        link.write(0, words)
        for _ in range(8):
            wrong += int((link.read(0, len(words)) != words).sum())
    assert channel.done["corrupt"] > 3
    return wrong


def test_without_the_crc_the_same_faults_get_through(there: Simulated) -> None:
    assert read_back(there, check=True) == 0
    assert read_back(there, check=False) > 0


def test_another_host_and_a_lost_session(there: Simulated) -> None:
    program, codes = digits.program(), digits.codes(1)
    with opened(there.port, BAUD) as port:
        mine, other = linked(port, 21), linked(port, 22)
        host.load(mine, program)
        other.hello()
        with pytest.raises(SessionLost, match="another host speaks to it"):
            host.run(mine, program, codes, CLOCK_HZ)
        outcome = host.classify(mine, program, codes, CLOCK_HZ)  # begins again
        assert outcome.mismatches == 0
        mine.sequence = (1 << 16) - 1
        with pytest.raises(SessionLost, match="sequence numbers are used up"):
            mine.read(0, 1)


def test_the_board_holds_another_accelerator(there: Simulated) -> None:
    program = digits.program()
    other = digits.lower(program.network, digits.CONFIG.replace(parameter_words=16), program.schedule.mappings)
    with opened(there.port, BAUD) as port, pytest.raises(Mismatch, match="The board holds accelerator [0-9a-f]{16} and the program is for"):
        host.load(linked(port, 31), other)


def test_a_board_that_dies_is_an_error(there: Simulated) -> None:
    with simulated(digits.board()) as board, opened(board.port, BAUD) as port:
        link = linked(port, 41, timeout=0.2, tries=3)
        host.load(link, digits.program())
        board.process.kill()
        board.process.wait()
        with pytest.raises(LinkError, match="The board (is gone|does not answer)") as caught:
            host.classify(link, digits.program(), digits.codes(1), CLOCK_HZ)
        assert caught.value.exit_status == 1


def test_what_is_not_there_or_not_asked() -> None:
    with pytest.raises(Missing, match="The serial port /dev/ttyNONE cannot be opened") as caught, opened("/dev/ttyNONE", BAUD):
        pass
    assert caught.value.exit_status == 3
    with pytest.raises(BadInput, match="at least one image"):
        host.classify(linked(None), digits.program(), digits.codes(0), CLOCK_HZ)
