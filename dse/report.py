"""The page of a run: one HTML file that needs nothing else, made from the run folder's records alone."""

from pathlib import Path
from typing import Any

from gatewright.dse.config import RunConfig
from gatewright.dse.evaluate import Outcome
from gatewright.dse.explore import Result
from gatewright.dse.pages import figure, render
from gatewright.dse.plots import energy_info, energy_plot, front_info, front_plot
from gatewright.dse.run import CONFIG, RECORD, REPORT, RESULT, TRIALS, Run
from gatewright.dse.words import accelerator_words, channels_words, network_words, operators_words
from gatewright.sim.metrics import MEMORY_FACTORS
from gatewright.sw.models import Architecture


def write(run: Run) -> Path:
    """Write the page into the run folder. Raises BadInput if the run has not finished."""
    run.write_text(REPORT, page(run))
    return run / REPORT


def page(run: Run) -> str:
    """The page as text. Same records, same page."""
    result, config = Result(**run.read(RESULT)), run.config
    trials = run.read(TRIALS)["trials"]
    wanted = config.target.accuracy_min
    return render(
        "report.j2",
        result=result,
        winner=result.winner,
        proof=result.proof,
        network=network_words(result.winner.architecture),
        accelerator=accelerator_words(result.winner.config),
        started=run.read(RECORD)["started"],
        comparison=comparison_info(result),
        memories=memory_info(result),
        factors=tuple(MEMORY_FACTORS),
        checks=check_info(result),
        trials=trials_info(trials),
        front=figure(front_plot(front_info(trials, result), wanted and 100 * wanted), "front"),
        energy=figure(energy_plot(energy_info(result)), "energy"),
        settings=(run / CONFIG).read_text(),
        effort=effort_info(result, config),
        channels=channels_words,
        operators=operators_words,
    )


def comparison_info(result: Result) -> list[dict[str, Any]]:
    """Rows of the table of predicted beside measured; `error` is signed, relative to the measurement."""
    rows = (
        ("energy of the logic", "energy_pj", "nJ an image", 1e-3, "calibrated", "measured"),
        ("energy of on-chip memories", "memory_energy_pj", "nJ an image", 1e-3, "cited", "cited"),
        ("energy of external memory", "external_energy_pj", "nJ an image", 1e-3, "cited", "cited"),
        ("area of the logic", "area_um2", "mm²", 1e-6, "calibrated", "measured"),
        ("area of on-chip memories", "memory_area_um2", "mm²", 1e-6, "cited", "cited"),
        ("cycles", "cycles", "an image", 1.0, "exact", "measured"),
        ("latency", "latency_ns", "µs a run", 1e-3, "exact", "measured"),
    )
    found = []
    for label, name, unit, scale, rests, gates in rows:
        mine, real = getattr(result.proof.predicted, name) * scale, getattr(result.proof.measured, name) * scale
        error = mine / real - 1 if real else 0.0
        found.append({"label": label, "unit": unit, "predicted": mine, "measured": real, "error": error, "rests": rests, "gates": gates})
    return found


def memory_info(result: Result) -> list[dict[str, Any]]:
    """nJ an image of the logic alone (factor 0), then with on-chip memories at half, once and twice their cited cost."""
    p, m = result.proof.predicted, result.proof.measured
    words = {0.0: "logic alone"} | {f: f"with memories, {word} their cited cost" for f, word in MEMORY_FACTORS.items()}
    return [
        {"factor": f, "label": label, "predicted": p.with_memories(f) / 1e3, "measured": m.with_memories(f) / 1e3}
        | {"error": p.with_memories(f) / m.with_memories(f) - 1}
        for f, label in words.items()
    ]


def check_info(result: Result) -> list[dict[str, Any]]:
    """The blocks measured on this machine, with signed errors; None where a block has no area or energy."""
    return [
        {
            "part": c.part,
            "area": c.area_um2,
            "area_error": c.predicted_um2 / c.area_um2 - 1 if c.area_um2 else None,
            "energy": c.energy_pj / 1e3,
            "energy_error": c.predicted_pj / c.energy_pj - 1 if c.energy_pj else None,
        }
        for c in result.proof.checks
    ]


def trials_info(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each trial, with why it has no accuracy where it has none."""
    rows = []
    for trial in trials:
        outcome = Outcome(**trial["outcome"]) if trial["outcome"] else Outcome(status="impossible", rule="interrupted")
        architecture = Architecture(**trial["architecture"]) if trial["architecture"] else None
        c, m = outcome.config, outcome.metrics
        rows.append(
            {
                "number": trial["number"],
                "status": outcome.status.replace("_", " "),
                "rule": outcome.rule,
                "channels": channels_words(architecture) if architecture else "",
                "operators": operators_words(architecture) if architecture else "",
                "grid": f"{c.rows} x {c.cols} x {c.operand_bits}" if c else "",
                "accuracy": outcome.accuracy.value if outcome.accuracy else None,
                "energy": m.energy_pj / 1e3 if m else None,
                "area": m.area_um2 / 1e6 if m else None,
                "cycles": m.cycles if m else None,
            }
        )
    return rows


def effort_info(result: Result, config: RunConfig) -> dict[str, Any]:
    """How much was searched, and how long each phase took in seconds."""
    return {
        "combinations": result.combinations,
        "trials": sum(result.tally.values()),
        "tally": ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in result.tally.items()),
        "phases": result.seconds,
        "sampler": config.search.sampler,
    }
