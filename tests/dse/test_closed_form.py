"""The closed forms against the counts and cycles of the instructions, on random layers, accelerators and mappings."""

from collections import Counter

import numpy as np
import pytest

from gatewright.dse import memories
from gatewright.dse.batch import Batch, mapping_of, row_of
from gatewright.dse.closed_form.compute import compute_cycles
from gatewright.dse.closed_form.numbers import NUMBERS
from gatewright.dse.cost import CostModel
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput
from gatewright.sw import cycles
from gatewright.sw.counts import count
from gatewright.sw.cycles import POST, TOKEN
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import Mapping
from gatewright.sw.schedule import Schedule
from tests.dse.problems import Problem, cost, drawn, features, problems


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


def wanted(schedule: Schedule) -> list[int]:
    """The exact numbers of the first layer, by its instructions."""
    counts = count(schedule)
    loaded = memories.accesses(schedule, counts)[0]
    return [*(getattr(counts[0], name) for name in NUMBERS[:16]), loaded["weights"][1], loaded["biases"][1]]


def complaints(model: CostModel, rng: np.random.Generator, problem: Problem, found: Counter[str]) -> list[str]:
    """Where points of a problem differ from their instructions' counts, in any number, their energy or their bound."""
    points, batch = drawn(rng, problem, 4), Batch(model, problem.images, memories=0.7)
    batch.add(problem.layer, problem.config, problem.context)
    if not points:
        return []
    rows, which = np.array([row_of(mapping) for mapping, _ in points]), np.zeros(len(points), int)
    numbers, (energies, exact), (_, bounds) = (
        batch.numbers(which, rows),
        batch.evaluate(which, rows),
        batch.evaluate(which, rows, exact=False),
    )
    wrong = []
    for i, (mapping, schedule) in enumerate(points):
        right = wanted(schedule)
        energy = cost(model, problem, schedule, count(schedule), 0.7)
        differing = [name for name, a, b in zip(NUMBERS, numbers[i].tolist(), right, strict=False) if a != b]
        if differing or exact[i] != right[0] or bounds[i] > exact[i] or abs(energies[i] - energy) > 1e-12 * energy:
            wrong.append(f"{problem} {mapping}: {differing}, cycles {exact[i]} at least {bounds[i]}, energy {energies[i]} for {energy}")
        found.update(features(problem, mapping, schedule) + Counter(["points"]))
    return wrong


def check(model: CostModel, seed: int, number: int, record_property: pytest.FixtureRequest) -> None:
    found: Counter[str] = Counter()
    wrong = [text for rng, problem in problems(seed, number) for text in complaints(model, rng, problem, found)]
    assert wrong == []
    record_property("table", ("points whose counts, cycles and energy are exact", sorted(found.items())))
    assert [feature for feature, times in found.items() if times < 3] == []
    assert len(found) == 37


def test_counts_cycles_and_energy_are_exact(model: CostModel, record_property: pytest.FixtureRequest) -> None:
    check(model, 0, 90, record_property)


@pytest.mark.thorough
@pytest.mark.timeout(3000)
def test_counts_cycles_and_energy_are_exact_thousands_of_times(model: CostModel, record_property: pytest.FixtureRequest) -> None:
    check(model, 1, 2000, record_property)


@pytest.mark.parametrize("constant", ["TOKEN", "POST", "START"])
def test_another_latency_is_noticed(model: CostModel, constant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled twins keep the right one."""
    monkeypatch.setattr(cycles, constant, getattr(cycles, constant) + 1)
    assert any(complaints(model, rng, problem, Counter()) for rng, problem in problems(0, 20))


def test_the_legal_mappings_in_their_order(model: CostModel) -> None:
    total = 0
    for _, problem in problems(2, 60):
        batch = Batch(model, problem.images)
        batch.add(problem.layer, problem.config, problem.context)
        assert [mapping_of(row) for row in batch.legal(0)] == problem.legal
        total += len(problem.legal)
    assert total > 2000


def test_legality_of_any_mapping(model: CostModel) -> None:
    """Drawn freely, most break a rule."""
    outcomes: Counter[bool] = Counter()
    for rng, problem in problems(3, 60):
        batch = Batch(model, problem.images)
        batch.add(problem.layer, problem.config, problem.context)
        for _ in range(20):
            most = (4, 6, 6, 8, 8, 6)
            sizes = [1 if rng.integers(3) else int(rng.integers(1, m + 1)) for m in most]
            mapping = mapping_of([*sizes, int(rng.integers(2)), int(rng.integers(3))])
            ok = problem.tiling(mapping).broken_rule() is None
            assert batch.is_legal(0, mapping) == ok, (problem, mapping)
            outcomes[ok] += 1
    assert min(outcomes.values()) > 100


def naive(blocks: int, cycles: int, beats: int, stages: int) -> int:
    """Block after block: issued after the one before and when the one before that has drained; drained after the one before."""
    issue, ends = 0, [0, 0]
    for _ in range(blocks):
        issue = max(issue, ends[-2])
        ends.append(max(issue + cycles - 1 + TOKEN + stages, ends[-1]) + beats)
        issue += cycles
    return ends[-1] + POST


def test_cycles_of_a_computation() -> None:
    for blocks in (*range(1, 12), 40, 41):
        for cycles_of_a_block in (1, 2, 3, 7, 12, 30):
            for beats in range(1, 40):
                for stages in range(3):
                    given = blocks, cycles_of_a_block, beats
                    assert compute_cycles(*given, TOKEN + stages, POST) == naive(*given, stages), given


def test_threads_change_nothing(model: CostModel) -> None:
    config = AcceleratorConfig(rows=4, cols=4, operators=(integer(8),), activation_words=512)
    batch = Batch(model)
    for k in (4, 20):
        batch.add(Layer(name="a", operator=integer(8), C=8, K=k, H=12, W=9, R=3, S=3, padding=1), config, Context(integer(8)))
    legal = [batch.legal(i) for i in range(2)]
    which = np.repeat([0, 1], [len(rows) for rows in legal])
    mixed = np.random.default_rng(0).permutation(len(which))
    which, rows = which[mixed], np.concatenate(legal)[mixed]
    one, two = (batch.evaluate(which, rows, threads=threads) for threads in (1, 2))
    assert len(which) > 500
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_an_operator_the_grid_lacks_is_refused(model: CostModel) -> None:
    config = AcceleratorConfig(rows=2, cols=2, operators=(integer(8),))
    with pytest.raises(BadInput, match="The grid has no operator int4"):
        Batch(model).add(Layer(name="a", operator=integer(4), C=2, K=2), config, Context())


def test_a_model_in_which_cycles_give_energy_back_is_refused(model: CostModel, monkeypatch: pytest.MonkeyPatch) -> None:
    config = AcceleratorConfig(rows=2, cols=2, operators=(integer(8),))
    weights = CostModel.weights
    monkeypatch.setattr(CostModel, "weights", lambda *given: -weights(*given))
    with pytest.raises(BadInput, match="a cycle costs -.* less than nothing"):
        Batch(model).add(Layer(name="a", operator=integer(8), C=2, K=2), config, Context())


def test_rows_of_integers_are_mappings() -> None:
    mapping = Mapping(grid_n=2, y=3, x=4, channels=5, order="pixels_outside", inner="channels")
    assert mapping_of(row_of(mapping)) == mapping
    with pytest.raises(ValueError, match="argument"):
        mapping_of(row_of(mapping)[:-1])
