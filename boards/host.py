"""A program on a board: load it, classify images, compare every logit with the golden model."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from gatewright.boards.link import Link, LinkError, SessionLost
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program

SESSIONS = 10  # begun at most for one set of images


@dataclass(frozen=True)
class Outcome:
    """`mismatches` counts images with any logit that differs from the golden model's; `cycles` are of each run of the program."""

    images: int
    mismatches: int
    cycles: tuple[int, ...]
    cycles_predicted: int
    retries: int
    sessions: int
    seconds: float
    logits: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The class of each image by the board's logits: int64 [images]."""
        return np.asarray(self.logits.reshape(self.images, -1).argmax(axis=1))

    @property
    def passed(self) -> bool:
        return self.images > 0 and self.mismatches == 0


def classify(link: Link, program: Program, codes: np.ndarray, clock_hz: float, progress: Callable[[int], None] = lambda n: None) -> Outcome:
    """Run activation codes [N, C, H, W] on the board behind `link`, whose clock is `clock_hz` (at least that of a simulated one).

    Raises LinkError where the board does not answer, Mismatch where it holds another accelerator or its memory does not keep the program.
    """
    if not len(codes):
        raise BadInput("A board needs at least one image; give --images 1 or more.")
    started, size = time.perf_counter(), program.schedule.images
    short = -len(codes) % size
    filled = np.concatenate([codes, np.resize(codes, (short, *codes.shape[1:]))]) if short else codes
    logits, cycles, sessions = list[np.ndarray](), list[int](), 0
    while len(logits) * size < len(filled):
        if sessions == SESSIONS:
            raise LinkError(f"The board lost the session {SESSIONS} times. Check its power, and that no other program uses the port.")
        sessions += 1
        with suppress(SessionLost):
            load(link, program)
            while len(logits) * size < len(filled):
                batch = filled[len(logits) * size :][:size]
                result, took = run(link, program, batch, clock_hz)
                logits.append(result)
                cycles.append(took)
                progress(min(size, len(codes) - (len(logits) - 1) * size))
    expected = golden.forward(program.network, codes)[-1]
    found = np.concatenate(logits)[: len(codes)]
    wrong = (found != expected).reshape(len(codes), -1).any(axis=1)
    seconds = time.perf_counter() - started
    return Outcome(
        len(codes),
        int(wrong.sum()),
        tuple(sorted(set(cycles))),
        timing(program.schedule).cycles,
        link.retries,
        sessions,
        seconds,
        found,
    )


def load(link: Link, program: Program) -> None:
    """Begin a session, make sure that this is the program's accelerator, write program and constants and read them back."""
    identity, name = link.hello(), program.config.content_hash
    if identity.name != int(name, 16):
        raise Mismatch(
            f"The board holds accelerator {identity.name:016x} and the program is for {name}. Build and flash the bitstream of this run."
        )
    if identity.memory_words < program.schedule.memory_words:
        raise Mismatch(
            f"The board's external memory has {identity.memory_words} words and the program needs {program.schedule.memory_words}. "
            "Build the bitstream from this run, which sizes the memory to it."
        )
    link.write(0, program.image)
    if (link.read(0, len(program.image)) != program.image).any():
        raise Mismatch(
            "The board's memory does not hold what was written to it. Build the bitstream again, at a lower clock if it is overclocked."
        )


def run(link: Link, program: Program, batch: np.ndarray, clock_hz: float) -> tuple[np.ndarray, int]:
    """One run of the program: logits [images, K, 1, 1] and its cycles."""
    maps = program.schedule.maps
    link.write(maps[0].address, program.pack_input(batch))
    took = link.run(0, program.entry_words, timing(program.schedule).cycles / clock_hz)
    words = link.read(maps[-1].address, maps[-1].words)
    return program.unpack_output(words, len(program.network.layers) - 1), took
