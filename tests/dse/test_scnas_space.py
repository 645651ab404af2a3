"""SC-NAS's space: its sizes by enumeration, the chart's front by brute force, choices and the networks they make."""

import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gatewright.dse.scnas import chart as charts
from gatewright.dse.scnas import circuits, contraction, space
from gatewright.dse.scnas.chart import Chart, Entry
from gatewright.dse.scnas.plan import FULL, QUICK, Plan
from gatewright.dse.scnas.sum_errors import errors, residual
from gatewright.hw.config import integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.models import workload

SHAPE = (1, 8, 8)
TINY = QUICK.replace(widths=((4, 8), (8, 12)), kernels=(3,), pool_after=(1,), name="tiny")
FEW = {
    "length": (1, 8),
    "bits": (8,),
    "coding": ("sign_magnitude", "bipolar"),
    "source": ("sobol",),
    "sharing": (16,),
    "multiplier": ("and", "xnor"),
    "adder": ("exact", "approximate", "mux", "or"),
    "activation": ("relu", "clamp", "stanh", "btanh"),
    "pooling": ("max", "mux", "segment"),
}


def entry(name: str, energy: float, error: float, error_64: float | None = None) -> Entry:
    small = error if error_64 is None else error_64
    return Entry(operator=name, energy_pj=energy, zero_delay_pj=energy, area_um2=1, error=error, error_64=small, plain=error, rounding=0)


SM, BP = stochastic(8), stochastic(8, "bipolar")
MUX, BP_MUX = stochastic(8, adder="mux"), stochastic(8, "bipolar", adder="mux")
OTHERS = (*(stochastic(8, adder=adder) for adder in ("approximate", "or")), stochastic(8, "bipolar", adder="approximate"))  # not charted
LONG = stochastic(16)
CHART = Chart(
    entries=(
        *(entry(name, energy, 0) for name, energy in (("int8", 2.5), ("int4", 1.0))),
        entry("xnor", 0.08, 0.9),
        *(entry(o.name, energy, error) for o, energy, error in ((SM, 0.7, 0.1), (BP, 0.6, 0.8), (MUX, 0.8, 0.3), (BP_MUX, 3, 0.01))),
    ),
    provenance={},
)


def networks(names: set[str], streams: bool, tied: bool) -> int:
    """Of `TINY` and `FEW`, every network one by one: three layers, each with operator, activation and pooling; the rules in words."""
    found = 0
    layer = list(product(sorted(names), FEW["activation"], FEW["pooling"]))
    for first, second, last in product(layer, repeat=3):
        if "xnor" in (first[0], last[0]) or (tied and first[0] != second[0]):
            continue
        if last[1:] != ("relu", "max") or first[2] != "max":  # the logits are no activations, and only the second is pooled
            continue
        for (mine, activation, pooling), (reader, *_) in ((first, second), (second, last)):
            if activation != "relu" and "bipolar" not in reader:
                break
            stream = activation in ("stanh", "btanh")
            if (stream or pooling in ("mux", "segment")) and not streams:
                break
            if activation == "stanh" and "mux" not in mine:
                break
            if activation == "btanh" and ("mux" in mine or "_or" in mine or mine == "xnor"):
                break
            if (pooling in ("mux", "segment")) != stream and (mine, activation, pooling) == second:
                break
        else:
            found += 1
    return 4 * found


def test_sizes_are_those_of_an_enumeration() -> None:
    """The circuits of each step by hand; a chart's front keeps SM and BP for energy, BP_MUX for its error; that costs more than int8."""
    sizes = [step.size for step in contraction.steps(TINY, FEW, CHART)]
    best = {o.name for o in (SM, BP, BP_MUX, xnor())}
    legal = best | {MUX.name} | {o.name for o in OTHERS}
    cheap = best - {BP_MUX.name}
    raw = (2 * 2 * 2 * 4 * 4 * 3) ** 3 * 4
    expected = [raw, networks_before(legal), networks(legal, True, False), networks(legal, False, False), networks(best, False, False)]
    assert sizes == [*expected, networks(cheap, False, False), networks(cheap, False, True)]


def networks_before(names: set[str]) -> int:
    """As `networks`, when stream activations and poolings may stand anywhere."""
    outputs = {name: 4 if "bipolar" in name else 1 for name in names}
    ends = names - {"xnor"}
    return 4 * sum(outputs[second] * outputs[last] * 3 for _ in ends for second in names for last in ends)


def dominated(one: Entry, other: Entry) -> bool:
    return other.energy_pj <= one.energy_pj and other.error <= one.error and other.error_64 <= one.error_64 and other != one


def test_the_front_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    entries = [entry(f"o{i}", *rng.integers(1, 30, 3).astype(float)) for i in range(200)]
    brute = {e.operator for e in entries if not any(dominated(e, other) for other in entries)}
    assert {e.operator for e in circuits.front(entries, tolerance=0, near=0)} == brute
    kept = circuits.front(entries, near=0)
    assert {e.operator for e in kept} <= brute
    worse = [e.model_copy(update={"error": e.error / 0.95, "error_64": e.error_64 / 0.95}) for e in entries]
    assert all(e in kept or any(dominated(w, k) for k in kept) for e, w in zip(entries, worse, strict=True))


def test_a_little_more_energy_is_worth_less_error() -> None:
    """Two percent dearer and better in both errors; three percent; two percent and better in one only."""
    for energy, error, small, left in ((1.019, 0.3, 0.3, 1), (1.03, 0.3, 0.3, 2), (1.019, 0.3, 0.6, 2)):
        entries = (entry("a", 1.0, 0.5), entry("b", energy, error, small))
        assert len(circuits.front(entries)) == left
        assert entries[1] in circuits.front(entries)


@pytest.mark.parametrize(
    ("energy", "error", "small", "stays"),
    [
        (0.9, 0.2, 0.2, False),
        (0.9, 0.2, 0.05, True),
        (0.5, 0.85, 0.85, True),
        (0.9, 0.096, 0.096, False),
        (0.9, 0.094, 0.094, True),
        (0.5, 0.88, 0.88, False),
    ],
)
def test_a_dominated_circuit_is_dropped(energy: float, error: float, small: float, stays: bool) -> None:
    """Dearer and worse than SM; better at 64 products; cheaper than all; 4% and 6% better than SM; hardly better than XNOR."""
    more = CHART.replace(entries=(*CHART.entries, entry(LONG.name, energy, error, small)))
    assert (LONG.name in circuits.undominated(more, 8)) == stays
    assert {SM.name, BP_MUX.name} <= {*circuits.undominated(more, 8)}
    assert BP_MUX.name not in circuits.worthwhile(more, 8)


def draw(plan: Plan, seed: int, **how: object) -> object:
    rng = random.Random(seed)
    params = {name: rng.choice(d.choices) for name, d in space.distributions(plan, **how).items()}
    how.pop("contracted", None)
    return space.architecture(plan, params, SHAPE if plan is QUICK else (3, 32, 32), 10, **how)


@pytest.mark.parametrize("plan", [QUICK, FULL], ids=lambda plan: plan.name)
def test_every_point_of_the_contracted_space_is_a_network(plan: Plan) -> None:
    choices = space.distributions(plan)
    assert {"width0", "kernel1", "circuit0", "circuit_last", "pooling1"} <= choices.keys()
    assert "xnor" in choices["circuit1"].choices
    assert "xnor" not in (*choices["circuit0"].choices, *choices["circuit_last"].choices)
    for seed in range(20):
        network = draw(plan, seed)
        assert len(workload(network).layers) == len(plan.widths) + 1
        assert set(network.widths) <= {w for widths in plan.widths for w in widths}
    size = np.prod([float(len(d.choices)) for d in choices.values()])
    assert contraction.steps(plan)[-1].size == size


def test_steps_only_shrink() -> None:
    sizes = [step.size for step in contraction.steps(FULL)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] / sizes[-1] > 1e10


def test_given_operators_leave_sizes() -> None:
    names = {*space.distributions(QUICK, operators=("int8",))}
    assert names == {"width0", "width1", "kernel0", "kernel1", "pooling0", "pooling1"}
    assert draw(QUICK, 0, operators=("int8",)).operators == (integer(8),) * 3
    assert draw(QUICK, 0, operators=("fp16",)).operators[0].kind == "float"
    assert "circuit0" in space.distributions(QUICK, operators=("int8", "int4"))


def test_a_given_network_leaves_circuits() -> None:
    fixed = QUICK.fixed(*SHAPE, 10)
    assert {*space.distributions(QUICK, network=fixed)} == {"circuit0", "circuit1", "circuit_last"}
    found = draw(QUICK, 1, network=fixed)
    assert found.widths == fixed.widths
    assert found.operators != fixed.operators


def test_the_uncontracted_space_has_networks_and_impossible_points() -> None:
    choices = space.distributions(QUICK, contracted=False)
    assert choices["length1"].choices[0] == 1
    assert {"adder_last", "activation0", "source0"} <= choices.keys()
    made, refused = [], 0
    for seed in range(150):
        try:
            made.append(draw(QUICK, seed, contracted=False))
        except BadInput:
            refused += 1
    assert refused > 10
    assert len(made) > 10
    assert any(o.coding == "bipolar" for network in made for o in network.operators)


def test_results_are_relus_unless_signed_ones_are_read() -> None:
    params = {name: d.choices[0] for name, d in space.distributions(QUICK, network=QUICK.fixed(*SHAPE, 10)).items()}
    params |= {"circuit1": BP.name, "circuit_last": SM.name, "width0": 4, "width1": 8, "kernel0": 3, "kernel1": 5}
    params |= {"pooling0": "max", "pooling1": "average"}
    assert space.architecture(QUICK, params, SHAPE, 10).activations == ("relu", "clamp")
    assert space.architecture(QUICK, params | {"activation0": "clamp"}, SHAPE, 10).activations == ()


def test_xnor_at_an_end_is_refused() -> None:
    params = {name: d.choices[0] for name, d in space.distributions(QUICK).items()}
    with pytest.raises(BadInput, match="The image and the logits need operands of several bits"):
        space.architecture(QUICK, params | {"circuit_last": "xnor"}, SHAPE, 10)


def test_stages_end_with_poolings() -> None:
    plan = FULL.replace(widths=FULL.widths[:1] * 5, pool_after=(1, 3))
    assert space.stages(plan) == ((0, 1), (2, 3), (4,))


@pytest.mark.thorough
def test_the_shipped_chart() -> None:
    """Its errors are those of today's arithmetic; what it keeps can be built; exact integers err by rounding only."""
    chart = charts.load()
    for name in ("int8", stochastic(4, bits=4).name, stochastic(16, source="counter").name):
        found = errors(operator_named(name))
        assert {key: chart.entry(name).model_dump()[key] for key in found} == pytest.approx(found, rel=1e-3, abs=1e-9)
    assert all(operator_named(name).kind == "stochastic" for name in space.circuits())


def test_the_shipped_chart_is_complete() -> None:
    chart = charts.load()
    measured = {entry.operator for entry in chart.entries}
    assert {o.name for o in charts.circuits() if charts.certain(o)} | {*charts.OTHERS} <= measured
    assert measured | chart.hopeless.keys() == {o.name for o in charts.circuits()} | {*charts.OTHERS}
    assert not measured & chart.hopeless.keys()


def test_a_circuit_is_measured_unless_it_would_lose_even_if_it_were_cheap() -> None:
    """Beside SM, which takes 0.7 pJ: little more than half of it is 0.385."""
    cheaper = entry(LONG.name, 0.38, 0.2, 0.3)
    entries = (*CHART.entries, cheaper)
    register = stochastic(8, source="lfsr", sharing=1)
    known = (*entries, entry(stochastic(8, sharing=1).name, 0.7, 0.1))
    assert not charts.certain(register)
    assert charts.hopeful(register, 0.19, 0.31, known)
    assert charts.hopeful(register, 0.21, 0.29, known)
    assert not charts.hopeful(register, 0.2, 0.3, known)
    assert charts.hopeful(register, 0.2, 0.3, (*known[:-2], cheaper.replace(energy_pj=0.39), known[-1]))


def test_errors_are_what_normalisation_cannot_undo() -> None:
    rng = np.random.default_rng(3)
    ideal, noise = rng.normal(size=(2, 500, 4, 3, 3))
    scaled = ideal * np.array([1, 2, 3, 4]).reshape(1, 4, 1, 1) + np.array([5, -6, 0, 9]).reshape(1, 4, 1, 1)
    assert residual(scaled, ideal) == 0
    assert residual(noise, ideal) == pytest.approx(1, abs=1e-3)
    assert residual(ideal + 0.75 * noise, ideal) == pytest.approx(0.6, abs=0.02)  # 0.75 / sqrt(1 + 0.75**2)


def test_an_unknown_chart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no chart of circuits"):
        charts.load(tmp_path / "none.json")
    with pytest.raises(BadInput, match="The chart has no operator 'int3'"):
        CHART.entry("int3")


def test_charts_round_trip(tmp_path: Path) -> None:
    charts.save(tmp_path / "chart.json", CHART)
    assert charts.load(tmp_path / "chart.json") == CHART
