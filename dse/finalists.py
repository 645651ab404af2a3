"""From trials to a winner: the best networks, each on its best accelerator, trained to the end."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from gatewright.dse.config import RunConfig
from gatewright.dse.evaluate import Budget, Outcome, Pricing, Source, known
from gatewright.dse.space import BITS_LEAST, BITS_MOST
from gatewright.dse.study import Record
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim.metrics import Metrics
from gatewright.sw import checkpoint
from gatewright.sw.accuracy import Accuracy, accuracy
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture
from gatewright.sw.program import check_accumulator
from gatewright.sw.train import train


class Finalist(Noun):
    """A network trained to the end, on the accelerator of least predicted energy for it.

    `validation` chose among finalists; `test` was read once and decided nothing. `trial` is where the network was found.
    """

    trial: int = Field(ge=0)
    architecture: Architecture
    config: AcceleratorConfig
    mappings: tuple[Mapping, ...]
    metrics: Metrics
    recipe: Recipe
    validation: Accuracy
    test: Accuracy


def budget(config: RunConfig) -> Budget:
    """The target's limits."""
    t = config.target
    return Budget(energy_pj=t.energy_pj_max, area_um2=t.area_um2_max, latency_ns=t.latency_ns_max, memories=t.memories)


def energy(config: RunConfig, metrics: Metrics | None) -> float:
    """The energy that the target speaks of, in pJ per image."""
    assert metrics is not None
    return metrics.with_memories(config.target.memories)


def shortlist(config: RunConfig, records: Iterable[Record]) -> list[Record]:
    """The trials whose networks are trained to the end.

    For the least energy: the cheapest of those within `slack` of the accuracy wanted, half of them such that reach it already if there
    are so many, and the most accurate where candidates are lacking. For the best accuracy: the most accurate.
    """
    number = config.search.finalists
    pool = [r for r in records if r.outcome is not None and r.outcome.accuracy is not None]
    pool.sort(key=lambda r: (energy(config, _outcome(r).metrics), r.number))
    best = sorted(pool, key=lambda r: (-_accuracy(r), energy(config, _outcome(r).metrics), r.number))
    wanted = config.target.accuracy_min
    if wanted is None:
        return best[:number]
    near = [r for r in pool if _accuracy(r) >= wanted - config.search.slack]
    sure = [r for r in pool if _accuracy(r) >= wanted]
    chosen = dict.fromkeys([*sure[: (number + 1) // 2], *near[:number], *sure, *best])
    return list(chosen)[:number]


def finish(
    trial: int, architecture: Architecture, priced: Outcome, recipe: Recipe, pricing: Pricing, source: Source, folder: Path
) -> Finalist:
    """Train to the end (or take the network trained before), fit the accumulators to its weights, price it. Runs in a worker."""
    path = folder / f"trial-{trial}.safetensors"
    images = source.load()
    trained = _trained(path, architecture, recipe)
    if trained is None:
        trained = train(architecture, images, recipe)
        checkpoint.save(trained, path)
    integers = trained.export()
    assert priced.config is not None
    config = fit_accumulators(integers, priced.config)
    metrics = known(integers, priced.replace(config=config), pricing, images)
    validation = accuracy(integers, images.validation, images.maximum)
    return Finalist(
        trial=trial,
        architecture=architecture,
        config=config,
        mappings=priced.mappings,
        metrics=metrics.replace(accuracy=validation.value),
        recipe=recipe,
        validation=validation,
        test=accuracy(integers, images.test(), images.maximum),
    )


def _trained(path: Path, architecture: Architecture, recipe: Recipe) -> Trained | None:
    """The network of an interrupted run, if it is this one."""
    if not path.is_file():
        return None
    found = checkpoint.load(path)
    return found if (found.architecture, found.recipe) == (architecture, recipe) else None


def fit_accumulators(integers: IntegerNetwork, config: AcceleratorConfig) -> AcceleratorConfig:
    """The configuration with the fewest accumulator bits that hold every sum these weights can give on any input."""
    for bits in range(BITS_LEAST, BITS_MOST + 1):
        fitted = config.replace(accumulator_bits=bits)
        try:
            for i in range(len(integers.layers)):
                check_accumulator(integers, i, fitted)
        except BadInput:
            continue
        return fitted
    raise BadInput(f"{integers.name}: sums do not fit accumulators of {BITS_MOST} bits. Choose fewer bits or channels.")


def winner(config: RunConfig, finalists: list[Finalist]) -> tuple[int, bool]:
    """Index of the winner, by validation accuracy and calibrated energy alone, and whether it meets the target."""
    wanted, limits = config.target.accuracy_min, budget(config)
    legal = [i for i, f in enumerate(finalists) if limits.excess(f.metrics) is None]

    def by_accuracy(i: int) -> tuple[float, float]:
        return -finalists[i].validation.value, energy(config, finalists[i].metrics)

    if wanted is None:
        return min(legal or range(len(finalists)), key=by_accuracy), bool(legal)
    enough = [i for i in legal if finalists[i].validation.value >= wanted]
    if not enough:
        return min(legal or range(len(finalists)), key=by_accuracy), False
    return min(enough, key=lambda i: (energy(config, finalists[i].metrics), -finalists[i].validation.value)), True


def _outcome(record: Record) -> Outcome:
    assert record.outcome is not None
    return record.outcome


def _accuracy(record: Record) -> float:
    reached = _outcome(record).accuracy
    return reached.value if reached else 0.0
