"""The schedule of each layer: among all legal mappings the one of least predicted energy, with exact counts and cycles.

A layer's energy is predicted with the layer on its own, every load and every wait counted; that it overlaps with its neighbours is left
out, and so are mappings beyond the first `limit` by a rough estimate of their cycles. This is not the certified mapper.
"""

import time
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from gatewright.dse import memories
from gatewright.dse.cost import CostModel, Prediction
from gatewright.dse.space import BUFFERS
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.counts import count
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.mapping import Mapping, Tiling, mappings, no_mapping
from gatewright.sw.schedule import Schedule, next_operator, schedule, tiling

LIMIT = 160  # mappings of a layer that are predicted; of more, those that move and issue least
SCAN = 20_000  # mappings of a layer that are looked at
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
    """

    def __init__(self, model: CostModel, images: int = 1, clock_ns: float = 20.0, memories: float = 0.0, limit: int = LIMIT) -> None:
        self.model, self.images, self.clock_ns, self.memories, self.limit = model, images, clock_ns, memories, limit
        self._known: dict[tuple[Layer, AcceleratorConfig, Operator | None], Mapping] = {}

    def layer(self, layer: Layer, config: AcceleratorConfig, following: Operator | None) -> Mapping:
        """The mapping of a layer whose results `following` reads (None: the logits). Raises BadInput if there is no legal one."""
        key = (layer.replace(name=READER + "s"), config, following)
        if key not in self._known:
            self._known[key] = self._choose(*key)
        return self._known[key]

    def map(self, work: Workload, config: AcceleratorConfig) -> tuple[Mapping, ...]:
        """A mapping for each layer. Raises BadInput, naming the layer and the rule, where one has none."""
        chosen = []
        for i, layer in enumerate(work.layers):
            try:
                chosen.append(self.layer(layer, config, next_operator(work, i)))
            except BadInput as error:
                raise BadInput(f"Layer {layer.name}: {error}") from None
        return tuple(chosen)

    def schedule(self, work: Workload, config: AcceleratorConfig, chosen: tuple[Mapping, ...] | None = None) -> Schedule:
        """The whole network, with mappings of its choice unless some are given."""
        return schedule(work, config, chosen or self.map(work, config), self.images)

    def predict(self, planned: Schedule) -> Prediction:
        return self.model.predict(planned, clock_ns=self.clock_ns)

    def certify(self, layer: Layer, config: AcceleratorConfig, following: Operator | None, objective: Objective = "energy") -> Certified:
        """The best of all legal mappings; equal costs go to fewer cycles, then to the first. Raises BadInput if there is none."""
        started = time.perf_counter()
        legal = list(mappings(layer, config, self.images, following))
        if not legal:
            raise BadInput(no_mapping(layer, config, self.images, following))
        scores = [self.score(layer, config, mapping, following) for mapping in legal]

        def cost(i: int) -> tuple[float, int]:
            energy, cycles = scores[i]
            return {"energy": energy, "latency": float(cycles), "edp": energy * cycles}[objective], cycles

        best = min(range(len(legal)), key=cost)
        energy, cycles = scores[best]
        seconds = time.perf_counter() - started
        return Certified(legal[best], energy, cycles, energy * cycles, True, 0.0, seconds, len(legal), len(legal))

    def _choose(self, layer: Layer, config: AcceleratorConfig, following: Operator | None) -> Mapping:
        legal = list(islice(mappings(layer, config, self.images, following), SCAN))
        if not legal:
            raise BadInput(no_mapping(layer, config, self.images, following))
        if len(legal) > self.limit:
            legal = sorted(legal, key=lambda m: effort(Tiling(layer, config, m, self.images, following)))[: self.limit]
        return min(legal, key=lambda m: self.score(layer, config, m, following))

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

    Layer 0's counts and cycles are those of the layer as a network's first: they do not depend on what follows.
    """
    if following is None:
        return schedule(Workload(name=layer.name, layers=(layer,)), config, (mapping,), images)
    size = max(layer.out_h, layer.out_w)
    reader = Layer(name=READER, operator=following, C=layer.K, K=1, H=layer.out_h, W=layer.out_w, stride=size)
    return schedule(Workload(name=layer.name, layers=(layer, reader)), config, (mapping, Mapping()), images)


def effort(tiling: Tiling) -> int:
    """Roughly a layer's cycles: what the grid is given and what is loaded."""
    m, layer = tiling.mapping, tiling.layer
    issues = m.y * m.x * layer.pool_window**2 * m.channels * tiling.reduction * layer.operator.steps
    loads = m.grid_n * m.grid_y * m.grid_x * tiling.window_words + tiling.weight_rows * tiling.config.cols
    n, y, x, k = tiling.tiles
    return n * y * x * k * (issues + loads)
