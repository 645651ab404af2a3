"""A simulated board: the Verilog a bitstream is made of, behind a pseudo-terminal, for the driver like a serial port."""

import os
import pty
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gatewright.hw.board import Board
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.verilog import emit
from gatewright.sim import verilator
from gatewright.sim.network import TOP

HARNESS = Path(__file__).parent / "harness" / "board.cpp"
DIVISOR = 4  # cycles a bit: as fast as the serial port's circuits go
CLOCK_HZ = 50e3  # a simulated clock is at least this fast, also on a busy machine


def build(config: AcceleratorConfig, memory_words: int, single_port: bool = False, quick: bool = False) -> Path:
    """The simulator of a board's chip, cached. `quick` compiles faster what runs slower."""
    options = ("--x-initial", "unique", *(("--output-split", "0") if quick else ()))
    verilog = emit(Board(config, memory_words, DIVISOR, single_port), TOP)
    return verilator.build(verilog, TOP, HARNESS.read_text(), optimise="-O0" if quick else "-O2", options=options)


@dataclass(frozen=True)
class Simulated:
    """A running simulated board: the name of its serial port, and its process."""

    port: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def simulated(program: Path) -> Iterator[Simulated]:
    """Run a simulator that `build` made until the end of the `with` block."""
    inner, outer = pty.openpty()
    with os.fdopen(outer, "rb", buffering=0):  # held open, so that hosts may come and go; the simulator ends when it closes
        tty.setraw(outer)
        with os.fdopen(inner, "rb", buffering=0):
            process = subprocess.Popen([program, str(inner), str(DIVISOR)], pass_fds=(inner,))
        try:
            yield Simulated(os.ttyname(outer), process)
        finally:
            process.kill()
            process.wait()
