"""The tables of docs/scnas.md."""

from gatewright.dse.calibration_table import table
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Result
from gatewright.dse.scnas.tables import STATUSES, Row, rows, search_rows, standing_words, standings, verdict, winner_words
from gatewright.sw.accuracy import Accuracy

BESIDE = """Streams beside integers: to each integer design the stream design of least predicted energy that is no less accurate on
validation images, else the most accurate one (integers over streams: energy, more than 1 where streams take less; points: validation
accuracy of the streams above the integers', in percent):"""


def tables(result: Result) -> str:
    """Everything in Markdown: the winner, claims, designs, streams beside integers, the space, the searches, times."""
    designs = rows(result)
    seconds = ", ".join(f"{name} {value:,.0f} s" for name, value in result.seconds.items())
    provenance = "; ".join(f"{name} {value}" for name, value in result.provenance.items())
    parts = (
        f"{result.data}, seed {result.plan.seed}. {plan_words(result.plan)}.",
        f"Winner: {winner_words(designs[result.winner])}.",
        _claims(result),
        "Designs, nJ an image:",
        _designs(designs),
        BESIDE,
        "\n".join(f"- {line}." for line in standing_words(standings(result))),
        _standings(result),
        "The space:",
        table(("step", "why", "networks"), ((step.name, step.why, f"{step.size:.3g}") for step in result.steps), left=2),
        "The searches:",
        _searches(result),
        f"Times: {seconds}. {provenance}.",
    )
    return "\n\n".join(parts) + "\n"


def plan_words(plan: Plan) -> str:
    """How much is searched, in a sentence."""
    widths = "; ".join(", ".join(map(str, choice)) for choice in plan.widths)
    budget = "the reference network's" if plan.budget == 1 else f"{plan.budget:g} times the reference network's"
    parts = (
        f"{len(plan.widths)} convolutions to {widths} channels, kernels of {', '.join(map(str, plan.kernels))}",
        f"at most {budget} energy in 8-bit integers",
        f"at most {plan.points} points a search, {plan.scored} of them evaluated on {plan.seen:,} validation images",
        f"a super-network of {plan.shared.epochs} epochs",
        f"{plan.finalists} designs of each search that the claims are about and {plan.others} of the others, of {plan.final.epochs} epochs",
    )
    return "; ".join(parts)


def _claims(result: Result) -> str:
    headings = ("claim", "how it was taken", "paper", "here", "verdict")
    listed = []
    for claim in result.claims:
        listed.append((claim.name, claim.note, claim.claimed, claim.found, verdict(claim)))
    return table(headings, listed, left=2)


def _designs(designs: tuple[Row, ...]) -> str:
    headings = (
        "design",
        "convolutions",
        "circuits",
        "test accuracy, 95%",
        "predicted",
        "on gates",
        "memories half, once, twice",
        "mm²",
        "cycles",
    )
    listed = []
    for row in designs:
        known = row.best
        listed.append(
            (
                f"**{row.label}**" if row.winner else row.label,
                row.network,
                f"`{row.circuits}`",
                _accuracy(row.accuracy),
                f"{'≥ ' if row.bound else ''}{_nj(row.predicted.energy_pj)}",
                _nj(row.measured.energy_pj) if row.measured else "",
                ", ".join(map(_nj, known.with_memories_pj.values())),
                f"{known.area_um2 / 1e6:.3f}",
                f"{known.cycles:,.0f}",
            )
        )
    return table(headings, listed, left=3)


def _standings(result: Result) -> str:
    compared = ("test", "nJ", "test of streams", "nJ of streams", "integers over streams", "points", "rests on")
    headings = ("energy", "integer design", "stream design", *compared)
    listed = (
        (
            item.energy,
            f"{item.integer}: {item.network}",
            f"{item.stochastic}: {item.stochastic_network}",
            _accuracy(item.accuracy),
            _nj(item.energy_pj),
            _accuracy(item.stochastic_accuracy),
            _nj(item.stochastic_pj),
            f"{item.integers_over_streams:.2f}",
            f"{item.points:+.1f}",
            "gates" if item.measured else "prediction",
        )
        for item in standings(result)
    )
    return table(headings, listed, left=3)


def _searches(result: Result) -> str:
    headings = (
        "search",
        "its space",
        "budget, nJ",
        "points",
        "evaluated",
        "over budget",
        "impossible",
        "repeated",
        "best estimate",
        "seconds",
    )
    return table(
        headings,
        (
            (
                row.label,
                f"{row.space:.3g}",
                _nj(row.budget_pj),
                str(row.points),
                *(str(row.counts[status]) for status in STATUSES),
                f"{100 * row.best:.1f}%" if row.best is not None else "",
                f"{row.seconds:,.0f}",
            )
            for row in search_rows(result)
        ),
    )


def _accuracy(a: Accuracy) -> str:
    return f"{100 * a.value:.1f}% ({100 * a.low:.1f}..{100 * a.high:.1f}, n = {a.n:,})"


def _nj(pj: float) -> str:
    return f"{pj / 1e3:,.1f}"
