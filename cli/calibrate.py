"""`gatewright calibrate`: measure a plan of small accelerators, fit the cost model, show its error on what it did not see."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import DONE, FAILED, Json, Output, Quiet, Seed, parse_toml, read_text
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.heldout import HeldOut
    from gatewright.sim.calibration import Plan
    from gatewright.sim.measurement import Measurement

PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="Probes, as examples/plan.toml (or JSON); else the full plan.", metavar="PLAN")
]
PlotFile = Annotated[Path | None, typer.Option("--plot", help="Draw predicted against measured energy, a page.", metavar="FILE.html")]
OutFile = Annotated[Path | None, typer.Option("--out", help="Write the measurements to a file.", metavar="FILE")]
Liberty = Annotated[list[Path] | None, typer.Option("--liberty", help="A standard-cell library; may be repeated.", metavar="FILE")]
Named = Annotated[str | None, typer.Option("--technology", help="An embedded technology: ihp130 (default), sky130, asap7.", metavar="NAME")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that measure side by side.")]

ENOUGH = 15  # accelerators to fit to: a family of parts has about as many unit costs of energy, which fewer hardly tell apart
UNITS = {
    "area_mape": "share",
    "area_worst": "share",
    "energy_mape": "share",
    "energy_worst": "share",
    "zero_delay_mape": "share",
    "zero_delay_worst": "share",
    "energy_mape_with_memories": "share",
    "energy_logic_pj": "pJ per run",
    "energy_with_memories_pj": "pJ per run",
    "seconds": "s",
}


def calibrate(
    plan: PlanFile = None,
    out: OutFile = None,
    plot: PlotFile = None,
    technology: Named = None,
    liberty: Liberty = None,
    workers: Workers = 2,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measure a plan of accelerators on gates, fit the cost model, print its error on what it was not fitted to."""
    from gatewright.dse.calibration_plot import calibration_info, calibration_plot
    from gatewright.dse.cost import CostModel
    from gatewright.dse.heldout import heldout
    from gatewright.sim import files
    from gatewright.sim.calibration import measure_plan
    from gatewright.sim.measurement import save
    from gatewright.sim.plan import FULL
    from gatewright.sim.probe import Result
    from gatewright.sim.technology import technology_named

    if liberty and technology:
        raise BadInput("--liberty and --technology both name a library: give one of them.")
    process = technology_named(technology) if technology else None
    for path in (out, plot):
        if path:
            files.check(path)
    output, start = Output(as_json, quiet), monotonic()
    chosen = _plan(plan) if plan else FULL
    if seed:
        chosen = chosen.replace(probes=tuple(probe.replace(seed=probe.seed + seed) for probe in chosen.probes))
    reused = 0
    with output.progress() as bar:
        task = bar.add_task("Measuring accelerators", total=len(chosen.probes))

        def show(result: Result) -> None:
            nonlocal reused
            reused += result.reused
            bar.advance(task)

        measurements = measure_plan(chosen, process, progress=show, liberty=tuple(liberty or ()), workers=workers)
    if reused:
        output.note(f"{reused} of {len(chosen.probes)} measurements were already in the cache")
    if out:
        save(measurements, out)
    errors = heldout(CostModel(measurements))
    if plot:
        files.write(plot, calibration_plot(calibration_info(errors)).to_html(include_plotlyjs=True))
    blocks = sum(len(m.parts) for m in measurements)
    distinct = len({(m.config.content_hash, key) for m in measurements for key in m.parts})
    record = {
        "accelerators": len(measurements),
        "blocks": blocks,
        "reused": reused,
        "technology": measurements[0].technology,
        "heldout": summary(errors) | {"energy_mape_with_memories": (whole := errors_with_memories(errors, measurements))},
        "energy_logic_pj": logic(errors, measurements),
        "energy_with_memories_pj": claims(measurements),
        "note": (note := few(len(measurements) - 1)),
        "out": out,
        "plot": plot,
        "units": UNITS,
        "seconds": round(monotonic() - start, 1),
    }
    line = (
        f"{len(measurements)} accelerators, {distinct} measured blocks ({reused} accelerators from the cache), {record['seconds']} s. "
        f"Complete accelerators, each predicted without its own measurement: area within {errors.area_mape:.1%}, "
        f"energy of the logic within {errors.energy_mape:.1%} on average and {errors.energy_worst:+.1%} at worst; "
        f"with memories at half, once and twice their cost within {', '.join(f'{share:.1%}' for share in whole.values())}; "
        f"layers with wrong cycles: {errors.cycles_wrong}."
    )
    tables = (families(errors), "", operators(errors), "", accelerators(errors, claims(measurements)), "")
    output.emit(record, Group(*tables, line, *filter(None, [note]), *(f"Written to {path}." for path in (out, plot) if path)))
    raise typer.Exit(FAILED if errors.cycles_wrong else DONE)


def _plan(path: Path) -> "Plan":
    from gatewright.sim.calibration import plan_from

    text = read_text(path)
    return plan_from(parse_json(text, str(path)) if path.suffix == ".json" else parse_toml(text, str(path)))


def parse_json(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{name} is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{name} must hold a JSON object; got {type(found).__name__}.")
    return found


def summary(errors: "HeldOut") -> dict[str, object]:
    """The held-out errors as the command's JSON gives them; shares, not per cent."""
    from gatewright.dse.heldout import worst

    return {
        "area_mape": errors.area_mape,
        "energy_mape": errors.energy_mape,
        "energy_worst": errors.energy_worst,
        "zero_delay_mape": errors.zero_delay_mape,
        "cycles_wrong": errors.cycles_wrong,
        "not_scored": list(errors.alone),
        "families": {
            name: {
                "blocks": len(rows),
                "area_mape": _mean([row.area_error for row in rows]),
                "energy_mape": _mean([row.energy_error for row in rows]),
            }
            for name, rows in errors.families().items()
        },
        "operators": {
            name: {
                "accelerators": len(rows),
                "area_mape": _mean([row.area_error for row in rows]),
                "area_worst": worst(row.area_error for row in rows),
                "energy_mape": _mean([row.energy_error for row in rows]),
                "energy_worst": worst(row.energy_error for row in rows),
                "zero_delay_mape": _mean([row.settled_error for row in rows]),
                "zero_delay_worst": worst(row.settled_error for row in rows),
            }
            for name, rows in errors.by_operator().items()
        },
    }


def _mean(errors: list[float | None]) -> float | None:
    known = [abs(error) for error in errors if error is not None]
    return float(np.mean(known)) if known else None


def families(errors: "HeldOut") -> Table:
    """Signed errors by family of parts; the share says how much of all energy a family has."""
    table = Table(title="Held-out error by kind of block", box=None, pad_edge=False)
    headings = (
        "block",
        "measured",
        "share of area",
        "area, mean",
        "bias",
        "worst",
        "share of energy",
        "energy, mean",
        "bias",
        "worst",
        "where",
    )
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i in (0, len(headings) - 1) else "right")
    area, energy = (sum(getattr(row, name) for row in errors.whole) for name in ("area_um2", "energy_pj"))
    for name, rows in errors.families().items():
        by_area = [row.area_error for row in rows if row.area_error is not None]
        by_energy = [(row.energy_error, f"{row.name} {row.part}") for row in rows if row.energy_error is not None]
        worst = max(by_energy, key=lambda item: abs(item[0]), default=(None, ""))
        table.add_row(
            name,
            str(len(rows)),
            f"{sum(row.area_um2 for row in rows) / area:.1%}",
            *_statistics(by_area),
            f"{sum(row.energy_pj for row in rows) / energy:.1%}",
            *_statistics([error for error, _ in by_energy]),
            worst[1],
        )
    return table


def operators(errors: "HeldOut") -> Table:
    """Signed errors by operator: the grid's energy in its layers, the area of its lanes, generators and part of the elements."""
    table = Table(title="Held-out error by operator", box=None, pad_edge=False)
    headings = (
        "operator",
        "measured",
        "area, mean",
        "bias",
        "worst",
        "energy, mean",
        "bias",
        "worst",
        "where",
        "without glitches",
        "bias",
        "worst",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("operator", "where") else "right")
    for name, rows in (*errors.by_operator().items(), ("all", errors.operators)):
        area, energy, settled = ([getattr(row, kind) or 0.0 for row in rows] for kind in ("area_error", "energy_error", "settled_error"))
        where = max(rows, key=lambda row: abs(row.energy_error or 0.0))
        table.add_row(name, str(len(rows)), *_statistics(area), *_statistics(energy), where.name, *_statistics(settled))
    return table


def _statistics(errors: list[float]) -> tuple[str, str, str]:
    if not errors:
        return "", "", ""
    return f"{np.mean(np.abs(errors)):.1%}", f"{np.mean(errors):+.1%}", f"{max(errors, key=abs):+.1%}"


def few(others: int) -> str | None:
    """A note on errors of a small plan; None for a larger one. `others`: accelerators that each prediction was fitted to."""
    if others >= ENOUGH:
        return None
    return (
        f"Each prediction is fitted to {f'{others} other accelerators' if others > 1 else 'one other accelerator'}: too few to "
        "tell the unit costs of a kind of block apart, so errors are large; they say little about those of a plan of many."
    )


def logic(errors: "HeldOut", measurements: Sequence["Measurement"]) -> dict[str, dict[str, float | None]]:
    """Energy of every accelerator's logic in pJ per run, measured and predicted without it; None where nothing could predict it."""
    predicted = {row.name: row.predicted_pj for row in errors.whole}
    return {m.name: {"measured": m.energy_pj, "predicted": predicted.get(m.name)} for m in measurements}


def claims(measurements: Sequence["Measurement"]) -> dict[str, dict[str, float]]:
    """Measured energy of every accelerator in pJ per run, with memories at half, once and twice their cited cost."""
    from gatewright.sim.metrics import with_memories

    return {m.name: with_memories(m.energy_pj, m.memory_pj) for m in measurements}


def errors_with_memories(errors: "HeldOut", measurements: Sequence["Measurement"]) -> dict[str, float]:
    """Mean absolute relative error of complete accelerators' energy with memories, at the factors of their cost; accesses are exact."""
    claimed = claims(measurements)
    missed = [(abs(row.predicted_pj - row.energy_pj), claimed[row.name]) for row in errors.whole]
    names = missed[0][1] if missed else {}
    return {name: float(np.mean([pj / energies[name] for pj, energies in missed])) for name in names}


def accelerators(errors: "HeldOut", claimed: Mapping[str, Mapping[str, float]]) -> Table:
    """Complete accelerators: the logic measured beside predicted, and what is measured with memories."""
    table = Table(title="Complete accelerators: the logic's area, and its energy in pJ per run", box=None, pad_edge=False)
    headings = (
        "accelerator",
        "area um2",
        "predicted",
        "error",
        "energy",
        "predicted",
        "error",
        "with memories at 0.5",
        "1",
        "2 x their cost",
    )
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    for row in errors.whole:
        more = (f"{pj:,.0f}" for pj in claimed[row.name].values())
        sizes = (f"{row.area_um2:,.0f}", f"{row.predicted_um2:,.0f}", f"{row.area_error or 0:+.1%}")
        table.add_row(row.name, *sizes, f"{row.energy_pj:,.0f}", f"{row.predicted_pj:,.0f}", f"{row.energy_error or 0:+.1%}", *more)
    return table
