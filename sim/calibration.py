"""The measuring side of calibration: a `Plan` is a list of probes; `measure_plan` measures them in worker processes.

Every result is cached by content, so an interrupted run goes on where it stopped, and one that changed nothing costs seconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.sim import processes
from gatewright.sim.measurement import Measurement
from gatewright.sim.probe import Probe, Result, measure_probe
from gatewright.sim.technology import EMBEDDED, Technology, from_liberty, technology_named

WORKERS = 2
EXAMPLE = "examples/plan.toml"


class Plan(Noun):
    """Probes to measure, their names all different."""

    probes: tuple[Probe, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Plan":
        names = [probe.name for probe in self.probes]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the names of probes must differ; {', '.join(repeated)} came twice")
        return self


def plan_from(tables: Mapping[str, Any]) -> Plan:
    """A plan as a person writes it: a list `probes`, each with `config` and `architecture`, whose operators may be names."""
    if set(tables) != {"probes"} or not isinstance(tables["probes"], list):
        raise BadInput(f"A plan has one key, probes, a list of tables; got {', '.join(sorted(tables)) or 'nothing'}; see {EXAMPLE}.")
    try:
        return Plan(probes=tuple(Probe(**_named(probe)) for probe in tables["probes"]))
    except BadInput as error:
        raise BadInput(f"{error} For a plan see {EXAMPLE}.") from None


def _named(fields: object) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise BadInput(f"A probe is a table; got {fields!r}.")
    result = dict(fields)
    for name in ("config", "architecture"):
        if isinstance(part := result.get(name), dict) and isinstance(operators := part.get("operators"), list):
            result[name] = part | {"operators": tuple(operator_named(entry) if isinstance(entry, str) else entry for entry in operators)}
    return result


def measure_plan(
    plan: Plan,
    technology: Technology | None = None,
    progress: Callable[[Result], None] | None = None,
    liberty: Sequence[Path] = (),
    workers: int = WORKERS,
) -> list[Measurement]:
    """Measure every probe, `workers` at a time, in the plan's order.

    technology: ihp130 unless it or `liberty` names another; with several workers an embedded one as it is, or the files. progress: called
    with each result, in the plan's order. The first error ends the run; what was measured before stays in the cache.
    """
    if workers == 1:
        used = technology or _technology("ihp130", tuple(liberty))
        return _collect((_measured(probe, used) for probe in plan.probes), progress)
    name = technology.name if technology is not None and technology.name in EMBEDDED else "ihp130"
    if technology is not None and technology.hash != _technology(name, tuple(liberty)).hash:
        raise BadInput(f"Worker processes cannot be handed the technology {technology.name}. Name its Liberty files, or give workers=1.")
    with processes.workers(workers) as pool:
        futures = [pool.submit(_work, probe.to_json(), name, tuple(liberty)) for probe in plan.probes]
        results = (future.result() for future in futures)
        return _collect((Result(Measurement.from_json(text), reused) for text, reused in results), progress)


def _collect(results: Iterable[Result], progress: Callable[[Result], None] | None) -> list[Measurement]:
    collected = []
    for result in results:
        collected.append(result.measurement)
        if progress:
            progress(result)
    return collected


@lru_cache(maxsize=2)
def _technology(name: str, liberty: tuple[Path, ...]) -> Technology:
    """That of the Liberty files, if there are any, else the embedded one of that name."""
    return from_liberty(*liberty) if liberty else technology_named(name)


def _work(probe: str, name: str, liberty: tuple[Path, ...]) -> tuple[str, bool]:
    """In a worker process."""
    result = _measured(Probe.from_json(probe), _technology(name, liberty))
    return result.measurement.to_json(), result.reused


def _measured(probe: Probe, technology: Technology) -> Result:
    """As `measure_probe`; an error names the probe."""
    try:
        return measure_probe(probe, technology)
    except BadInput as error:
        raise BadInput(f"Probe {probe.name}: {error}") from error
