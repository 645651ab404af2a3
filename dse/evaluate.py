"""One trial: a network on its best accelerator, priced, and only if it is within the budget trained. Runs in worker processes."""

from dataclasses import replace
from functools import lru_cache
from typing import Literal

from pydantic import Field

from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.dse.work import Run
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim.metrics import Metrics
from gatewright.sw import data
from gatewright.sw.accuracy import Accuracy, accuracy
from gatewright.sw.activity import IMAGES, Activity, activities
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import Dataset
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.layers import Workload
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture, workload
from gatewright.sw.train import train

Status = Literal["trained", "over_budget", "impossible", "repeated"]


class Source(Noun):
    """Which images; see `gatewright.sw.data.load`."""

    dataset: str
    folder: str | None = None
    validation: int = 5000

    def load(self) -> Dataset:
        return _dataset(self)


@lru_cache(maxsize=2)
def _dataset(source: Source) -> Dataset:
    return data.load(source.dataset, source.folder, source.validation)


class Budget(Noun):
    """Limits per image; a design beyond one of them is not trained. Energy is the logic's plus `memories` times the memories'."""

    energy_pj: float | None = None
    area_um2: float | None = None
    latency_ns: float | None = None
    memories: float = 0.0

    def excess(self, metrics: Metrics) -> str | None:
        """Which limit a design breaks, with its value."""
        found = {"energy_pj": metrics.with_memories(self.memories), "area_um2": metrics.area_um2, "latency_ns": metrics.latency_ns}
        over = [
            f"{name} {value:.4g} exceeds {limit:.4g}" for name, value in found.items() if (limit := getattr(self, name)) and value > limit
        ]
        return over[0] if over else None


class Pricing(Noun):
    """How accelerators are priced: images a run, clock, the weight of the memories' energy in choosing mappings, and by which cost model.

    `technology`: the model's, unless `measurements` names a file of measurements to fit one to.
    """

    images: int = Field(default=1, ge=1)
    clock_ns: float = Field(default=20.0, gt=0)
    memories: float = 0.0
    fit_buffers: bool = True
    technology: str = "ihp130"
    measurements: str | None = None


class Task(Noun):
    """A network to evaluate, and the accelerators it may run on. `sample`: how many training images it sees; None: all."""

    architecture: Architecture
    configs: tuple[AcceleratorConfig, ...]
    pricing: Pricing
    budget: Budget
    source: Source
    recipe: Recipe
    sample: int | None = None


class Outcome(Noun):
    """What a trial gave. `rule` says why a point was not trained. `config` and `mappings` are those the metrics belong to."""

    status: Status
    rule: str = ""
    config: AcceleratorConfig | None = None
    mappings: tuple[Mapping, ...] = ()
    metrics: Metrics | None = None
    accuracy: Accuracy | None = None
    recipe: Recipe | None = None


@lru_cache(maxsize=4)
def mapper(pricing: Pricing) -> Mapper:
    """A process's mapper; it remembers the layers it has mapped."""
    model = CostModel.named(pricing.technology, pricing.measurements)
    return Mapper(model, pricing.images, pricing.clock_ns, pricing.memories)


def price(work: Workload, config: AcceleratorConfig, pricing: Pricing, run: Run | None = None) -> Outcome:
    """The cheapest way found to run a network on an accelerator: buffers, mappings and predicted cost, as a trial not trained.

    run: what the network does on it, if that is known.
    """
    planner = mapper(pricing)
    run = run or planner.run(work, config)
    fitted, run = planner.fitted(work, config, run) if pricing.fit_buffers else (config, run)
    metrics = planner.model.bill(fitted, run, pricing.clock_ns).metrics
    return Outcome(status="over_budget", config=fitted, mappings=planner.map(work, config), metrics=metrics)


def cheapest(work: Workload, configs: tuple[AcceleratorConfig, ...], pricing: Pricing, budget: Budget) -> Outcome:
    """A network on its accelerator of least energy: within the limits on area and latency if one is, else of all.

    Raises BadInput, with a rule that the last accelerator breaks, if the network runs on none.
    """
    planner, rule, limits = mapper(pricing), BadInput(f"There is no accelerator for {work.name}."), budget.replace(energy_pj=None)
    found: list[tuple[bool, float, int, AcceleratorConfig, Run]] = []
    for config in configs:
        try:
            run = planner.run(work, config)
        except BadInput as error:
            rule = error
            continue
        metrics = planner.model.bill(config, run, pricing.clock_ns).metrics
        found.append((limits.excess(metrics) is not None, metrics.with_memories(budget.memories), len(found), config, run))
    if not found:
        raise rule
    _, _, _, best, run = min(found, key=lambda each: each[:3])
    return price(work, best, pricing, run)


def evaluate(task: Task) -> Outcome:
    """Choose a network's accelerator and, within the budget, train it and take its validation accuracy."""
    try:
        priced = cheapest(workload(task.architecture), task.configs, task.pricing, task.budget)
    except BadInput as error:
        return Outcome(status="impossible", rule=str(error))
    assert priced.metrics is not None
    if rule := task.budget.excess(priced.metrics):
        return priced.replace(rule=rule)
    images = task.source.load()
    seen = images if task.sample is None else replace(images, train=images.train.take(slice(0, task.sample)))
    network = train(task.architecture, seen, task.recipe).export()
    reached = accuracy(network, images.validation, images.maximum)
    metrics = known(network, priced, task.pricing, images).replace(accuracy=reached.value)
    return priced.replace(status="trained", accuracy=reached, metrics=metrics, recipe=task.recipe)


def known(network: IntegerNetwork, priced: Outcome, pricing: Pricing, images: Dataset) -> Metrics:
    """The cost of a trained network: as priced, with its own operands on training images."""
    assert priced.config is not None
    planner, work = mapper(pricing), network.workload
    return planner.predict(planner.schedule(work, priced.config, priced.mappings), moved(network, priced.config, images)).metrics


def moved(network: IntegerNetwork, config: AcceleratorConfig, images: Dataset) -> tuple[Activity, ...]:
    """How much a network's operands move, on training images."""
    taken = images.train.take(slice(0, IMAGES))
    return activities(network, data.encode(network.layers[0].layer.operator, taken.images, images.maximum), config.operand_bits)
