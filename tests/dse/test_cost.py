"""The cost model against gates: counts against the gate simulator's, costs of accelerators it was not fitted to against measurement."""

import json
from collections import Counter
from pathlib import Path

import pytest

from gatewright.dse import memories
from gatewright.dse.cost import CostModel
from gatewright.dse.equations import Sample, sample
from gatewright.dse.features import lane_features
from gatewright.dse.heldout import compare, compare_operators, cycles_wrong
from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement, load, shipped
from gatewright.sim.probe import Probe, measure_probe
from gatewright.sim.technology import ihp130
from gatewright.sw.counts import total
from gatewright.sw.models import Architecture

AREA_BAND, ENERGY_BAND = 0.05, 0.08  # of a complete accelerator


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


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


def test_layers_not_timed_say_nothing_of_glitches(model: CostModel) -> None:
    few = [glitching(item.measurement, 0.5) for item in model.samples[:4]]
    mixed = CostModel([*few, *(glitching(measurement, 0.0, timed=0.0) for measurement in few)])
    told = [{family: len(system.owner) for family, system in found.systems["glitches"].items()} for found in (mixed, CostModel(few))]
    assert told[0] == told[1]


@pytest.mark.parametrize("operator", [xnor(), integer(4), stochastic(64), shift(), binary_weight(4), multiplication_free("l1", 8)])
def test_lanes_grow_with_the_operands(operator: Operator) -> None:
    (_, narrow), (_, wide) = (lane_features(operator, bits) for bits in (32, 64))
    assert wide == {name: 2 * value for name, value in narrow.items()}


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
