"""The run folder of a reproduction: what is searched is written down first, so that an interrupted run goes on as it began."""

import json
from datetime import UTC, datetime
from pathlib import Path

from gatewright.dse.run import CONFIG, RECORD, RESULT, Run, numbered
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Result
from gatewright.hw.errors import BadInput

SYSTEM = "scnas"


def create(root: Path, plan: Plan) -> Run:
    """A new folder `root/scnas-PLAN-NUMBER` with the plan in force."""
    run = Run(numbered(root, f"{SYSTEM}-{plan.name}"))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    run.write(RECORD, {"format": 1, "started": started, "reproduces": SYSTEM, "plan": plan.model_dump(mode="json")})
    tables = {"reproduce": {"system": SYSTEM, "plan": plan.name, "seed": plan.seed}, "data": plan.data.model_dump(exclude_none=True)}
    lines = [f"[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for table, keys in tables.items()]
    run.write_text(CONFIG, "\n".join(lines))
    return run


def plan_of(run: Run) -> Plan:
    """What a run searches."""
    return Plan(**run.read(RECORD)["plan"])


def resume(folder: Path, name: str | None, seed: int | None) -> Run:
    """An existing run, if it follows the plan of that name and has that seed; None: whichever it has. Raises BadInput otherwise."""
    run = Run(folder)
    plan = plan_of(run)
    for what, mine, its in (("plan", name, plan.name), ("seed", seed, plan.seed)):
        if mine not in (None, its):
            raise BadInput(
                f"{folder} was started with the {what} {its}, and now it is {mine}: a resumed run goes on as it began. "
                f"Resume with `gatewright reproduce {SYSTEM} --resume {folder}`, or start a new run."
            )
    return run


def result_of(run: Run) -> Result:
    """What a run found. Raises BadInput where it has not finished."""
    try:
        return Result(**run.read(RESULT))
    except BadInput:
        if (run / RESULT).exists():
            raise
        raise BadInput(
            f"{run.folder} has no {RESULT}: the run did not get so far. "
            f"Finish it with `gatewright reproduce {SYSTEM} --resume {run.folder}`."
        ) from None
