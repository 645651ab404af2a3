"""Mutation testing: how many small faults, spread over a circuit, its cocotb bench notices.

Yosys inserts all mutants of a circuit at once behind an input that selects one, so they share a build and a simulator. A mutant is
killed if a test of the bench fails or does not end; one that survives, and from which some output can be reached, is given to the
prover, which may find that it is no fault.
"""

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from amaranth.lib.wiring import Component

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.verilog import emit
from gatewright.sim import bench as cocotb_bench
from gatewright.sim import yosys
from gatewright.sim.formal.equivalence import Undecided, assert_equivalent
from gatewright.sim.reach import Place, Reach

Outcome = Literal["killed", "equivalent", "unresolved"]
SELECT, SELECT_BITS = "mutsel", 16  # 0 selects none
DRIVER = "gatewright.sim.cocotb_mutants"
CHOICE = 6  # candidates listed for each mutant that is used

_READ = ("read_verilog design.v", "hierarchy -top {top}", "proc", "flatten", "opt", "memory -nomap", "opt_clean")
_PLACE = re.compile(r"mutate -mode (\w+) .*?-cell (\S+) -port \\?(\S+) -portbit (\d+)(?: -ctrlbit (\d+))?")


@dataclass(frozen=True)
class Mutant:
    """One fault: Yosys's command, and what it does in a few words."""

    number: int
    command: str

    @property
    def cell(self) -> str:
        return self._match()[2]

    @property
    def clock(self) -> bool:
        """Whether it changes a clock: no fault of the logic."""
        return self._match()[3] in ("CLK", "RD_CLK", "WR_CLK")

    @property
    def mode(self) -> str:
        return self._match()[1]

    @property
    def place(self) -> Place:
        """What it changes."""
        return self.cell.removeprefix("\\"), self._match()[3], int(self._match()[4])

    def __str__(self) -> str:
        mode, cell, port, bit, control = self._match().groups()
        return f"{mode} of {cell.removeprefix('$flatten')} {port}[{bit}]" + (f" by [{control}]" if control else "")

    def _match(self) -> re.Match[str]:
        match = _PLACE.match(self.command)
        if match is None:
            raise Mismatch(f"Yosys lists a mutant that is not understood: {self.command}")
        return match


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant; `reason` says why one that survived is, or may not be, equivalent."""

    mutant: Mutant
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Score:
    """The verdicts on all mutants of a circuit, and the time they took."""

    verdicts: tuple[Verdict, ...]
    seconds: float

    def count(self, outcome: Outcome) -> int:
        return sum(verdict.outcome == outcome for verdict in self.verdicts)

    @property
    def value(self) -> float:
        """The share of mutants that were killed or proven equivalent."""
        return 1 - self.count("unresolved") / len(self.verdicts)

    @property
    def unresolved(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.outcome == "unresolved"]


def mutate(
    source: Component | str,
    bench: str,
    count: int,
    seed: int = 1,
    *,
    top: str = "top",
    environment: Mapping[str, str] | None = None,
    seconds: float = 20.0,
) -> Score:
    """Try `count` mutants of a component (or of Verilog whose module is `top`) with the cocotb tests of the importable module `bench`.

    The choice depends on the circuit and `seed` alone, and takes every cell once before it takes any twice. `environment` is added for
    the bench; a proof that a surviving mutant is equivalent gets `seconds`, none is tried with 0. Raises Mismatch if the bench fails
    without a mutant, BadInput if the circuit cannot be read or has nothing to mutate.
    """
    began = time.monotonic()
    verilog = source if isinstance(source, str) else emit(source, top)
    mutants = choose(verilog, top, count, seed)
    killed = trials(with_mutants(verilog, top, mutants), top, bench, len(mutants), environment or {})
    reach = reached(verilog, top) if len(killed) < len(mutants) else None
    verdicts = [
        Verdict(mutant, "killed") if mutant.number in killed else judged(mutant, verilog, top, seconds, reach) for mutant in mutants
    ]
    return Score(tuple(verdicts), time.monotonic() - began)


def choose(verilog: str, top: str, count: int, seed: int) -> list[Mutant]:
    """Mutants over all cells as evenly as there are cells."""
    listing = f"mutate -list {CHOICE * count} -seed {seed} -o list.ys"
    text = _yosys(verilog, top, [listing], "list.ys")
    found = [Mutant(0, re.sub(r" -src \S+", "", line)) for line in dict.fromkeys(text.splitlines())]
    found = [mutant for mutant in found if not mutant.clock]
    if not found:
        raise BadInput(f"{top} has no cells that could be mutated. Give a circuit with some logic.")
    taken: Counter[str] = Counter()
    ranked = []
    for mutant in found:
        ranked.append((taken[mutant.cell], mutant))
        taken[mutant.cell] += 1
    ranked.sort(key=lambda pair: pair[0])
    return [Mutant(number, mutant.command) for number, (_, mutant) in enumerate(ranked[:count], start=1)]


def with_mutants(verilog: str, top: str, mutants: Sequence[Mutant]) -> str:
    """Verilog of the circuit with one more input, `mutsel`, that selects a mutant by its number."""
    control = f"mutate -ctrl {SELECT} {SELECT_BITS} "
    return _yosys(verilog, top, [m.command.replace("mutate ", f"{control}{m.number} ") for m in mutants], "out.v")


@lru_cache(maxsize=2)  # the circuit itself, asked for with each mutant, and the last mutant
def single(verilog: str, top: str, mutant: Mutant | None) -> str:
    """Verilog of the circuit with one mutant in it, or none."""
    return _yosys(verilog, top, [mutant.command] if mutant else [], "out.v")


def reached(verilog: str, top: str) -> Reach:
    """What can reach an output of the circuit that the mutants are chosen in."""
    return Reach(_yosys(verilog, top, ["write_json out.json"], "out.json"), top)


def _yosys(verilog: str, top: str, commands: Sequence[str], result: str) -> str:
    script = [*(command.format(top=top) for command in _READ), *commands, "opt_clean", "write_verilog -noattr out.v"]
    return yosys.run(script, {"design.v": verilog}, [result], f"Mutants of {top}")[result]


def trials(verilog: str, top: str, bench: str, count: int, environment: Mapping[str, str]) -> set[int]:
    """The numbers of the mutants that the bench kills."""
    waiting, killed = list(range(1, count + 1)), set[int]()
    with tempfile.TemporaryDirectory(prefix="gatewright-mutants-") as name:
        folder = Path(name)
        job, progress = folder / "job.json", folder / "progress"
        while waiting:
            job.write_text(json.dumps({"bench": bench, "mutants": waiting, "progress": str(progress)}))
            progress.write_text("")
            settings = {"COCOTB_LOG_LEVEL": "CRITICAL", "GATEWRIGHT_MUTANTS": str(job), **environment}
            results = cocotb_bench.results(verilog, top, DRIVER, folder, environment=settings, quick=True)
            begun, passed = _read_progress(progress, bench, [*results.failed])
            killed |= begun - passed
            waiting = [number for number in waiting if number > max(begun)]  # where the simulator ended early, the others are still to come
    return killed


def _read_progress(path: Path, bench: str, failed: Sequence[str]) -> tuple[set[int], set[int]]:
    """Which mutants were tried, and which of them passed every test."""
    rows = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    begun, passed = {mutant for mutant, _ in rows}, {mutant for mutant, left in rows if left == 0}
    if 0 not in passed:
        raise Mismatch(f"{bench} fails on the circuit without a mutant ({', '.join(failed) or 'it did not run'}). Mend that first.")
    return begun - {0}, passed - {0}


def judged(mutant: Mutant, verilog: str, top: str, seconds: float, reach: Reach | None = None) -> Verdict:
    """A proof that a mutant which no test noticed is no fault; if there is none, why."""
    if reach and reach.harmless(mutant.mode, mutant.place):
        return Verdict(mutant, "equivalent", "it cannot change an output")
    if not seconds:
        return Verdict(mutant, "unresolved", "no proof was tried")
    try:
        assert_equivalent(single(verilog, top, None), single(verilog, top, mutant), top=top, seconds=seconds)
    except Undecided:
        return Verdict(mutant, "unresolved", f"undecided after {seconds:.0f} s")
    except Mismatch as difference:
        return Verdict(mutant, "unresolved", f"can be told apart: {difference}")
    return Verdict(mutant, "equivalent")


def table(scores: Mapping[str, Score], thresholds: Mapping[str, float]) -> list[str]:
    """A line for each block, their sum, and what is left unresolved."""
    rows: list[tuple[str, ...]] = [("block", "mutants", "killed", "equivalent", "unresolved", "score", "seconds")]
    for name, score in scores.items():
        rows.append(_row(name, score.verdicts, score.seconds))
    rows.append(_row("all", [v for score in scores.values() for v in score.verdicts], sum(score.seconds for score in scores.values())))
    width = max(len(name) for name in [row[0] for row in rows])
    lines = [f"{row[0]:<{width}}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows]
    for name, score in scores.items():
        lines += [f"unresolved: {name}: {verdict.mutant}: {verdict.reason}" for verdict in score.unresolved]
        if score.value < thresholds[name]:
            lines.append(f"{name}: the score {score.value:.1%} is under its threshold {thresholds[name]:.1%}.")
    return lines


def _row(name: str, verdicts: Sequence[Verdict], seconds: float) -> tuple[str, ...]:
    score = Score(tuple(verdicts), seconds)
    counts = [str(score.count(outcome)) for outcome in ("killed", "equivalent", "unresolved")]
    return name, str(len(verdicts)), *counts, f"{score.value:.1%}", f"{seconds:.0f}"


def passes(scores: Mapping[str, Score], thresholds: Mapping[str, float]) -> bool:
    return all(score.value >= thresholds[name] for name, score in scores.items())
