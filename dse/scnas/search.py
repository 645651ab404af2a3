"""A search: draw a network, price it, and only within the budget look at its accuracy."""

import hashlib
import math
from pathlib import Path

import optuna

from gatewright.dse.evaluate import Outcome, Source
from gatewright.dse.scnas.methods import Method, sampler
from gatewright.dse.scnas.part import Part
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.price import bill, pricing
from gatewright.dse.scnas.result import Point, Search
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.models import Architecture
from gatewright.sw.supernet import estimate, load

WORST = -1.0  # the reward of a network that cannot be built, and of one at twice the budget or more


def budget(plan: Plan, fixed: Architecture, method: Method) -> float:
    """Energy of the logic in pJ that a method's networks may take: a part of the reference network's in 8-bit integers.

    Of its energy in floating point where the method's networks are: the budget lets in the same networks.
    """
    own = fixed.replace(operators=tuple(operator_named(name) for name in method.operators)) if method.kind == "float" else fixed
    found = bill(own, plan, pricing(plan))
    if found.metrics is None:
        raise BadInput(f"The reference network {fixed.name} cannot be built: {found.rule} Choose other widths or grids in the plan.")
    return plan.budget * found.metrics.energy_pj


def reward(energy_pj: float, limit_pj: float, accuracy: float | None, halving: float) -> float:
    """What a search maximises: above the budget minus the excess, else accuracy with the energy at an exchange rate."""
    if accuracy is None:
        return max(WORST, 1 - energy_pj / limit_pj)
    return accuracy - halving * math.log2(energy_pj / limit_pj)


def search(method: Method, plan: Plan, limit_pj: float, shared: Path, source: Source, file: Path) -> Search:
    """Draw points until enough are scored. The same arguments give the same points, whether or not interrupted. Runs in a worker.

    limit_pj: the budget. shared: the super-network's file. file: where the search stands (`Part`).
    """
    part, images, weights = Part(file), source.load(), load(shared)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler(method, plan, seed(plan, method)))
    distributions = method.distributions(plan)
    points: list[Point] = []
    values: dict[str, tuple[Point, float]] = {}
    scored = 0
    while len(points) < plan.points and scored < plan.scored:
        trial = study.ask(fixed_distributions=dict(distributions))
        try:
            network = method.architecture(plan, trial.params, images.shape, images.classes)
        except BadInput:
            points.append(Point(number=trial.number, status="impossible"))
            study.tell(trial, WORST)
            continue
        if network.content_hash in values:
            known, value = values[network.content_hash]
            points.append(known.replace(number=trial.number, status="repeated"))
            study.tell(trial, value)
            continue
        point = part.point(trial.number, network)
        if point is None:
            point = priced(trial.number, network, bill(network, plan, pricing(plan)), limit_pj)
            if point.status == "scored":
                point = point.replace(estimate=estimate(weights, network, images, plan.settled, plan.seen))
            part.keep(network, point)
        value = WORST if point.energy_pj is None else reward(point.energy_pj, limit_pj, point.estimate, plan.halving)
        scored += point.status == "scored"
        points.append(point)
        values[network.content_hash] = point, value
        study.tell(trial, value)
    return Search(
        method=method.name,
        label=method.label,
        kind=method.kind,
        space=float(method.size(plan)),
        budget_pj=limit_pj,
        points=tuple(points),
        seconds=round(part.seconds, 1),
    )


def priced(number: int, network: Architecture, found: Outcome, limit_pj: float) -> Point:
    """A new network's point before its accuracy is known, by its bill."""
    if found.metrics is None:
        return Point(number=number, status="impossible", architecture=network)
    energy = found.metrics.energy_pj
    return Point(
        number=number,
        status="scored" if energy <= limit_pj else "over_budget",
        architecture=network,
        energy_pj=energy,
        memory_energy_pj=found.metrics.memory_energy_pj,
    )


def seed(plan: Plan, method: Method) -> int:
    """A method's own seed."""
    return int.from_bytes(hashlib.sha256(f"{plan.seed}:{method.name}".encode()).digest()[:4], "big")


def front(points: tuple[Point, ...]) -> list[Point]:
    """The scored points that no other beats in both energy and estimate, the cheapest first."""
    found: list[Point] = []
    for point in sorted((p for p in points if p.status == "scored"), key=lambda p: (p.energy_pj, -(p.estimate or 0), p.number)):
        if not found or (point.estimate or 0) > (found[-1].estimate or 0):
            found.append(point)
    return found


def chosen(search: Search, count: int, halvings: tuple[float, ...]) -> list[Point]:
    """Points to train to the end: for each exchange rate of accuracy for energy the best of the front, each once, at most `count`."""
    best: dict[int, Point] = {}
    candidates = front(search.points)
    for halving in halvings if candidates else ():
        rewards = [reward(p.energy_pj or 0, search.budget_pj, p.estimate, halving) for p in candidates]
        point = candidates[rewards.index(max(rewards))]
        best.setdefault(point.number, point)
    spare = [p for p in reversed(candidates) if p.number not in best]
    return [*best.values(), *spare][:count]
