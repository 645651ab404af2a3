"""Seeded random layers on accelerators that the cost model prices, and what the mapper's closed forms are checked against."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gatewright.dse import memories
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import alone
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import Opcode
from gatewright.sw.counts import Counts, count
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import Mapping, Tiling, mappings
from gatewright.sw.schedule import Schedule
from tests.generators import random_mapping, random_shape, takes_groups

CLOCK_NS = 20.0
TRIES = 20  # random joins, most of them legal
SOBOL, BIPOLAR = stochastic(64), stochastic(32, "bipolar", "lfsr")


def _config(rows: int, cols: int, bits: int, *operators: Operator, **options: object) -> AcceleratorConfig:
    small = {"activation_words": 64, "weight_words": 64, "output_words": 32, "parameter_words": 8}
    return AcceleratorConfig(rows=rows, cols=cols, operand_bits=bits, operators=operators, **(small | options))


CONFIGS = (
    _config(1, 1, 64, integer(8), weight_words=128, output_words=64),
    _config(2, 2, 64, integer(4, signed=True), xnor(), memory_interval=5, pipeline_stages=0),
    _config(3, 4, 32, integer(8), binary_weight(8), accumulator_depth=6, memory_interval=2, weight_words=128),
    _config(6, 2, 32, integer(3, 5, signed=True), integer(8), pooling=False, pipeline_stages=0, accumulator_depth=4),
    _config(5, 4, 32, integer(8), xnor(), SOBOL, BIPOLAR, accumulator_depth=8, memory_interval=3, weight_words=128),
    _config(1, 16, 32, xnor(), binary_weight(3), accumulator_bits=12, output_words=16),
    _config(7, 1, 64, xnor(), integer(2), accumulator_bits=32, memory_interval=4, accumulator_depth=4),
    _config(2, 8, 32, integer(8), integer(4), integer(8, signed=True), weight_words=128),
    _config(4, 4, 64, shift(), multiplication_free(), pipeline_stages=2, accumulator_depth=12),
    _config(4, 8, 32, integer(4), integer(8, 2), activation_words=8, weight_words=16, output_words=8, parameter_words=2),
    _config(16, 4, 64, integer(8), xnor(), activation_words=256, weight_words=256, output_words=256, accumulator_depth=16),
)


@dataclass(frozen=True)
class Problem:
    """A layer in its place on a configuration."""

    layer: Layer
    config: AcceleratorConfig
    images: int
    context: Context

    @cached_property
    def legal(self) -> list[Mapping]:
        """By the rules, one mapping after the other."""
        return list(mappings(self.layer, self.config, self.images, self.context))

    def tiling(self, mapping: Mapping) -> Tiling:
        return Tiling(self.layer, self.config, mapping, self.images, self.context)

    def schedule(self, mapping: Mapping) -> Schedule:
        return alone(self.layer, self.config, mapping, self.images, self.context)


def random_problem(rng: np.random.Generator, largest: int = 11) -> Problem:
    """Any layer on an image of up to `largest` pixels a side; one in three reads several maps or parts, or writes a part of a map."""
    config = CONFIGS[rng.integers(len(CONFIGS))]
    operator = config.operators[rng.integers(len(config.operators))]
    following = (*config.operators, None)[rng.integers(len(config.operators) + 1)]
    lanes = config.lanes(operator)
    channels = int(rng.choice([1, 3, max(1, lanes - 1), lanes + 1, 2 * lanes]))
    image = channels, int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1))
    layer = random_shape(rng, "layer", operator, config, image, config.pooling and following is not None)
    images, context = int(rng.integers(1, 5)), Context(following)
    if rng.integers(3) == 0:
        for _ in range(TRIES):
            with suppress(BadInput):  # the pooling window is larger than what is left
                joined, surroundings = random_join(rng, layer, config, following)
                if not Tiling(joined, config, Mapping(), images, surroundings).layer_rule():
                    return Problem(joined, config, images, surroundings)
    return Problem(layer, config, images, context)


def random_join(rng: np.random.Generator, layer: Layer, config: AcceleratorConfig, following: Operator | None) -> tuple[Layer, Context]:
    """A layer like the one given that reads up to three maps of up to two parts, and writes a map alone or with others; legal or not."""
    lanes, silent, number = config.lanes(layer.operator), takes_groups(layer.operator), int(rng.integers(1, 4))
    parts = tuple(int(rng.integers(1, 2 * lanes + 1)) for _ in range(int(rng.integers(1, 3))))
    total = number * sum(parts)
    fields: dict[str, object] = {"C": total, "groups": 1}
    if number > 1:
        fields |= {"R": 1, "S": 1, "padding": 0}
    if number == 2 and silent and rng.integers(2):  # a sum of two maps
        gather = tuple(c for k in range(total // 2) for c in (k, total // 2 + k))
        fields |= {"K": total // 2, "groups": total // 2, "gather": gather}
    elif rng.integers(3):
        read = int(rng.integers(1, total + 1)) if silent and rng.integers(2) else total
        fields |= {"C": read, "gather": tuple(rng.permutation(total)[:read].tolist())}
        if silent and rng.integers(3) == 0:
            fields |= {"K": read, "groups": read}
    others = [tuple(rng.integers(1, 9, rng.integers(3)).tolist()) if following and rng.integers(2) else () for _ in range(2)]
    return layer.replace(**fields), Context(following, (parts,) * number, *others)


def problems(seed: int, number: int, largest: int = 11) -> Iterator[tuple[np.random.Generator, Problem]]:
    """So many problems, each with a generator of its own."""
    for i in range(number):
        rng = np.random.default_rng((seed, i))
        yield rng, random_problem(rng, largest)


def drawn(rng: np.random.Generator, problem: Problem, number: int) -> list[tuple[Mapping, Schedule]]:
    """Random legal mappings, tiles that the mapper would not propose among them, with their schedules; fewer where some have none."""
    found = []
    for _ in range(number):
        mapping = random_mapping(rng, problem.layer, problem.config, problem.images, problem.context)
        if mapping is None:
            break
        try:
            found.append((mapping, problem.schedule(mapping)))
        except BadInput:  # the layer that reads the results has no mapping
            break
    return found


def cost(model: CostModel, problem: Problem, schedule: Schedule, counts: tuple[Counts, ...], weight: float) -> float:
    """Energy in pJ of the first layer: logic and `weight` times the memories, from the instructions' counts."""
    config = problem.config
    logic = model.logic_pj(config, Work.of(problem.layer, counts[0], config, problem.context), CLOCK_NS)
    accesses = memories.accesses(schedule, counts)[0]
    return logic + weight * memories.energy_pj(config, accesses, counts[0].cycles, CLOCK_NS, model.memories)


def scores(model: CostModel, problem: Problem, weight: float) -> list[tuple[float, int]]:
    """Energy and cycles of every legal mapping."""
    found = []
    for mapping in problem.legal:
        schedule = problem.schedule(mapping)
        counts = count(schedule)
        found.append((cost(model, problem, schedule, counts, weight), counts[0].cycles))
    return found


def features(problem: Problem, mapping: Mapping, schedule: Schedule) -> Counter[str]:
    """What a point exercises."""
    layer, config, m, t = problem.layer, problem.config, mapping, problem.tiling(mapping)
    n, y, x, k = t.tiles
    mine = [i for i in schedule.instructions if i.layer == 0]
    opcodes = Counter(i.opcode for i in mine)
    found = {
        "raw": t.output is None,
        "signs": t.output is not None and t.output.activation_bits == 1,
        "padding": layer.padding > 0,
        "stride": layer.stride > 1,
        "pooling": layer.pooling is not None,
        "groups": layer.groups > 1,
        "words of a group alone": layer.groups > 1 and t.reach.words < t.words,
        "streams": layer.operator.steps > 1,
        "slow memory": config.memory_interval > 1,
        "no pipeline": config.pipeline_stages == 0,
        "two pipeline stages": config.pipeline_stages == 2,
        "ragged images": problem.images % m.grid_n != 0,
        "ragged rows": layer.out_h % (m.grid_y * m.y) != 0,
        "ragged columns": layer.out_w % (m.grid_x * m.x) != 0,
        "ragged column group": layer.K % config.cols != 0,
        "ragged tiles of channels": t.channel_groups % m.channels != 0,
        "ragged lanes": layer.C % config.lanes(layer.operator) != 0,
        "two maps": len(t.inputs) == 2,
        "three maps": len(t.inputs) == 3,
        "maps of several words": len(t.inputs) > 1 and t.words > 1,
        "a map of parts": len(t.inputs[0]) > 1,
        "channels in another order": list(layer.gather) != sorted(layer.gather),
        "channels left unread": bool(layer.gather) and sum(map(sum, t.inputs)) > layer.C,
        "a sum of maps": len(t.inputs) == 2 and 1 < layer.groups == layer.K == layer.C // 2,
        "a part of a map": bool(problem.context.before or problem.context.after),
        "tiles of every axis": min(y, x, k) > 1,
        "a run of equal tiles": max(n, y, x, k) > 4,
        "windows loaded again": opcodes[Opcode.LOAD_WINDOWS] > 1,
        "weights loaded again": opcodes[Opcode.LOAD_PARAMETERS] > k,
        "loads that wait": any(i.wait_compute for i in mine),
        "loads that never wait": not any(i.wait_compute for i in mine),
        f"inner {m.inner}": True,
        m.order: True,
    }
    return Counter([name for name, used in found.items() if used])
