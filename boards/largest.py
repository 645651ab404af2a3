"""The largest grid that a board holds: small grids are synthesised, larger ones predicted from them, and the largest proven."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from gatewright.boards.board import Board, Resources
from gatewright.boards.build import Built, build, netlist
from gatewright.boards.place import DoesNotFit, pack_only
from gatewright.boards.synthesis import Netlist
from gatewright.hw.config import AcceleratorConfig

ROWS = range(1, 65)
COLS = (1, 2, 4, 8, 16, 32, 64)
PROBES = ((1, 1), (1, 2), (2, 1), (2, 2))
NAMES = tuple(Resources.model_fields)


@dataclass(frozen=True)
class Estimate:
    """What a grid takes: each resource is `a + b rows + c cols + d rows cols`, and multipliers that the chip lacks become logic.

    `coefficients` [resources, 4] come from four small grids; `soft_luts` is what an element needs more without multipliers.
    """

    board: Board
    config: AcceleratorConfig
    coefficients: np.ndarray
    soft_luts: float

    def resources(self, rows: int, cols: int) -> Resources:
        """Predicted for `rows` x `cols`."""
        luts, flip_flops, block_rams, large_rams, dsps = self.coefficients @ np.array([1, rows, cols, rows * cols])
        each, over = self.coefficients[NAMES.index("dsps"), 3], dsps - self.board.budget.dsps
        if over > 0 and each > 0:
            soft = min(ceil(over / each), rows * cols)
            luts, dsps = luts + soft * self.soft_luts, dsps - soft * each
        counts = (luts, flip_flops, block_rams, large_rams, dsps)
        return Resources(**{name: max(0, ceil(count - 1e-6)) for name, count in zip(NAMES, counts, strict=True)})

    def candidates(self) -> Iterator[AcceleratorConfig]:
        """Grids that should fit, most elements first; of equal ones the squarest."""
        sizes = sorted(((r, c) for r in ROWS for c in COLS), key=lambda size: (-size[0] * size[1], abs(size[0] - size[1])))
        for rows, cols in sizes:
            if not self.resources(rows, cols).over(self.board.budget):
                yield self.config.replace(rows=rows, cols=cols)


def estimate(board: Board, config: AcceleratorConfig, memory_words: int) -> Estimate:
    """Synthesise four small grids of this configuration and one whose elements have no multipliers."""
    rows = [_resources(board, netlist(board, config.replace(rows=r, cols=c), memory_words)) for r, c in PROBES]
    values = np.array([[getattr(found, name) for name in NAMES] for found in rows], dtype=float)
    basis = np.array([[1, r, c, r * c] for r, c in PROBES], dtype=float)
    coefficients = np.linalg.solve(basis, values).T
    soft = 0.0
    if coefficients[NAMES.index("dsps"), 3] > 0:
        poor = board.replace(budget=board.budget.replace(dsps=0))
        bare = _resources(board, netlist(poor, config.replace(rows=1, cols=1), memory_words))
        soft = max(0.0, float(bare.luts - rows[0].luts))
    return Estimate(board, config, coefficients, soft)


def _resources(board: Board, mapped: Netlist) -> Resources:
    return pack_only(board, mapped) if board.family == "ice40" else mapped.resources


def largest(
    board: Board,
    configs: Sequence[AcceleratorConfig],
    memory_words: int,
    folder: Path,
    route: bool = True,
    note: Callable[[str], None] = lambda text: None,
) -> Built | tuple[AcceleratorConfig, Resources]:
    """The grid with the most lanes' bits among variants `configs` (say, of 32 and of 64 operand bits) of any rows and cols.

    Proven by place and route at the board's clock; with `route=False` by synthesis alone, then the result is the configuration and what
    it takes. Raises DoesNotFit if not even one element fits.
    """
    found = [(size(c), e, c) for e in (estimate(board, config, memory_words) for config in configs) for c in e.candidates()]
    for _, guess, config in sorted(found, key=lambda item: -item[0]):
        name = f"{config.rows} x {config.cols}, {config.operand_bits} bits"
        predicted = guess.resources(config.rows, config.cols)
        note(f"Trying {name}: about {predicted.luts:,} LUTs of {board.budget.luts:,}")
        try:
            if not route:
                mapped = _resources(board, netlist(board, config, memory_words))
                if not mapped.over(board.budget):
                    return config, mapped
            elif (built := build(board, config, memory_words, folder)).passed:
                return built
        except DoesNotFit as error:
            note(str(error))
    raise DoesNotFit(f"Not even a grid of one element fits {board.title} with these operators and buffers. Choose fewer or smaller ones.")


def size(config: AcceleratorConfig) -> int:
    """Operand bits that the grid multiplies at a time."""
    return config.rows * config.cols * config.operand_bits
