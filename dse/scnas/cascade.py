"""Two networks on one accelerator that has the circuits of both: the second runs only where the first's decision is not clear.

A layer with shorter streams runs on the circuits of longer ones, so a first pass with streams that end early needs no circuits of its own.
Everything is decided on validation images; the test images are read once, of the cascade that was chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from gatewright.dse.evaluate import Outcome, Pricing, known, mapper, moved, price
from gatewright.dse.finalists import fit_accumulators
from gatewright.dse.space import BUFFERS, operators
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.hw.split import divisible
from gatewright.sim.metrics import Metrics
from gatewright.sw.accuracy import Accuracy, wilson
from gatewright.sw.activity import Activity
from gatewright.sw.cascade import Passes, choose, logits, passes
from gatewright.sw.checkpoint import Trained
from gatewright.sw.data import Dataset
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.mapping import Mapping
from gatewright.sw.models import Architecture

TRIED = 6  # pairs that are priced on their joint accelerators, of those that promise most


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """A trained network with the accelerator of its own and what it costs there alone, with its own operands."""

    architecture: Architecture
    network: IntegerNetwork
    config: AcceleratorConfig
    metrics: Metrics


class Stage(Noun):
    """One network of a cascade. `alone`: cost on its own accelerator; `shared`: on the cascade's, with `mappings`, where it runs."""

    architecture: Architecture
    mappings: tuple[Mapping, ...]
    alone: Metrics
    shared: Metrics
    validation: Accuracy
    test: Accuracy


class Cascade(Noun):
    """Two networks on one accelerator; the second runs where the margin of the first one's logits is below `threshold`.

    `validation`, by which it was chosen, and `test`: how many images went on, and accuracy. `expected`: mean cost of an image with as many
    going on as of the validation images; `metrics`: as of the test images, which decided nothing. Both with memories, on `config`.
    """

    first: Stage
    second: Stage
    config: AcceleratorConfig
    threshold: int
    validation: Passes
    test: Passes
    expected: Metrics
    metrics: Metrics


@dataclass(frozen=True)
class _Priced:
    """Both networks on one accelerator."""

    config: AcceleratorConfig
    mappings: tuple[tuple[Mapping, ...], ...]
    metrics: tuple[Metrics, Metrics]


def member(trained: Trained, priced: Outcome, pricing: Pricing, images: Dataset) -> Member:
    """A trained network on the accelerator that it was priced on, accumulators fitted to its weights."""
    network = trained.export()
    assert priced.config is not None
    config = fit_accumulators(network, priced.config)
    metrics = known(network, priced.replace(config=config), pricing, images)
    return Member(architecture=trained.architecture, network=network, config=config, metrics=metrics)


def cascade(first: Member, second: Member, images: Dataset, pricing: Pricing, most: int = 512, wanted: float | None = None) -> Cascade:
    """Two networks joined: their accelerator of least expected energy, and the threshold that reaches `wanted` on validation images.

    wanted: accuracy; None: the second network's own. most: words of a buffer at the most. Raises BadInput where nothing reaches `wanted`.
    """
    return best((first, second), images, pricing, most, wanted, pairs=((0, 1),))


def best(
    members: Sequence[Member],
    images: Dataset,
    pricing: Pricing,
    most: int = 512,
    wanted: float | None = None,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Cascade:
    """Of all pairs of networks (or those of `pairs`) the cascade of least expected energy that reaches an accuracy on validation images.

    wanted: as for `cascade`; None of several networks: the most accurate one's. Energy as `pricing` weighs memories. The pairs that promise
    most by their costs alone are priced on joint accelerators. Of all pairs those whose first network needs no second are left out. Raises
    BadInput where no pair is left.
    """
    seen = [logits(member.network, images.validation, images.maximum) for member in members]
    labels = images.validation.labels
    if wanted is None and len(members) > 1:
        seconds = range(len(members)) if pairs is None else [second for _, second in pairs]
        wanted = max(_alone(seen[i], labels).value for i in seconds)
    promising, rule = [], BadInput(f"A cascade is made of two networks; got {len(members)}.")
    for i, j in pairs or permutations(range(len(members)), 2):
        try:
            chosen = choose(seen[i], seen[j], labels, wanted)
        except BadInput as error:
            rule = error
            continue
        if pairs is None and not chosen.second:
            rule = BadInput("No pair of networks is needed: one of them alone reaches the accuracy wanted. Take it, or want more.")
            continue
        alone = expected(members[i].metrics, members[j].metrics, chosen.part)
        promising.append((alone.with_memories(pricing.memories), i, j, chosen))
    if not promising:
        raise rule
    found = []
    for _, i, j, chosen in sorted(promising, key=lambda row: row[:3])[:TRIED]:
        joint = together(members[i], members[j], chosen.part, images, pricing, most)
        found.append((expected(*joint.metrics, chosen.part).with_memories(pricing.memories), i, j, chosen, joint))
    _, i, j, chosen, joint = min(found, key=lambda row: row[:3])
    return _finished((members[i], members[j]), (seen[i], seen[j]), chosen, joint, images)


def _finished(pair: tuple[Member, Member], seen: tuple[np.ndarray, np.ndarray], chosen: Passes, joint: _Priced, images: Dataset) -> Cascade:
    test = images.test()
    tested = [logits(member.network, test, images.maximum) for member in pair]
    reached = passes(tested[0], tested[1], test.labels, chosen.threshold)
    first, second = (
        Stage(
            architecture=member.architecture,
            mappings=joint.mappings[k],
            alone=member.metrics,
            shared=joint.metrics[k],
            validation=_alone(seen[k], images.validation.labels),
            test=_alone(tested[k], test.labels),
        )
        for k, member in enumerate(pair)
    )
    return Cascade(
        first=first,
        second=second,
        config=joint.config,
        threshold=chosen.threshold,
        validation=chosen,
        test=reached,
        expected=expected(*joint.metrics, chosen.part).replace(accuracy=chosen.accuracy.value),
        metrics=expected(*joint.metrics, reached.part).replace(accuracy=chosen.accuracy.value),
    )


def _alone(found: np.ndarray, labels: np.ndarray) -> Accuracy:
    return wilson(int((found.argmax(axis=1) == labels).sum()), len(labels))


def expected(first: Metrics, second: Metrics, part: float) -> Metrics:
    """Mean cost of an image of which `part` take the second pass too; the area is the greater, on one accelerator both networks'."""
    added = ("energy_pj", "memory_energy_pj", "external_energy_pj", "cycles", "latency_ns")
    sums = {name: getattr(first, name) + part * getattr(second, name) for name in added}
    areas = {name: max(getattr(first, name), getattr(second, name)) for name in ("area_um2", "memory_area_um2")}
    told = first.zero_delay_pj is not None and second.zero_delay_pj is not None
    settled = {"zero_delay_pj": (first.zero_delay_pj or 0) + part * (second.zero_delay_pj or 0) if told else None}
    return first.replace(**sums, **areas, **settled, accuracy=None)


def together(first: Member, second: Member, part: float, images: Dataset, pricing: Pricing, most: int = 512) -> _Priced:
    """Both networks on the accelerator that costs least where `part` of the images take the second pass.

    It has either network's grid, the circuits of both (circuits that no layer uses wait and are paid for), lanes that divide where that is
    possible, and buffers and accumulators that hold both.
    """
    pair, planner = (first, second), mapper(pricing)
    operands: dict[int, list[tuple[Activity, ...]]] = {}  # by bits of an element
    found: list[tuple[float, int, _Priced]] = []
    rule = BadInput("The two networks have no accelerator in common.")
    for config in _grids(first.config, second.config, most):
        try:
            priced = [price(member.network.workload, config, pricing) for member in pair]
            bits = max(fit_accumulators(member.network, config).accumulator_bits for member in pair)
            sizes = {name: max(getattr(outcome.config, name) for outcome in priced) for name in BUFFERS}
            joint = config.replace(accumulator_bits=bits, **sizes)
            chosen = tuple(planner.map(member.network.workload, joint) for member in pair)
        except BadInput as error:
            rule = error
            continue
        if joint.operand_bits not in operands:
            operands[joint.operand_bits] = [moved(member.network, joint, images) for member in pair]
        one, two = (
            planner.predict(planner.schedule(member.network.workload, joint, maps), moves).metrics
            for member, maps, moves in zip(pair, chosen, operands[joint.operand_bits], strict=True)
        )
        found.append((expected(one, two, part).with_memories(pricing.memories), len(found), _Priced(joint, chosen, (one, two))))
    if not found:
        raise rule
    return min(found)[-1]


def _grids(first: AcceleratorConfig, second: AcceleratorConfig, most: int) -> list[AcceleratorConfig]:
    """Accelerators for both, with large buffers."""
    wanted = operators((*first.operators, *second.operators))
    common = {"operators": wanted, "pooling": first.pooling or second.pooling, **dict.fromkeys(BUFFERS, most)}
    common["accumulator_bits"] = max(first.accumulator_bits, second.accumulator_bits)
    ways = (False, True) if divisible(wanted) else (False,)
    return list(dict.fromkeys(grid.replace(**common, split=split) for grid in (first, second) for split in ways))
