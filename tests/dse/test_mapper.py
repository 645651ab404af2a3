"""The mapper against every legal mapping, its certificates, and its buffers."""

from collections import Counter

import pytest

from gatewright.dse.batch import Batch
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Certified, Mapper, Objective, alone
from gatewright.dse.space import BUFFERS
from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.counts import count
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import mappings
from gatewright.sw.models import Architecture, workload
from tests.dse.problems import CLOCK_NS, Problem, problems, scores

I8, I4, X, B8 = integer(8), integer(4), xnor(), binary_weight(8)
CONFIGS = tuple(
    AcceleratorConfig(rows=rows, cols=cols, operand_bits=bits, operators=(I8, I4, X, B8), accumulator_depth=4)
    for rows, cols, bits in ((2, 2, 32), (3, 4, 64))
)
LAYERS = (
    (Layer(name="conv", operator=I4, C=5, K=6, H=6, W=5, R=3, S=3, padding=1), X),
    (Layer(name="pooled", operator=X, C=40, K=9, H=6, W=6, R=3, S=3, padding=1, pooling="max", pool_window=2, pool_stride=2), I8),
    (Layer(name="fc", operator=B8, C=12, K=10, H=2, W=2, R=2, S=2), None),
)


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("layer", "following"), LAYERS)
@pytest.mark.parametrize("memories", [0.0, 1.0])
def test_the_choice_is_the_best_of_all(
    model: CostModel, config: AcceleratorConfig, layer: Layer, following: Operator | None, memories: float
) -> None:
    mapper = Mapper(model, images=2, memories=memories)
    legal = list(mappings(layer, config, 2, Context(following)))
    scores = [mapper.score(layer, config, mapping, Context(following)) for mapping in legal]
    assert len(legal) > 3
    assert max(scores)[0] > 1.2 * min(scores)[0]
    assert mapper.layer(layer, config, Context(following)) == legal[scores.index(min(scores))]


OBJECTIVES: tuple[Objective, ...] = ("energy", "latency", "edp")


def objective_cost(objective: Objective, energy: float, cycles: int) -> float:
    return {"energy": energy, "latency": float(cycles), "edp": energy * cycles}[objective]


def agrees(found: Certified, problem: Problem, every: list[tuple[float, int]], objective: Objective) -> bool:
    """Whether a certificate is right by the costs of every mapping: the least cost, and of equal ones the fewest cycles, then the first.

    Costs that differ by rounding only count as equal: sums in another order.
    """
    costs = [objective_cost(objective, *score) for score in every]
    least = min(costs)
    best = min((i for i, value in enumerate(costs) if value <= least * (1 + 1e-12)), key=lambda i: (every[i][1], i))
    place = problem.legal.index(found.mapping)
    exact = abs(found.energy_pj - every[place][0]) <= 1e-12 * found.energy_pj and found.cycles == every[place][1]
    edp = found.edp == found.energy_pj * found.cycles
    return exact and edp and found.certified and found.gap == 0.0 and found.mappings == len(every) and place == best


def agreements(model: CostModel, seed: int, number: int, most: int) -> Counter[str]:
    """How many certificates of random problems, with at most `most` mappings each, are right and wrong."""
    outcomes: Counter[str] = Counter()
    for rng, problem in problems(seed, 3 * number, largest=6):
        if outcomes["problems"] == number:
            break
        if not 1 < len(problem.legal) <= most:
            continue
        weight = float(rng.choice([0.0, 1.0]))
        try:
            every = scores(model, problem, weight)
        except BadInput:  # the layer that reads the results has no mapping
            continue
        mapper = Mapper(model, problem.images, CLOCK_NS, weight)
        outcomes += Counter({"problems": 1, "mappings": len(every)})
        for objective in OBJECTIVES:
            found = mapper.certify(problem.layer, problem.config, problem.context, objective)
            outcomes[f"{objective} {'right' if agrees(found, problem, every, objective) else 'wrong'}"] += 1
            outcomes["evaluated"] += found.evaluated
    return outcomes


def test_certificates_equal_brute_force(model: CostModel, record_property: pytest.FixtureRequest) -> None:
    outcomes = agreements(model, 4, 60, 40)
    record_property("table", ("certified mappings against brute force", sorted(outcomes.items())))
    assert [outcomes[f"{objective} right"] for objective in OBJECTIVES] == [60] * 3


@pytest.mark.thorough
@pytest.mark.timeout(3000)
def test_certificates_equal_brute_force_a_thousand_times(model: CostModel, record_property: pytest.FixtureRequest) -> None:
    outcomes = agreements(model, 5, 1000, 150)
    record_property("table", ("certified mappings against brute force", sorted(outcomes.items())))
    assert [outcomes[f"{objective} right"] for objective in OBJECTIVES] == [1000] * 3


def test_a_bound_that_is_too_high_is_noticed(model: CostModel, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = Batch.evaluate

    def loose(self: Batch, which: object, rows: object, exact: bool = True, threads: int = 1) -> object:
        energies, cycles = evaluate(self, which, rows, exact, threads)
        return (energies, cycles) if exact else (energies[::-1] * 3, cycles[::-1] * 3)

    monkeypatch.setattr(Batch, "evaluate", loose)
    monkeypatch.setattr("gatewright.dse.mapper.FIRST", 2)
    outcomes = agreements(model, 4, 10, 40)
    assert outcomes["energy wrong"] > 0
    assert outcomes["latency wrong"] > 0


LARGE = Layer(name="large", operator=I8, C=16, K=7, H=14, W=14, R=3, S=3, padding=1)
ROOMY = AcceleratorConfig(
    rows=8, cols=4, operators=(I8,), activation_words=1024, weight_words=1024, output_words=1024, accumulator_depth=8, memory_interval=4
)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_few_evaluations_settle_a_layer(model: CostModel, objective: Objective) -> None:
    found = Mapper(model).certify(LARGE, ROOMY, Context(I8), objective)
    assert found.certified
    assert found.mappings > 1500
    assert found.evaluated < found.mappings / 5


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_budget_leaves_a_true_gap(model: CostModel, objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.dse.mapper.FIRST", 1)

    def cost(found: Certified) -> float:
        return objective_cost(objective, found.energy_pj, found.cycles)

    best = Mapper(model).certify(LARGE, ROOMY, Context(I8), objective)
    ends = []
    for mapper in (Mapper(model, evaluations=1), Mapper(model, seconds=0.0), Mapper(model, evaluations=best.evaluated)):
        found = mapper.certify(LARGE, ROOMY, Context(I8), objective)
        assert found.evaluated <= best.evaluated
        assert cost(best) <= cost(found) <= cost(best) * (1 + found.gap)
        assert found.certified == (found.gap == 0.0)
        ends.append(found.certified)
    assert ends == [False, False, True]


def test_another_run_gives_the_same(model: CostModel) -> None:
    one, two = (Mapper(model).certify(LARGE, ROOMY, Context(I8)) for _ in range(2))
    assert one.mapping == two.mapping
    assert (one.energy_pj, one.cycles, one.evaluated) == (two.energy_pj, two.cycles, two.evaluated)


def test_a_layer_alone_counts_as_a_networks_first(model: CostModel) -> None:
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(I8, X, I4), pool_after=(0,))
    mapper = Mapper(model)
    planned = mapper.schedule(workload(network), CONFIGS[0])
    layer = planned.workload.layers[0]
    assert count(alone(layer, CONFIGS[0], planned.mappings[0], 1, Context(X)))[0] == count(planned)[0]


def test_fitted_buffers_hold_the_tiles_and_cost_no_more(model: CostModel) -> None:
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(I8, X, I4), pool_after=(0,))
    work, mapper = workload(network), Mapper(model)
    fitted, run = mapper.fitted(work, CONFIGS[1])
    chosen = mapper.map(work, CONFIGS[1])
    before, after = (mapper.predict(mapper.schedule(work, config, chosen)).metrics for config in (CONFIGS[1], fitted))
    assert after.with_memories() <= before.with_memories()
    assert after.memory_area_um2 < before.memory_area_um2
    assert (fitted, run) == mapper.fitted(work, CONFIGS[1])


@pytest.mark.parametrize("memories", [0.0, 2.0])
@pytest.mark.parametrize("words", [64, 512])
def test_fitted_buffers_are_those_of_whole_predictions(model: CostModel, memories: float, words: int) -> None:
    network = Architecture(family="vgg", channels=3, height=12, width=12, widths=(8, 20), operators=(I8, I4, I8), pool_after=(0, 1))
    work, mapper = workload(network), Mapper(model, memories=memories)
    config = CONFIGS[1].replace(**dict.fromkeys(BUFFERS, words))
    chosen = mapper.map(work, config)

    def cost(candidate: AcceleratorConfig) -> float:
        return mapper.predict(mapper.schedule(work, candidate, chosen)).metrics.with_memories(max(1.0, memories))

    least = config
    for name in BUFFERS:
        while getattr(least, name) > 4:
            smaller = least.replace(**{name: getattr(least, name) // 2})
            try:
                if cost(smaller) > cost(least):
                    break
            except BadInput:
                break
            least = smaller
    fitted, run = mapper.fitted(work, config)
    assert fitted == least
    assert run.counts == count(mapper.schedule(work, fitted, chosen))
    assert mapper.model.bill(fitted, run).metrics == mapper.predict(mapper.schedule(work, fitted, chosen)).metrics


def test_no_mapping_names_the_layer_and_the_rule(model: CostModel) -> None:
    config = CONFIGS[0].replace(activation_words=16)
    network = Architecture(family="mlp", channels=1, height=8, width=8, widths=(6,), operators=(I8, I8))
    rule = (
        "Layer fc0: no mapping on a grid of 2 x 2 with 32-bit operands, since even for one pixel with 2 resident channel groups, a row's "
        "input window of 64 words exceeds activation_words 16. Raise activation_words to 64, or choose a smaller layer"
    )
    with pytest.raises(BadInput, match=rule):
        Mapper(model).map(workload(network), config)


def test_layers_are_mapped_once(model: CostModel, monkeypatch: pytest.MonkeyPatch) -> None:
    mapper, calls = Mapper(model), []
    certify = mapper.certify
    monkeypatch.setattr(mapper, "certify", lambda *key: calls.append(key) or certify(*key))
    for name in ("one", "two"):
        mapper.layer(LAYERS[0][0].replace(name=name), CONFIGS[0], Context(X))
    assert len(calls) == 1
