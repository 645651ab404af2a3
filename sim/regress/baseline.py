"""The committed figures, and how those of today compare with them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim import files
from gatewright.sim.regress.plan import BETTER_DOWN, Figure

Number = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Figures = dict[Figure, Number | None]
Verdict = Literal["same", "within", "regressed", "improved"]


class Entry(Noun):
    """A block's figures, and the hash of what was measured and how."""

    definition: str
    figures: Figures


class Baseline(Noun):
    """All blocks of a regression file, with what they were measured with."""

    format: Literal[1] = 1
    technology: str
    technology_hash: str
    tools: dict[str, str]
    blocks: dict[str, Entry]

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Raises BadInput for a file that is absent or not a baseline."""
        if not path.is_file():
            raise BadInput(f"There is no baseline {path}. Make it with --update, and commit it.")
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (BadInput, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is not a baseline ({error}). Restore it, or make it again with --update.") from None

    def write(self, path: Path) -> None:
        """Replace the file, whole or not at all."""
        files.write(path, json.dumps(json.loads(self.to_json()), indent=1) + "\n")


class Row(Noun):
    """One figure of one block; `change_percent` is None where there is no quotient."""

    block: str
    figure: Figure
    old: float | None
    new: float | None
    change_percent: float | None
    tolerance_percent: float
    verdict: Verdict


def baseline_path(file: Path) -> Path:
    """Where the baseline of a regression file lies: beside it."""
    return file.with_suffix(".baseline.json")


def compare(block: str, old: Figures, new: Figures, tolerances: Mapping[Figure, float]) -> list[Row]:
    """Every figure that either side has. One that appears or vanishes is a regression: it cannot be watched."""
    rows = []
    for figure in (figure for figure in BETTER_DOWN if old.get(figure) is not None or new.get(figure) is not None):
        before, now, tolerance = old.get(figure), new.get(figure), tolerances[figure]
        change = None
        if before is not None and now is not None and (before or not now):
            change = 100 * (now - before) / before if before else 0.0
        verdict = _verdict(before, now, change, tolerance, BETTER_DOWN[figure])
        fields = {"block": block, "figure": figure, "old": before, "new": now, "change_percent": change}
        rows.append(Row(**fields, tolerance_percent=tolerance, verdict=verdict))
    return rows


def _verdict(before: float | None, now: float | None, change: float | None, tolerance: float, better_down: bool) -> Verdict:
    if before is None or now is None:
        return "regressed"
    if before == now:
        return "same"
    if change is not None and abs(change) <= tolerance:
        return "within"
    return "improved" if (now < before) == better_down else "regressed"


def check(baseline: Baseline, definitions: Mapping[str, str], all_blocks: bool, technology_hash: str, path: Path) -> None:
    """Raises BadInput where the baseline cannot be compared with: a block it lacks, one too many, or measured otherwise."""
    faults = []
    if missing := [name for name in definitions if name not in baseline.blocks]:
        faults.append(f"it has no entry for {', '.join(missing)}")
    if stale := [name for name in baseline.blocks if all_blocks and name not in definitions]:
        faults.append(f"it has entries for blocks that the file no longer has: {', '.join(stale)}")
    if changed := [name for name, text in definitions.items() if name in baseline.blocks and baseline.blocks[name].definition != text]:
        faults.append(f"what is measured, its stimulus or the seed has changed since for {', '.join(changed)}")
    if baseline.technology_hash != technology_hash:
        faults.append(f"it was measured with another technology ({baseline.technology}, {baseline.technology_hash}, not {technology_hash})")
    if faults:
        raise BadInput(f"{path} does not fit: {'; '.join(faults)}. If that is meant, make it again with --update.")
