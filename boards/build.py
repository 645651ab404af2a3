"""An accelerator on a board: Verilog, synthesis, place and route, bitstream, and what they say."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from gatewright.boards.board import Board, Resources
from gatewright.boards.place import BITSTREAM, place
from gatewright.boards.synthesis import Netlist, synthesise
from gatewright.boards.top import CONSTRAINTS, chip_verilog, constraints
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sim.cache import writing

MEMORY_WORDS = 1024  # of an accelerator without a program
VERILOG = "top.v"


@dataclass(frozen=True)
class Built:
    """A chip for a board. Without place and route (`routed` boards only) `fmax_mhz` and `bitstream` are None."""

    board: Board
    config: AcceleratorConfig
    memory_words: int
    single_port: bool
    resources: Resources
    fmax_mhz: float | None
    flip_flop_memories: tuple[str, ...]
    soft_elements: int
    files: tuple[Path, ...]
    bitstream: Path | None
    seconds: float

    @property
    def wanted_mhz(self) -> float:
        """The design's clock on the board."""
        return self.board.design_hz / 1e6

    @property
    def passed(self) -> bool:
        """Whether the clock is reached, as far as anybody knows here."""
        return self.fmax_mhz is None or self.fmax_mhz >= self.wanted_mhz


def netlist(board: Board, config: AcceleratorConfig, memory_words: int) -> Netlist:
    """The synthesised chip. Raises BadInput where the external memory cannot be on the chip."""
    check_memory(board, config, memory_words)
    verilog = chip_verilog(board, config, memory_words)
    return synthesise(board, verilog, board.single_port(memory_words * config.operand_bits))


def build(board: Board, config: AcceleratorConfig, memory_words: int, folder: Path) -> Built:
    """Build a chip and write its files to `folder`. Raises DoesNotFit, and Missing where the family's tools are not installed."""
    started = time.perf_counter()
    check_memory(board, config, memory_words)
    texts = {VERILOG: chip_verilog(board, config, memory_words), CONSTRAINTS[board.family]: constraints(board)}
    mapped = netlist(board, config, memory_words)
    placed = place(board, mapped) if board.routed else None
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)
        files = [folder / name for name in texts]
        if placed:
            source = placed.folder / BITSTREAM[board.family]
            files.append(folder / f"{board.name}{source.suffix}")
            shutil.copyfile(source, files[-1])
    return Built(
        board,
        config,
        memory_words,
        board.single_port(memory_words * config.operand_bits),
        placed.resources if placed else mapped.resources,
        placed.fmax_mhz if placed else None,
        mapped.flip_flop_memories,
        mapped.soft_elements,
        tuple(files),
        files[-1] if placed else None,
        time.perf_counter() - started,
    )


def check_memory(board: Board, config: AcceleratorConfig, memory_words: int) -> None:
    """Refuse an external memory that is larger than all memory on the chip."""
    most = board.memory_words_max * 32 // config.operand_bits
    if not 1 <= memory_words <= most:
        raise BadInput(
            f"External memory on {board.title} is made of the chip's own, at most {most} words of {config.operand_bits} bits; "
            f"got {memory_words}. Choose a smaller network or fewer images in a run, or a larger board."
        )
