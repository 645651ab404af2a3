"""The closed forms against the counts and cycles of the instructions, on random layers, accelerators and mappings."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pytest

from gatewright.dse import memories
from gatewright.dse.batch import Batch, mapping_of, row_of
from gatewright.dse.closed_form import compiled
from gatewright.dse.closed_form.compute import compute_cycles
from gatewright.dse.closed_form.loads import along
from gatewright.dse.closed_form.numbers import NUMBERS
from gatewright.dse.closed_form.tiles import interior
from gatewright.dse.cost import CostModel
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import Opcode
from gatewright.sw import cycles, limits
from gatewright.sw.counts import count
from gatewright.sw.cycles import POST, TOKEN
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import Mapping, mappings
from gatewright.sw.schedule import Schedule
from tests.dse.problems import Problem, cost, drawn, features, problems
from tests.generators import random_mapping


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


Draw = Callable[[np.random.Generator, Problem, int], list[tuple[Mapping, Schedule]]]


def wanted(schedule: Schedule) -> list[int]:
    """The exact numbers of the first layer, by its instructions."""
    counts = count(schedule)
    loaded = memories.accesses(schedule, counts)[0]
    mine = [instruction for instruction in schedule.instructions if instruction.layer == 0]
    linear = [i for i in mine if i.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS, Opcode.LOAD_WINDOWS)]
    image_cycles = sum(cycles.load_cycles(i, schedule.config) for i in mine if i.opcode == Opcode.LOAD_ACTIVATIONS)
    return [
        *(getattr(counts[0], name) for name in NUMBERS[:16]),
        *(loaded["weights"][1], loaded["biases"][1]),
        *(len(linear), image_cycles),
    ]


def complaints(
    model: CostModel, rng: np.random.Generator, problem: Problem, found: Counter[str], draw: Draw = drawn, number: int = 4
) -> list[str]:
    """Where points of a problem differ from their instructions' counts, in any number, their energy or their bound."""
    points, batch = draw(rng, problem, number), Batch(model, problem.images, memories=0.7)
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
        differing = [name for name, a, b in zip(NUMBERS, numbers[i].tolist(), right, strict=True) if a != b]
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


def squeezed(rng: np.random.Generator, problem: Problem) -> Problem:
    """The problem with buffers and an external memory of any size; often without a mapping."""
    sizes = {name: 1 << int(rng.integers(2, 9)) for name in ("activation_words", "weight_words")}
    return replace(problem, config=problem.config.replace(**sizes, memory_interval=int(rng.choice([1, 2, 3, 5, 20, 64]))))


def listed(rng: np.random.Generator, problem: Problem, number: int) -> list[tuple[Mapping, Schedule]]:
    """As `drawn`, of the compiled list: on long images the other one takes seconds."""
    batch, found = Batch(CostModel.default(), problem.images), []
    batch.add(problem.layer, problem.config, problem.context)
    rows = batch.legal(0)
    for place in rng.integers(len(rows), size=number) if len(rows) else ():
        with suppress(BadInput):  # the layer that reads the results has no mapping
            found.append((mapping_of(rows[place]), problem.schedule(mapping_of(rows[place]))))
    return found


def test_small_buffers_and_long_images(model: CostModel) -> None:
    """Loads that wait for the grid, the next layer's too; many tiles along an axis."""
    found: Counter[str] = Counter()
    wrong = [text for rng, problem in problems(6, 70, 20) for text in complaints(model, rng, squeezed(rng, problem), found, listed, 3)]
    assert wrong == []
    assert min(found[name] for name in ("loads that wait", "loads that never wait", "a run of equal tiles", "weights loaded again")) > 10


def test_no_bound_is_above_the_cycles(model: CostModel) -> None:
    """Of any legal mapping; and the bound is close."""
    total, tight, ratios = 0, 0, 0.0
    for rng, given in problems(7, 150, 16):
        problem = squeezed(rng, given)
        batch = Batch(model, problem.images)
        batch.add(problem.layer, problem.config, problem.context)
        rows = batch.legal(0)
        if len(rows):
            (_, exact), (_, bounds) = (batch.evaluate(np.zeros(len(rows), int), rows, exact) for exact in (True, False))
            assert (bounds <= exact).all(), problem
            total, tight, ratios = total + len(rows), tight + int((bounds == exact).sum()), ratios + float((bounds / exact).sum())
    assert total > 5000
    assert tight > total / 4
    assert ratios > 0.95 * total


def test_the_tiles_of_an_axis() -> None:
    """Against a list of each tile's pixels; those that are alike are those that reach no edge and are full."""
    draw, runs = np.random.default_rng(0), 0
    for _ in range(400):
        size, kernel, stride, pool, pool_stride = (int(draw.integers(1, most + 1)) for most in (60, 5, 3, 2, 2))
        padding = int(draw.integers(kernel))
        outputs = ((size + 2 * padding - kernel) // stride + 1 - pool) // pool_stride + 1
        if size + 2 * padding < kernel or outputs < 1:
            continue
        grid, each, words, interval = (int(draw.integers(1, most + 1)) for most in (5, 4, 3, 4))
        pitch, window = each * pool_stride * stride, ((each - 1) * pool_stride + pool - 1) * stride + kernel
        sums, alike = np.zeros(3, int), []
        for tile, first in enumerate(range(0, outputs, grid * each)):
            rows = [row for row in range(grid) if first + row * each < outputs]
            starts = [(first + row * each) * pool_stride * stride - padding for row in rows]
            pixels = range(starts[0], starts[-1] + window)
            inside = len([pixel for pixel in pixels if 0 <= pixel < size])
            sums += len(pixels), inside, (1 + interval * inside * words if inside else 0) + (len(pixels) - inside) * words
            if inside == len(pixels) and first + grid * each <= outputs:
                alike.append(tile)
        tiles = -(-outputs // (grid * each))
        assert along(tiles, grid, each, outputs, pitch, window, padding, size, words, interval) == tuple(sums)
        low, high = interior(grid, pitch, window, padding, size)
        assert list(range(low, high + 1)) == alike
        runs += len(alike) > 2
    assert runs > 50


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


def test_the_legal_mappings_where_memory_is_short(model: CostModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many addresses as some mapping of the layer takes words; of two that differ in their order only, one may take more."""
    outcomes: Counter[str] = Counter()
    for rng, problem in problems(6, 40, largest=7):
        words = {mapping: limits.memory_words(problem.tiling(mapping)) for mapping in problem.legal}
        if len(set(words.values())) < 2:
            continue
        least = int(rng.choice(sorted(set(words.values()))[1:]))
        with monkeypatch.context() as patch:
            patch.setattr(limits, "ADDRESSES", least)
            patch.setattr("gatewright.dse.batch.ADDRESSES", least)
            right = list(mappings(problem.layer, problem.config, problem.images, problem.context))
            batch = Batch(model, problem.images)
            batch.add(problem.layer, problem.config, problem.context)
            assert [mapping_of(row) for row in batch.legal(0)] == right, problem
            assert [m for m in problem.legal if batch.is_legal(0, m)] == right, problem
        orders = Counter(mapping.replace(order="channels_outside") for mapping in right)
        pairs = Counter(mapping.replace(order="channels_outside") for mapping in words)
        outcomes += Counter(
            {"legal": len(right), "not": len(words) - len(right), "in one order": len([m for m in orders if orders[m] < pairs[m]])}
        )
    assert min(outcomes[name] for name in ("legal", "not", "in one order")) > 20


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


def test_a_buffer_that_just_fits_and_one_half_as_large(model: CostModel) -> None:
    """Which of the mapping's rules decides, by the sizes that it needs."""
    outcomes: Counter[tuple[str, bool]] = Counter()
    for rng, problem in problems(8, 40):
        found = random_mapping(rng, problem.layer, problem.config, problem.images, problem.context)
        if found is None:
            continue
        tiling = problem.tiling(found)
        needs = {name: 1 << (words - 1).bit_length() for name, words in tiling.least_words.items()}
        for name, fitting in (needs | {"accumulator_depth": 2 * tiling.accumulators}).items():
            for size, fits in ((fitting, True), (fitting // 2 if name in needs else fitting - 2, False)):
                with suppress(BadInput):  # an accelerator has no less
                    small = replace(problem, config=problem.config.replace(**{name: size}))
                    batch = Batch(model, problem.images)
                    batch.add(small.layer, small.config, small.context)
                    assert (small.tiling(found).broken_rule() is None) == fits
                    assert batch.is_legal(0, found) == fits, (small, found)
                    outcomes[name, fits] += 1
                    outcomes[f"{name} to the word", fits] += tiling.least_words.get(name) == size
    assert [pair for pair in product((*needs, "accumulator_depth"), (True, False)) if outcomes[pair] < 5] == []
    assert [name for name in needs if outcomes[f"{name} to the word", True] < 5] == []


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


ALONG = """
from gatewright.dse.closed_form.loads import along

print(along(3, 1, 2, 6, 2, 4, 1, 6, 1, 1), sum(along.stats.cache_hits.values()))
"""
NO_PIXELS = """

@compiled
def span(i, grid, size, extent, pitch, window, padding, limit):
    return 1, 7, 0, 1
"""


def test_compiled_code_is_kept_until_any_file_changes(tmp_path: Path) -> None:
    """Three tiles of 4 pixels on 6 pixels and an edge of 1 on either side; then with a file changed that `along` only uses."""
    folder = tmp_path / "gatewright" / "dse" / "closed_form"
    copytree(Path(compiled.__file__).parent, folder, ignore=ignore_patterns("__pycache__"))
    for package in folder.parents[:2]:
        (package / "__init__.py").touch()

    def found() -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        run = subprocess.run([sys.executable, "-c", ALONG], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    assert [found(), found()] == ["(12, 10, 15) 0", "(12, 10, 15) 1"]
    tiles = folder / "tiles.py"
    tiles.write_text(tiles.read_text() + NO_PIXELS)
    assert found() == "(21, 0, 21) 0"


def test_rows_of_integers_are_mappings() -> None:
    mapping = Mapping(grid_n=2, y=3, x=4, channels=5, order="pixels_outside", inner="channels")
    assert mapping_of(row_of(mapping)) == mapping
    with pytest.raises(ValueError, match="argument"):
        mapping_of(row_of(mapping)[:-1])
