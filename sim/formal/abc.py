"""Proofs by abc, the program inside the pyosys wheel: a graph with one output, which is to stay 0."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewright.hw.errors import Mismatch
from gatewright.sim import tools
from gatewright.sim.formal.aig import Aig

Outcome = Literal["proved", "refuted", "undecided"]

MARGIN_S = 20  # for reading, and for steps of abc that do not look at the clock


@dataclass(frozen=True)
class Answer:
    """`frames`: the inputs in every cycle up to the one in which the output is 1; empty unless refuted. `depth`: cycles looked at."""

    outcome: Outcome
    frames: tuple[dict[str, int], ...] = ()
    depth: int = 0


def solve(graph: Aig, script: str, seconds: float) -> Answer:
    """Run an abc script, that stops by itself after `seconds`, on a graph whose only output must never be 1."""
    program = tools.require("pyosys").with_name("yosys-abc")
    with tempfile.TemporaryDirectory(prefix="gatewright-abc-") as name:
        folder = Path(name)
        (folder / "graph.aig").write_bytes(graph.binary())
        commands = f"read_aiger graph.aig; {script}; print_status; write_cex -a trace"
        try:
            done = subprocess.run(
                [program, "-q", commands], cwd=folder, capture_output=True, text=True, timeout=seconds + MARGIN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Answer("undecided")
        match = re.search(r"[Ss]tatus = +(-?\d+).*?[Ff]rames = +(-?\d+)", done.stdout)
        if match is None and "Collapsing has failed" in done.stdout + done.stderr:  # the decision diagrams became too large
            return Answer("undecided")
        if match is None:
            raise Mismatch(f"abc ended without an answer: {(done.stdout + done.stderr)[-300:]!r}. Commands were: {commands}")
        status, depth = int(match[1]), int(match[2])
        if status == 1:
            return Answer("proved")
        if status == 0:
            frames = _trace(folder / "trace", list(graph.inputs))
            if frames is None:  # a proof by simplification knows that the output can be 1, not how
                return solve(graph, f"bmc3 -T {seconds:.0f}" if graph.latches else "iprove", seconds)
            return Answer("refuted", frames)
        return Answer("undecided", depth=depth + 1)


def _trace(path: Path, inputs: list[str]) -> tuple[dict[str, int], ...] | None:
    """A counterexample as abc writes it: a line of the latches' start, then one of the inputs for every cycle. None if there is none."""
    lines = path.read_text().splitlines()
    if "# DONE" not in lines:
        return None
    rows = lines[1 : lines.index("# DONE")]
    return tuple({name: int(bit == "1") for name, bit in zip(inputs, row, strict=True)} for row in rows)
