"""The host's frames against frames written out in full, and its reader against streams with anything in them."""

import random

import numpy as np
import pytest

from gatewright.boards.protocol import AnswerReader, Identity, Kind, request, to_bytes, to_words
from tests.boards.test_link import FLIPPED, IDENTITY, SESSION, WORDS, answer, identity
from tests.boards.test_link import request as written_out


def test_requests_are_what_the_circuit_is_tested_with() -> None:
    assert request(SESSION, 1, Kind.COMMAND, WORDS, 4, 2) == written_out(SESSION, 1, 2, WORDS, 4, 2)
    assert request(SESSION, 0, Kind.HELLO, b"", 0, 0) == written_out(SESSION, 0, 1)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_answers_are_found_between_rubbish(piece: int) -> None:
    good = answer(7, 1, 0, FLIPPED, 4)
    stream = b"rubbish" + good + b"\x7e\x7e" + good[:-5] + good + b"\x7d" + good
    reader, found = AnswerReader(4), []
    for i in range(0, len(stream), piece):
        found += reader.feed(stream[i : i + piece])
    assert [(a.session, a.sequence, a.status, a.payload) for a in found] == [(7, 1, 0, FLIPPED)] * 3
    assert reader.damaged >= 1


def test_no_damaged_answer_passes() -> None:
    rng, good, passed = random.Random(1), answer(7, 1, 0, FLIPPED, 4), 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            i = rng.randrange(len(data))
            change = rng.randrange(3)
            if change == 0:
                data[i] ^= 1 << rng.randrange(8)
            elif change == 1:
                del data[i]
            else:
                data.insert(i, data[i])
        for got in AnswerReader(4).feed(bytes(data)):
            passed += 1
            assert (got.session, got.sequence, got.status, got.payload) == (7, 1, 0, FLIPPED)
    assert 0 < passed < 1000  # a doubled flag, say, harms nobody


def test_a_frame_that_ends_in_an_escape_is_damaged() -> None:
    reader, good = AnswerReader(4), answer(7, 1, 0, FLIPPED, 4)
    assert reader.feed(good[:-1] + b"\x7d\x7e") == []
    assert reader.damaged == 1


def test_an_endless_frame_is_given_up() -> None:
    reader = AnswerReader(8)
    assert reader.feed(b"\x7e" + b"a" * 2000) == []
    assert reader.damaged == 1
    assert len(reader.feed(answer(7, 1, 0, bytes(8), 1))) == 1


def test_identity_and_words() -> None:
    (got,) = AnswerReader(8).feed(identity(64))
    assert got.status == IDENTITY
    assert Identity.of(got.payload) == Identity(1, 64, 64, 4321, 0x0123_4567_89AB_7E7D)
    words = np.array([0, 1, 0xFFFFFFFF, 0x12345678], dtype=np.uint64)
    assert to_bytes(words, 32)[-4:] == b"\x78\x56\x34\x12"
    for bits in (32, 64):
        np.testing.assert_array_equal(to_words(to_bytes(words, bits), bits), words)
