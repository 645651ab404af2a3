"""The cost model against gates: counts against the gate simulator's, costs of accelerators it was not fitted to against measurement."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.dse import memories
from gatewright.dse.calibration_plot import calibration_info, calibration_plot
from gatewright.dse.calibration_table import BEGIN, END, beyond, shipped_errors, tables
from gatewright.dse.cost import CostModel
from gatewright.dse.equations import Sample, sample
from gatewright.dse.features import lane_features
from gatewright.dse.heldout import HeldOut, compare, compare_operators, cycles_wrong, heldout, mean
from gatewright.dse.least_squares import Rows
from gatewright.dse.typical import NETWORK, Seen, typical
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement, load, shipped
from gatewright.sim.probe import Probe, measure_probe
from gatewright.sim.technology import ihp130
from gatewright.sw.activity import Activity, Toggles
from gatewright.sw.counts import Counts, total
from gatewright.sw.models import Architecture

OPERATOR_WORST = 0.30  # the target of 0.12 is missed
ENERGY_WORST = 0.11  # of a complete accelerator; three of 161 miss the target of 0.08
AREA_BAND, ENERGY_BAND = 0.05, 0.08  # of a complete accelerator
OPERATOR_AREA, OPERATOR_ENERGY, OPERATOR_SETTLED = 0.015, 0.05, 0.035  # mean of all operators


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


@pytest.fixture(scope="module")
def errors(model: CostModel) -> HeldOut:
    return heldout(model)


@pytest.fixture(scope="module")
def unseen() -> Measurement:
    """A small accelerator whose operators stand in no shipped measurement together, measured now."""
    operators = (integer(5, 7), xnor(), integer(5, 7))
    config = AcceleratorConfig(rows=2, cols=1, operand_bits=32, operators=operators[:2], accumulator_bits=21, activation_words=64)
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(8, 8), operators=operators, pool_after=(0,))
    return measure_probe(Probe(name="unseen", config=config, architecture=network), ihp130()).measurement


def accesses(item: Sample) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[float, float]]]:
    """Reads and writes of every buffer in a run, predicted and counted on gates."""
    predicted, counted = Counter[str](), Counter[str]()
    for layer in memories.accesses(item.schedule, item.counts):
        for name, (reads, writes) in layer.items():
            predicted[f"{name} reads"] += reads
            predicted[f"{name} writes"] += writes
    for measured in item.measurement.layers:
        for path, (reads, writes) in measured.accesses.items():
            name = path.rpartition(".")[2].removeprefix("memory_").partition("_")[0]
            counted[f"{name} reads"] += reads
            counted[f"{name} writes"] += writes
    return predicted, {name: number / item.measurement.streams for name, number in counted.items()}


def wholly_counted(item: Sample) -> bool:
    return all(layer.sampled >= 1 for layer in item.measurement.layers)


def test_accesses_equal_those_counted_on_gates(model: CostModel, unseen: Measurement) -> None:
    checked = [item for item in (*model.samples, sample(unseen)) if wholly_counted(item)]
    assert len(checked) >= 10
    for item in checked:
        predicted, counted = accesses(item)
        assert predicted == counted, item.measurement.name


def test_words_moved_equal_those_counted_on_gates(model: CostModel, unseen: Measurement) -> None:
    for item in (*model.samples, sample(unseen)):
        assert memories.external_words(item.counts) == item.measurement.external_words, item.measurement.name


def test_memory_costs_are_the_energy_reports(model: CostModel) -> None:
    """Accesses, idle edges and leakage, priced here and by the energy report; the host's eight cycles stand between them."""
    for item in model.samples:
        if wholly_counted(item):
            work = zip(memories.accesses(item.schedule, item.counts), item.counts, strict=True)
            predicted = sum(
                memories.energy_pj(item.config, layer, n.cycles, item.measurement.clock_ns, model.memories) for layer, n in work
            )
            assert predicted == pytest.approx(sum(layer.memory_pj for layer in item.measurement.layers), rel=0.01)
        assert memories.area_um2(item.config, model.memories) == pytest.approx(item.measurement.memory_area_um2)


def test_an_unseen_accelerator_is_predicted(model: CostModel, unseen: Measurement) -> None:
    assert unseen.config not in {item.config for item in model.samples}
    item = sample(unseen)
    assert cycles_wrong(item) == 0
    whole = compare(model, item)[-1]
    assert abs(whole.area_error or 0) < AREA_BAND
    assert abs(whole.energy_error or 0) < ENERGY_BAND


def test_heldout_errors_stay_within_their_bands(model: CostModel, errors: HeldOut) -> None:
    assert sum(len(item.measurement.parts) for item in model.samples) >= 40
    assert errors.cycles_wrong == 0
    assert not errors.alone
    assert errors.area_mape < AREA_BAND
    assert errors.energy_mape < ENERGY_BAND
    assert abs(errors.energy_worst) < ENERGY_WORST
    assert sum(abs(row.energy_error or 0) > ENERGY_BAND for row in errors.whole) <= 3
    assert mean(row.area_error for row in errors.operators) < OPERATOR_AREA
    assert mean(row.energy_error for row in errors.operators) < OPERATOR_ENERGY
    assert max(abs(row.energy_error or 0) for row in errors.operators) < OPERATOR_WORST
    assert mean(row.settled_error for row in errors.operators) < OPERATOR_SETTLED


def test_a_model_left_out_twice_has_seen_neither(model: CostModel) -> None:
    few = [item.measurement for item in model.samples[:8]]
    twice, never = CostModel(few).without(0).without(0), CostModel(few[2:])
    assert sum(twice.area(few[1].config).values()) == pytest.approx(sum(never.area(few[1].config).values()))
    assert heldout(CostModel(few).without(0)).energy_mape == pytest.approx(heldout(CostModel(few[1:])).energy_mape)


def test_the_error_a_model_states_is_its_own(model: CostModel, errors: HeldOut) -> None:
    assert model.heldout_error == pytest.approx(mean(row.energy_error for row in errors.whole))
    few = CostModel([item.measurement for item in model.samples[:8]])
    assert few.heldout_error == pytest.approx(heldout(few).energy_mape) != pytest.approx(model.heldout_error)


def test_layers_not_timed_say_nothing_of_glitches(model: CostModel) -> None:
    few = [glitching(item.measurement, 0.5) for item in model.samples[:4]]
    mixed = CostModel([*few, *(glitching(measurement, 0.0, timed=0.0) for measurement in few)])
    told = [{family: len(system.owner) for family, system in found.systems["glitches"].items()} for found in (mixed, CostModel(few))]
    assert told[0] == told[1]


@pytest.mark.parametrize("operator", [xnor(), integer(4), stochastic(64), shift(), binary_weight(4), multiplication_free("l1", 8)])
def test_lanes_grow_with_the_operands(operator: Operator) -> None:
    (_, narrow), (_, wide) = (lane_features(operator, bits) for bits in (32, 64))
    assert wide == {name: 2 * value for name, value in narrow.items()}


def test_a_wrong_measurement_shows_as_an_outlier(model: CostModel) -> None:
    measurements = [item.measurement for item in model.samples]
    victim = measurements[3]
    layers = tuple(
        layer.replace(energy={part: tuple(1.5 * pj for pj in causes) for part, causes in layer.energy.items()}) for layer in victim.layers
    )
    errors = heldout(CostModel([*measurements[:3], victim.replace(layers=layers), *measurements[4:]]))
    worst = max(errors.whole, key=lambda row: abs(row.energy_error or 0))
    assert worst.name == victim.name
    assert worst.energy_error == pytest.approx(1 / 1.5 - 1, abs=ENERGY_BAND)


def glitching(measurement: Measurement, share: float, timed: float = 0.1) -> Measurement:
    """A measurement in which glitches are that share of what settles, looked for in a part `timed` of the cycles."""
    layers = tuple(
        layer.replace(timed=timed, energy={part: (c, leak, moved, share * moved) for part, (c, leak, moved, _) in layer.energy.items()})
        for layer in measurement.layers
    )
    return measurement.replace(layers=layers)


def test_glitches_have_unit_costs_of_their_own(model: CostModel) -> None:
    plain = CostModel([glitching(item.measurement, 0.0) for item in model.samples])
    timed = CostModel([glitching(item.measurement, 0.5) for item in model.samples])
    assert timed.timed
    item = model.samples[0]
    moved = [layer.activity for layer in item.measurement.layers]
    without, found = (m.predict(item.schedule, activities=moved).metrics for m in (plain, timed))
    assert found.activity == "timed"
    assert found.zero_delay_pj == pytest.approx(without.energy_pj, rel=0.02)
    settled = [sum(causes[2] for layer in item.measurement.layers for causes in layer.energy.values()) / item.measurement.images]
    assert found.energy_pj - (found.zero_delay_pj or 0.0) == pytest.approx(0.5 * settled[0], rel=0.1)
    first, *rest = (item.measurement for item in model.samples[:4])
    assert not CostModel([glitching(first, 0.0, timed=0.0), *(glitching(m, 0.5) for m in rest)]).timed


def test_unit_costs_are_found_again() -> None:
    """Known costs, features like counts (some close to each other), 2% noise; a feature that costs nothing stays near nothing."""
    rng, known = np.random.default_rng(3), {"products": 0.02, "reads": 0.3, "drains": 1.5, "idle": 0.0}
    rows = Rows()
    for _ in range(80):
        counts = dict(zip(known, 10 ** rng.uniform(3, 5, len(known)) * [10, 1, 0.3, 1], strict=True))
        energy = sum(known[name] * number for name, number in counts.items())
        rows.add(counts, energy * (1 + 0.02 * rng.standard_normal()), energy)
    found = rows.system().solve(ridge=1e-4)
    assert found["idle"] < 0.01 * found["reads"]
    assert {name: found[name] for name in known if known[name]} == pytest.approx({n: c for n, c in known.items() if c}, rel=0.05)


def test_a_circuit_seen_is_known_better_than_its_family() -> None:
    rows = Rows()
    for circuit, factor in (("a", 1.0), ("b", 1.0), ("c", 1.5)):
        for size in (10.0, 20.0, 30.0):
            rows.add({"bits": size}, 2 * factor * size, 2 * factor * size, circuit)
    costs = {"bits": 2.0}
    assert rows.system().ratios(costs, doubt=0.0) == pytest.approx({"a": 1.0, "b": 1.0, "c": 1.5})
    assert rows.system().ratios(costs, doubt=1.0)["c"] == pytest.approx((3 * 1.5 + 1) / 4)


def test_a_prediction_never_rests_on_its_own_measurement(model: CostModel) -> None:
    """Held out, a measurement that is tripled is predicted as before; the model that holds it changes."""
    i, item = 6, model.samples[6]
    layers = tuple(
        layer.replace(energy={part: tuple(3 * pj for pj in causes) for part, causes in layer.energy.items()})
        for layer in item.measurement.layers
    )
    parts = {key: part.replace(area_um2=3 * part.area_um2) for key, part in item.measurement.parts.items()}
    measurements = [m.measurement for m in model.samples]
    measurements[i] = item.measurement.replace(layers=layers, parts=parts)
    other = CostModel(measurements)
    for before, after in zip(compare(model.without(i), item), compare(other.without(i), item), strict=True):
        assert (after.predicted_um2, after.predicted_pj) == (before.predicted_um2, before.predicted_pj)
    for before, after in zip(compare_operators(model.without(i), item), compare_operators(other.without(i), item), strict=True):
        assert (after.predicted_um2, after.predicted_pj) == (before.predicted_um2, before.predicted_pj)
    assert compare(other, item)[-1].predicted_pj > 1.02 * compare(model, item)[-1].predicted_pj
    assert item not in model.without(i).samples  # nor is its activity among the typical ones


def test_a_measurement_that_lacks_a_layer_is_refused(model: CostModel) -> None:
    whole = model.samples[0].measurement
    with pytest.raises(BadInput, match="Measure it again"):
        sample(whole.replace(layers=whole.layers[:-1]))


def test_activity_of_another_layer_is_noticed(model: CostModel) -> None:
    """A first layer with one channel of eight, priced with the toggles of a full one."""
    item = next(item for item in model.samples if item.measurement.name == "int8")
    first, second, last = item.measurement.layers
    swapped = item.measurement.replace(layers=(first.replace(activity=second.activity), second.replace(activity=first.activity), last))
    right, wrong = (max(abs(row.energy_error or 0) for row in compare_operators(model, m)) for m in (item, sample(swapped)))
    assert right < 0.08
    assert wrong > 2 * right


def test_typical_activity_says_what_it_is_the_mean_of(model: CostModel) -> None:
    config = AcceleratorConfig(rows=2, cols=2, operators=(integer(8), integer(5)))
    origins = {}
    for operator in (integer(8), integer(5), multiplication_free("mfnet", 5)):
        found, origins[operator.name] = model.activity(Work(operator, Counts(), filled=0.5), config.operand_bits)
        assert found.filled == 0.5
        assert len(found.both.tree) == 3
        assert 0 < found.both.activation < operator.activation_bits
    assert "measured layers with int8" in origins["int8"]
    assert "operators of kind int" in origins["int5"]
    assert "operators of kind multiplication_free" in origins["mf_mfnet_5"]
    planned = model.samples[0].schedule
    assert set(model.predict(planned).activity) == {origins["int8"]}
    known = [layer.activity for layer in model.samples[0].measurement.layers]
    assert set(model.predict(planned, activities=known).activity) == {NETWORK}


def moved(share: float, operator: Operator, tree: tuple[float, ...]) -> Toggles:
    """Toggles in which a share of all bits that there are changes."""
    a, w = (8, 8) if operator.kind == "stochastic" else (operator.activation_bits, operator.weight_bits)
    products = (8, 8) if operator.kind == "stochastic" else (a * w, a + w)
    lane = dict(
        zip(("activation", "weight", "partial", "product"), (share * a, share * w, share * products[0], share * products[1]), strict=True)
    )
    words = {"activation_word": share * operator.activation_width, "weight_word": share * operator.weight_width}
    return Toggles(**lane, **words, tree=tree, sum_sign=share, accumulator=10 * share, sign=share / 2)


def test_typical_activity_by_hand() -> None:
    """int6 in 64 bits has 8 lanes, so three levels of sums, and takes int8's and int4's bit by bit; a short tree goes on as it ends."""

    def seen(operator: Operator, share: float, tree: tuple[float, ...]) -> Seen:
        shares = (share, share / 2, share / 4)
        both, pixel, channel = (moved(each, operator, tuple(each / share * level for level in tree)) for each in shares)
        return Seen(operator, Activity(filled=1.0, both=both, pixel=pixel, channel=channel))

    plain, bipolar = stochastic(64), stochastic(32, "bipolar")
    donors = [seen(integer(8), 0.5, (3.0, 5.0, 7.0)), seen(integer(4), 0.1, (1.0, 2.0, 3.0, 9.0)), seen(integer(8), 0.3, (4.0,))]
    donors += [seen(plain, 0.8, (1.0, 1.0, 1.0)), seen(bipolar, 0.2, (2.0, 2.0, 2.0)), seen(xnor(), 0.9, (8.0,) * 6)]
    found, _ = typical(donors, integer(6), 64, filled=0.25)
    assert found.filled == 0.25
    for change, part in ((found.both, 1.0), (found.pixel, 0.5), (found.channel, 0.25)):
        assert (change.activation, change.weight, change.partial, change.product) == pytest.approx(
            tuple(0.3 * part * bits for bits in (6, 6, 36, 12))
        )
        assert (change.activation_word, change.weight_word) == pytest.approx((0.3 * part * 8, 0.3 * part * 8))
        assert change.tree == pytest.approx(tuple(part * level for level in (8 / 3, 11 / 3, 14 / 3)))
        assert (change.sum_sign, change.accumulator, change.sign) == pytest.approx((0.3 * part, 3 * part, 0.15 * part))
    assert typical(donors, integer(8), 64, 1.0)[0].both.activation == pytest.approx(0.4 * 8)  # its own two alone
    assert typical(donors, stochastic(128, "bipolar"), 64, 1.0)[0].both.weight == pytest.approx(0.2 * 8)  # of its coding
    assert typical(donors[:-1], xnor(), 64, 1.0)[0].both.weight == pytest.approx((0.5 + 0.1 + 0.3 + 0.8 + 0.2) / 5)  # of all
    with pytest.raises(BadInput, match="No measured layer says how much operands move"):
        typical([], integer(8), 64, 1.0)


def test_the_plot_shows_every_accelerator_and_operator(model: CostModel, errors: HeldOut) -> None:
    info = calibration_info(errors)
    assert len(info.accelerators) == len(errors.whole)
    assert len(info.operators) == sum(len({work.operator for work in item.work}) for item in model.samples)
    assert info.inside[0] == sum(abs(row.energy_error or 1) <= 0.05 for row in errors.whole) / len(errors.whole)
    figure = calibration_plot(info)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in dots) == 2 * (len(info.accelerators) + len(info.operators))  # agreement above, error below
    below = sorted(value for trace in dots if trace.yaxis in ("y3", "y4") for value in trace.y)
    assert below == pytest.approx(sorted(row.energy_error or 0.0 for row in (*errors.whole, *errors.operators)))


def test_the_page_shows_the_shipped_measurements() -> None:
    text = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == tables(shipped_errors())


def test_missed_targets_are_named(errors: HeldOut) -> None:
    """The negative: an operator whose predictions are a seventh too high."""
    assert set(beyond(errors)) < set(errors.by_operator())
    wrong = tuple(replace(row, predicted_pj=1.15 * row.energy_pj) if row.part == "int8" else row for row in errors.operators)
    assert "int8" in beyond(replace(errors, operators=wrong))


def test_wrong_cycles_are_counted(model: CostModel) -> None:
    measurement = model.samples[0].measurement
    first, *rest = measurement.layers
    wrong = measurement.replace(layers=(first.replace(cycles=first.cycles + 1), *rest))
    assert cycles_wrong(sample(wrong)) == 1


def test_a_prediction_adds_up(model: CostModel) -> None:
    item = model.samples[0]
    found = model.predict(item.schedule, activities=[layer.activity for layer in item.measurement.layers])
    images = item.schedule.images
    assert found.metrics.energy_pj == pytest.approx(sum(sum(layer.values()) for layer in found.layers))
    assert found.metrics.area_um2 == pytest.approx(sum(found.area.values())) == pytest.approx(sum(model.area(item.config).values()))
    assert found.metrics.cycles == total(item.counts).cycles / images
    assert found.metrics.origin == "calibrated"
    assert found.metrics.memory_origin == "cited"
    assert found.metrics.heldout_error == model.heldout_error
    for layer, work in zip(found.layers, item.work, strict=True):
        parts = model.layer(item.config, work)
        assert sum(parts.values()) / images == pytest.approx(sum(layer.values()))
        assert model.logic_pj(item.config, work) == pytest.approx(sum(parts.values()))
        assert min(parts.values()) >= 0


def test_the_clock_period_sets_leakage_alone(model: CostModel) -> None:
    schedule = model.samples[0].schedule
    energies = [model.predict(schedule, clock_ns=ns).metrics.energy_pj for ns in (10.0, 20.0, 40.0)]
    assert energies[2] - energies[1] == pytest.approx(2 * (energies[1] - energies[0]))
    assert 0 < energies[1] - energies[0] < 0.05 * energies[1]


@pytest.mark.parametrize("change", ["rows", "cols", "accumulator_depth"])
def test_more_hardware_costs_more(model: CostModel, change: str) -> None:
    config = AcceleratorConfig(rows=4, cols=4, operators=(integer(8), xnor(), binary_weight(8), stochastic(64)))
    larger = config.replace(**{change: 2 * getattr(config, change)})
    assert sum(model.area(larger).values()) > sum(model.area(config).values())


def test_a_part_without_measurement_is_refused(model: CostModel) -> None:
    plain = [item.measurement for item in model.samples if {o.kind for o in item.config.operators} == {"int"}]
    with pytest.raises(BadInput, match=r"No measurement tells what lanes\.xnor costs"):
        CostModel(plain).area(AcceleratorConfig(rows=1, cols=1, operators=(xnor(),)))


def test_operators_without_measurements_are_refused(model: CostModel) -> None:
    """Unseen precisions of a measured kind have a price, unseen circuits have none."""
    model.check_operators([integer(7), xnor(), stochastic(64, "bipolar"), binary_weight(7), shift(3), multiplication_free("mfnet", 5)])
    few = CostModel([m.measurement for m in model.samples if not any(o.source == "counter" or o.adder == "or" for o in m.config.operators)])
    for operator, family in ((stochastic(64, source="counter"), "source.counter"), (stochastic(64, adder="or"), "lanes.stochastic.or")):
        with pytest.raises(BadInput, match=f"Operator {operator.name} has no price. No measurement tells what {family} costs"):
            few.check_operators([integer(8), operator])


def test_measurements_of_two_technologies_are_refused(model: CostModel) -> None:
    first, second = (item.measurement for item in model.samples[:2])
    with pytest.raises(BadInput, match="measurements of one technology"):
        CostModel([first, second.replace(technology_hash="other")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a file of measurements"),
        ("[]", "measurements have format 2; got list"),
        ('{"format": 7, "measurements": []}', "measurements have format 2; got 7"),
        ('{"format": 1, "measurements": []}', "measurements have format 2; got 1"),
        ('{"format": 2, "measurements": [{"name": "x"}]}', "holds a damaged measurement: .*config"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "measurements.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        CostModel.from_file(path)


def test_a_damaged_number_is_refused(tmp_path: Path) -> None:
    record = json.loads(shipped().read_text())
    record["measurements"][0]["parts"]["drain"]["area_um2"] = -1
    path = tmp_path / "measurements.json"
    path.write_text(json.dumps(record))
    with pytest.raises(BadInput, match=r"damaged measurement: Part: area_um2: .* \(got -1\)"):
        load(path)
