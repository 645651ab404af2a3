"""The limits of the instruction set as rules of a mapping, against the instructions themselves, on layers and buffers of any size."""

import re
from collections import Counter
from collections.abc import Callable
from math import prod

import numpy as np
import pytest

from gatewright.dse.batch import Batch, mapping_of
from gatewright.dse.closed_form.records import INNERS, ORDERS
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.hw.config import OUTPUT_PLACES, AcceleratorConfig, binary_weight, integer, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import COUNT_BITS
from gatewright.sw import limits, mapping
from gatewright.sw.layers import Context, Layer, Workload
from gatewright.sw.mapping import Mapping, Tiling, mappings
from gatewright.sw.schedule import Schedule, schedule
from tests.dse.problems import Problem

OPERATORS = (integer(8), integer(4), binary_weight(8), xnor())
MOST_TILES = 200  # of a schedule that is written


Range = tuple[int, int]
KINDS: tuple[tuple[Range, Range, Range, Range], ...] = (  # sides of the image, input channels, output channels
    ((1, 1000), (1, 1000), (1, 4096), (1, 4096)),
    ((1, 1), (3000, 9000), (1, 8), (1, 64)),
    ((1, 1), (4096, 4096), (1, 8), (1, 8)),
    ((1, 8), (200, 1000), (256, 4096), (1, 64)),
    ((1, 40), (1000, 3000), (1, 8), (32, 512)),
    ((1, 8), (1, 8), (1, 64), (4096, 32768)),
    ((60, 200), (60, 200), (2048, 8192), (1, 4096)),
)


def between(rng: np.random.Generator, least: int, most: int) -> int:
    """Any size of a range, small ones as often as large ones."""
    return min(most, int(np.exp(rng.uniform(np.log(least), np.log(most + 1)))))


def near(rng: np.random.Generator, whole: int) -> int:
    """A part of a whole, often all of it, sometimes more."""
    choices: list[int] = [1, between(rng, 1, whole), max(1, whole - int(rng.integers(3))), whole, -(-whole // 2), between(rng, 1, 4096)]
    return int(rng.choice(choices))


def large_problem(rng: np.random.Generator) -> Problem:
    cols, bits = 1 << int(rng.integers(7)), int(rng.choice([32, 64]))
    places = max(8 * cols, bits) // cols  # of a row of the output buffer
    config = AcceleratorConfig(
        rows=(2, 16, int(rng.integers(1, 65)))[rng.integers(3)],
        cols=cols,
        operand_bits=bits,
        operators=OPERATORS,
        activation_words=32768,
        weight_words=32768,
        output_words=OUTPUT_PLACES // places,
        parameter_words=4096,
        accumulator_depth=64,
    )
    operator, following = OPERATORS[rng.integers(4)], (None, *OPERATORS)[rng.integers(5)]
    (least_h, most_h), (least_w, most_w), (least_c, most_c), (least_k, most_k) = KINDS[rng.integers(len(KINDS))]
    height, width = rng.permutation([between(rng, least_h, most_h), between(rng, least_w, most_w)]).tolist()
    kernel = int(min(rng.choice([1, 1, 3, 5]), height, width))
    layer = Layer(
        name="layer",
        operator=operator,
        C=between(rng, least_c, most_c),
        K=between(rng, least_k, most_k),
        H=height,
        W=width,
        R=kernel,
        S=kernel,
        stride=int(rng.integers(1, 3)),
        padding=int(rng.integers(kernel)),
    )
    if following and config.lanes(following) << COUNT_BITS < layer.K:
        following = None  # no layer could read its results
    return Problem(layer, config, int(rng.integers(1, 4)), Context(following))


def large_mapping(rng: np.random.Generator, problem: Problem) -> Mapping:
    layer, rows, t = problem.layer, problem.config.rows, problem.tiling(Mapping())
    n = int(rng.integers(1, min(problem.images, rows) + 1))
    y = (1, int(rng.integers(1, rows // n + 1)))[rng.integers(2)]
    x = rows // (n * y)
    return Mapping(
        grid_n=n,
        grid_y=y,
        grid_x=x,
        y=near(rng, -(-layer.out_h // y)),
        x=near(rng, -(-layer.out_w // x)),
        channels=min(near(rng, t.channel_groups), t.channel_groups),
        order=str(rng.choice(ORDERS)),
        inner=str(rng.choice(INNERS)),
    )


def written(problem: Problem, given: Mapping) -> Schedule | None:
    """The layer's own program where its fields hold its numbers; the limits are not asked."""
    try:
        return problem.schedule(given) if problem.context else single(problem, given)
    except BadInput as error:
        if not re.search(r"field \w+ = -?\d+ exceeds its \d+ bits|memory words; addresses reach", str(error)):
            raise
        return None


def single(problem: Problem, given: Mapping) -> Schedule:
    return schedule(Workload(name="one", layers=(problem.layer,)), problem.config, (given,), problem.images)


def outcomes(seed: int, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], list[str]]:
    """Mappings that keep all other rules: which limits they exceed, and where limits and instructions disagree."""
    found, wrong = Counter[str](), []
    rule = limits.broken_limit
    monkeypatch.setattr(mapping, "broken_limit", lambda t: None)
    for i in range(number):
        rng = np.random.default_rng((seed, i))
        problem = large_problem(rng)
        batch = Batch(CostModel.default(), problem.images)
        batch.add(problem.layer, problem.config, problem.context)
        seen = Counter[str]()
        for _ in range(60):
            given = large_mapping(rng, problem)
            t = problem.tiling(given)
            if t.broken_rule() or prod(t.tiles) > MOST_TILES:
                continue
            broken = rule(t)
            name = re.sub(r"\d+", "#", broken or "none")
            if seen[name] == 2:
                continue
            if problem.context and 0 <= limits.ADDRESSES - limits.memory_words(t) < 1 << 17:
                continue  # the layer that reads the results may be what is too much
            if (broken is None) != (written(problem, given) is not None) or batch.is_legal(0, given) != (broken is None):
                wrong.append(f"{problem} {given}: {broken}")
            seen[name] += 1
        found += seen
    return found, wrong


def test_a_mapping_is_legal_if_and_only_if_its_instructions_hold_its_numbers(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    found, wrong = outcomes(0, 120, monkeypatch)
    record_property("table", ("mappings by the limit they exceed", sorted(found.items())))
    assert wrong == []
    assert found["none"] > 100
    assert found.total() - found["none"] > 20
    assert len(found) > 4


@pytest.mark.thorough
@pytest.mark.timeout(3000)
def test_thousands_of_mappings_are_legal_if_and_only_if_their_instructions_hold_their_numbers(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    found, wrong = outcomes(1, 2500, monkeypatch)
    record_property("table", ("thousands of mappings by the limit they exceed", sorted(found.items())))
    assert wrong == []
    assert len(found) == 10


@pytest.mark.parametrize(("name", "value"), [("COUNTS", 1 << 11), ("LONGEST_LOAD", (1 << 15) - 1)])
def test_another_limit_is_noticed(name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, name, value)
    assert outcomes(0, 60, monkeypatch)[1]


I8 = integer(8)
LONG = Layer(name="long", operator=I8, C=512, K=4, W=2600)
ROOMY = AcceleratorConfig(rows=4, cols=4, operators=(I8,), activation_words=32768, weight_words=32768, output_words=4096)


def test_no_mapping_that_exceeds_a_limit_is_listed_or_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(mappings(LONG, ROOMY, 1, Context(I8)))
    batch = Batch(CostModel.default())
    batch.add(LONG, ROOMY, Context(I8))
    assert [mapping_of(row) for row in batch.legal(0)] == listed
    few = [m for m in listed if prod(Tiling(LONG, ROOMY, m, 1, Context()).tiles) < 8]
    assert few
    for m in few:
        Problem(LONG, ROOMY, 1, Context(I8)).schedule(m)
    Problem(LONG, ROOMY, 1, Context(I8)).schedule(Mapper(CostModel.default()).layer(LONG, ROOMY, Context(I8)))
    monkeypatch.setattr(mapping, "broken_limit", lambda t: None)
    assert len(list(mappings(LONG, ROOMY, 1, Context(I8)))) > len(listed)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"C": 8 * 2048, "K": 8200, "W": 1}, "even for one pixel, instructions, constants and feature maps of 16.* words exceed 16777215"),
        ({"C": 8 * 4097}, "even for one pixel, a pixel's 4097 words exceed 4096"),
    ],
)
def test_where_no_mapping_fits_the_limit_is_named(change: dict[str, int], rule: str) -> None:
    layer = LONG.replace(**change)
    with pytest.raises(BadInput, match=rule):
        Mapper(CostModel.default()).layer(layer, ROOMY, Context())
