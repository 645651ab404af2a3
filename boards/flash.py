"""A bitstream into a board, by openFPGALoader."""

import subprocess
from pathlib import Path

from gatewright.boards.board import Board
from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.sim import tools

NAMES = {"icebreaker": "ice40_generic", "colorlight": "colorlight", "tangnano9k": "tangnano9k", "arty": "arty_a7_35t"}


def flash(board: Board, bitstream: Path) -> None:
    """Load `bitstream`. Raises Missing without openFPGALoader, and an error with its last words if it fails."""
    if not bitstream.is_file():
        raise BadInput(f"There is no bitstream {bitstream}; `gatewright board build RUN --board {board.name}` makes one.")
    name = NAMES.get(board.name, "ulx3s")
    done = subprocess.run([tools.require("openFPGALoader"), "--board", name, bitstream], capture_output=True, text=True, check=False)
    if done.returncode:
        last = ((done.stdout + done.stderr).strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise GatewrightError(
            f"openFPGALoader did not load {bitstream} into {board.title}: {last.rstrip('.')}. Check cable and permissions."
        )
