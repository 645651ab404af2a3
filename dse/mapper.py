"""The schedule of each layer: of all legal mappings the one that costs least, certified by bounds, with exact counts and cycles.

A layer's cost is predicted with the layer on its own, every load and every wait counted; that it overlaps with its neighbours is left out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.dse import memories
from gatewright.dse.batch import Batch, Integers, mapping_of
from gatewright.dse.cost import CostModel, Floats, Prediction
from gatewright.dse.space import BUFFERS
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.activity import Activity
from gatewright.sw.counts import count
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.mapping import Mapping, no_mapping
from gatewright.sw.schedule import Schedule, schedule, tiling

FIRST, MOST = 32, 4096  # mappings evaluated at a time, in the beginning and at most
READER = "reader"
Objective = Literal["energy", "latency", "edp"]


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
        self._known: dict[tuple[Layer, AcceleratorConfig, Operator | None], Mapping] = {}

    def layer(self, layer: Layer, config: AcceleratorConfig, following: Operator | None) -> Mapping:
        """The mapping of a layer whose results `following` reads (None: the logits). Raises BadInput if there is no legal one."""
        key = (layer.replace(name=READER + "s"), config, following)
        if key not in self._known:
            self._known[key] = self.certify(*key).mapping
        return self._known[key]

    def map(self, work: Workload, config: AcceleratorConfig) -> tuple[Mapping, ...]:
        """A mapping for each layer. Raises BadInput, naming the layer and the rule, where one has none."""
        chosen = []
        for i, layer in enumerate(work.layers):
            try:
                chosen.append(self.layer(layer, config, work.following(i)))
            except BadInput as error:
                raise BadInput(f"Layer {layer.name}: {error}") from None
        return tuple(chosen)

    def schedule(self, work: Workload, config: AcceleratorConfig, chosen: tuple[Mapping, ...] | None = None) -> Schedule:
        """The whole network, with mappings of its choice unless some are given."""
        return schedule(work, config, chosen or self.map(work, config), self.images)

    def predict(self, planned: Schedule, activities: Sequence[Activity] | None = None) -> Prediction:
        """`activities`: how much the layers' operands move, where the network is trained."""
        return self.model.predict(planned, self.clock_ns, activities)

    def certify(self, layer: Layer, config: AcceleratorConfig, following: Operator | None, objective: Objective = "energy") -> Certified:
        """The best of all legal mappings; equal costs go to fewer cycles, then to the first. Raises BadInput if there is none.

        Branch and bound: exact costs in the order of lower bounds, until no bound left is below the best cost. A bound has exact counts
        and fewer cycles, which cost nothing or more.
        """
        started = time.perf_counter()
        points = Batch(self.model, self.images, self.clock_ns, self.memories)
        points.add(layer, config, following)
        legal = points.legal(0)
        if not len(legal):
            raise BadInput(no_mapping(layer, config, self.images, following))

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

    def score(self, layer: Layer, config: AcceleratorConfig, mapping: Mapping, following: Operator | None) -> tuple[float, int]:
        """Energy in pJ and cycles of one layer on its own, for all images of a run."""
        planned = alone(layer, config, mapping, self.images, following)
        counts = count(planned)
        energy = self.model.logic_pj(config, Work.of(layer, counts[0], config, following), self.clock_ns)
        if self.memories:
            accesses = memories.accesses(planned, counts)[0]
            energy += self.memories * memories.energy_pj(config, accesses, counts[0].cycles, self.clock_ns, self.model.memories)
        return energy, counts[0].cycles

    def fitted(self, work: Workload, config: AcceleratorConfig) -> AcceleratorConfig:
        """The configuration with every buffer as small as its mappings allow without more energy, memories counted."""
        chosen = self.map(work, config)

        def energy(candidate: AcceleratorConfig) -> float:
            return self.predict(self.schedule(work, candidate, chosen)).metrics.with_memories(max(1.0, self.memories))

        least = energy(config)
        for name in BUFFERS:
            while getattr(config, name) > 4:
                smaller = config.replace(**{name: getattr(config, name) // 2})
                tilings = (tiling(work, smaller, mapping, self.images, i) for i, mapping in enumerate(chosen))
                if any(t.broken_rule() for t in tilings) or (cost := energy(smaller)) > least:
                    break
                config, least = smaller, cost
        return config


def alone(layer: Layer, config: AcceleratorConfig, mapping: Mapping, images: int, following: Operator | None) -> Schedule:
    """A layer with nothing before it, and after it only a reader of one pixel that sets its output format.

    Layer 0's counts are those of the layer as a network's first. So are its cycles, unless what follows has so many weights that loading
    them holds up layer 0's last results.
    """
    if following is None:
        return schedule(Workload(name=layer.name, layers=(layer,)), config, (mapping,), images)
    size = max(layer.out_h, layer.out_w)
    reader = Layer(name=READER, operator=following, C=layer.K, K=1, H=layer.out_h, W=layer.out_w, stride=size)
    return schedule(Workload(name=layer.name, layers=(layer, reader)), config, (mapping, Mapping()), images)
