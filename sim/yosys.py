"""Runs Yosys commands in a process of their own: a crash stays there, and its log never reaches our standard output."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatewright.hw.errors import BadInput
from gatewright.sim import tools
from gatewright.sim.cache import writing

_WORKER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
"""


def run(commands: Sequence[str], files: Mapping[str, str | Path], results: Sequence[str], what: str) -> dict[str, str]:
    """Run `commands` in an empty folder that holds `files` (name to text, or to a file that is linked there).

    Returns the text of each file named in `results`. Raises BadInput, starting with `what`, with Yosys's own message.
    """
    tools.require("pyosys")
    with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="gatewright-yosys-") as name:
        folder = Path(name)
        for file, content in files.items():
            if isinstance(content, Path):
                if not content.is_file():
                    raise BadInput(f"{what}: there is no file {content}. Give the path of a file that can be read.")
                (folder / file).symlink_to(content.resolve())
            else:
                (folder / file).write_text(content)
        done = subprocess.run(
            [sys.executable, "-c", _WORKER], input="\n".join(commands), cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BadInput(f"{what}: Yosys stopped: {_reason(done)}.")
        return {result: (folder / result).read_text() for result in results}


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    text = done.stdout + "\n" + done.stderr
    if "No space left on device" in text:
        return "the disk is full; free some space"
    errors = re.findall(r"^(?:.*: )?ERROR: (.*(?:\n {2,}.*)*)", text, re.MULTILINE)
    details = re.findall(r"^ABC: (.*(?:[Ee]rror|[Cc]annot|not complete).*)", text, re.MULTILINE)
    if errors:
        return "; ".join(" ".join(line.split()).rstrip(".") for line in dict.fromkeys(details + errors))
    last = (text.strip().splitlines() or [""])[-1]
    return f"exit status {done.returncode}, last line {last[:200]!r}"
