"""The schedule of each layer: of all legal mappings the one that costs least, certified by bounds, with exact counts and cycles.

A layer's cost is predicted with the layer on its own, every load and every wait counted; that it overlaps with its neighbours is left out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import model_validator

from gatewright.dse import memories
from gatewright.dse.batch import Batch, Integers, mapping_of
from gatewright.dse.cost import CostModel, Floats, Prediction
from gatewright.dse.features import LEAST
from gatewright.dse.space import BUFFERS
from gatewright.dse.work import Run, Work
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sw.activity import Activity
from gatewright.sw.counts import count
from gatewright.sw.layers import Context, FeatureMap, Layer, Workload
from gatewright.sw.mapping import Mapping, no_mapping
from gatewright.sw.schedule import Schedule, schedule, tiling

FIRST, MOST = 32, 4096  # mappings evaluated at a time, in the beginning and at most
READER = "reader"
SHAPE = {"name": "layer", "inputs": (), "output": "", "unit_weights": False, "relu": False}  # what else a layer has decides its mapping
Objective = Literal["energy", "latency", "edp"]
LOADED = ("weight_words", "activation_words")  # buffers whose loads wait for the grid where two do not find room
Waits = tuple[bool, ...]  # of each layer and each of `LOADED`; buffers' sizes change nothing else of what a layer does


@dataclass(frozen=True)
class Certified:
    """A layer's mapping with its cost for all images of a run, and how sure it is that no other legal mapping costs less.

    energy_pj: logic, plus the mapper's `memories` times the on-chip memories'. edp: pJ times cycles. certified: every other legal
    mapping was evaluated or bounded away. gap: 0.0 if certified, else cost / least bound left - 1. mappings: how many are legal.
    evaluated: how many of them were evaluated exactly.
    """

    mapping: Mapping
    energy_pj: float
    cycles: int
    edp: float
    certified: bool
    gap: float
    seconds: float
    mappings: int
    evaluated: int


class Mapper:
    """Chooses mappings and buffers for programs of `images` images a run; remembers every layer it has mapped.

    Energy is the logic's plus `memories` times the on-chip memories'; equal energies go to fewer cycles, then to the first mapping.
    `seconds` and `evaluations` end the search for a layer's mapping early: then it may not be certified.
    """

    def __init__(
        self,
        model: CostModel,
        images: int = 1,
        clock_ns: float = 20.0,
        memories: float = 0.0,
        seconds: float | None = None,
        evaluations: int | None = None,
    ) -> None:
        self.model, self.images, self.clock_ns, self.memories = model, images, clock_ns, memories
        self.seconds, self.evaluations = seconds, evaluations
        self._known: dict[tuple[Layer, AcceleratorConfig, Context], Mapping] = {}

    def layer(self, layer: Layer, config: AcceleratorConfig, context: Context) -> Mapping:
        """The mapping of a layer in its place. Raises BadInput if there is no legal one."""
        key = (layer.replace(**SHAPE), config, context)
        if key not in self._known:
            self._known[key] = self.certify(*key).mapping
        return self._known[key]

    def map(self, work: Workload, config: AcceleratorConfig) -> tuple[Mapping, ...]:
        """A mapping for each layer. Raises BadInput, naming the layer and the rule, where one has none."""
        chosen = []
        for i, layer in enumerate(work.layers):
            try:
                chosen.append(self.layer(layer, config, work.context(i)))
            except BadInput as error:
                raise BadInput(f"Layer {layer.name}: {error}") from None
        return tuple(chosen)

    def schedule(self, work: Workload, config: AcceleratorConfig, chosen: tuple[Mapping, ...] | None = None) -> Schedule:
        """The whole network, with mappings of its choice unless some are given."""
        return schedule(work, config, chosen or self.map(work, config), self.images)

    def predict(self, planned: Schedule, activities: Sequence[Activity] | None = None) -> Prediction:
        """`activities`: how much the layers' operands move, where the network is trained."""
        return self.model.predict(planned, self.clock_ns, activities)

    def certify(self, layer: Layer, config: AcceleratorConfig, context: Context, objective: Objective = "energy") -> Certified:
        """The best of all legal mappings; equal costs go to fewer cycles, then to the first. Raises BadInput if there is none.

        Branch and bound: exact costs in the order of lower bounds, until no bound left is below the best cost. A bound has exact counts
        and fewer cycles, which cost nothing or more.
        """
        started = time.perf_counter()
        points = Batch(self.model, self.images, self.clock_ns, self.memories)
        points.add(layer, config, context)
        legal = points.legal(0)
        if not len(legal):
            raise BadInput(no_mapping(layer, config, self.images, context))

        def costs(rows: Integers, exact: bool) -> tuple[Floats, Floats, Integers]:
            energies, cycles = points.evaluate(np.zeros(len(rows), np.int32), rows, exact)
            return {"energy": energies, "latency": cycles.astype(float), "edp": energies * cycles}[objective], energies, cycles

        bounds = costs(legal, False)[0]
        order = np.argsort(bounds, kind="stable")
        least = np.append(bounds[order], np.inf)  # of the mappings from a place in this order on
        most = len(legal) if self.evaluations is None else min(len(legal), max(1, self.evaluations))
        at, size, best = 0, FIRST, (np.inf, 0, 0, 0.0)
        while at < most and least[at] <= best[0]:
            if at and self.seconds is not None and time.perf_counter() - started > self.seconds:
                break
            chosen = order[at : min(at + size, most)]
            found, energies, cycles = costs(legal[chosen], True)
            first = np.lexsort((chosen, cycles, found))[0]
            best = min(best, (float(found[first]), int(cycles[first]), int(chosen[first]), float(energies[first])))
            at, size = at + len(chosen), min(2 * size, MOST)
        cost, cycles_best, place, energy = best
        certified = bool(least[at] > cost)
        gap = 0.0 if certified else float(cost / least[at] - 1)
        seconds = time.perf_counter() - started
        return Certified(mapping_of(legal[place]), energy, cycles_best, energy * cycles_best, certified, gap, seconds, len(legal), at)

    def score(self, layer: Layer, config: AcceleratorConfig, mapping: Mapping, context: Context) -> tuple[float, int]:
        """Energy in pJ and cycles of one layer on its own, for all images of a run."""
        planned = alone(layer, config, mapping, self.images, context)
        counts = count(planned)
        energy = self.model.logic_pj(config, Work.of(layer, counts[0], config, context), self.clock_ns)
        if self.memories:
            accesses = memories.accesses(planned, counts)[0]
            energy += self.memories * memories.energy_pj(config, accesses, counts[0].cycles, self.clock_ns, self.model.memories)
        return energy, counts[0].cycles

    def run(self, work: Workload, config: AcceleratorConfig) -> Run:
        """What the whole network does, with mappings of its choice."""
        return Run.of(self.schedule(work, config))

    def fitted(self, work: Workload, config: AcceleratorConfig, run: Run | None = None) -> tuple[AcceleratorConfig, Run]:
        """The configuration with every buffer as small as its mappings allow without more energy, memories counted; and its run.

        run: on the configuration, if it is known. Counts are made again only where a buffer becomes so small that loads wait.
        """
        chosen = self.map(work, config)
        words = [tiling(work, config, mapping, self.images, i).least_words for i, mapping in enumerate(chosen)]

        def waits(candidate: AcceleratorConfig) -> Waits:
            halves = {name: getattr(candidate, name) // 2 for name in LOADED}
            return tuple(each[name] > half for each in words for name, half in halves.items())

        runs: dict[Waits, Run] = {} if run is None else {waits(config): run}

        def energy(candidate: AcceleratorConfig) -> float:
            if (key := waits(candidate)) not in runs:
                runs[key] = Run.of(self.schedule(work, candidate, chosen))
            logic, memory = self.model.energies(candidate, runs[key], self.clock_ns)
            return logic + max(1.0, self.memories) * memory

        least = energy(config)
        for name in BUFFERS:
            least_words = max(LEAST, *(each[name] for each in words))
            while (size := getattr(config, name) // 2) >= least_words:
                smaller = config.model_copy(update={name: size})
                if (cost := energy(smaller)) > least:
                    break
                config, least = smaller, cost
        return config, runs[waits(config)]


class Alone(Workload):
    """A layer with the maps it reads from nowhere, and after it a reader that sets its output format (none: its results are the logits)."""

    context_of_first: Context

    @model_validator(mode="after")
    def _check(self) -> "Alone":
        return self  # the maps that the layer reads have no writers here

    def context(self, i: int) -> Context:
        return Context() if i else self.context_of_first

    @cached_property
    def maps(self) -> tuple[FeatureMap, ...]:
        first, around = self.layers[0], self.context_of_first
        read = [sum(parts) for parts in around.inputs] or [first.C]
        written = sum((*around.before, first.K, *around.after))
        found = [FeatureMap(str(k), channels, first.H, first.W, (), (0,)) for k, channels in enumerate(read)]
        found.append(FeatureMap(first.name, written, first.out_h, first.out_w, (0,), (1,) * (len(self.layers) > 1)))
        found += [FeatureMap(layer.name, layer.K, layer.out_h, layer.out_w, (1,), ()) for layer in self.layers[1:]]
        return tuple(found)

    def sources(self, i: int) -> tuple[int, ...]:
        return (len(self.maps) - 2,) if i else tuple(range(self.target(0)))

    def target(self, i: int) -> int:
        return len(self.maps) - len(self.layers) + i


def alone(layer: Layer, config: AcceleratorConfig, mapping: Mapping, images: int, context: Context) -> Schedule:
    """A layer with nothing before it, and after it only a reader of one pixel of its channels.

    Layer 0's counts are those of the layer as a network's first. So are its cycles, unless what follows has so many weights that loading
    them holds up layer 0's last results.
    """
    layers, after = [layer], context.output
    if after is not None:
        size = max(layer.out_h, layer.out_w)
        layers.append(Layer(name=READER, operator=after, C=layer.K, K=1, H=layer.out_h, W=layer.out_w, stride=size))
    work = Alone(name=layer.name, layers=tuple(layers), context_of_first=context)
    return schedule(work, config, (mapping, Mapping())[: len(layers)], images)
