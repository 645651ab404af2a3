"""The cost model against gates: counts against the gate simulator's, costs of accelerators it was not fitted to against measurement."""

import json
from collections import Counter
from pathlib import Path

import pytest

from gatewright.dse import memories
from gatewright.dse.cost import CostModel
from gatewright.dse.fit import Sample, sample
from gatewright.dse.heldout import compare, cycles_wrong, heldout
from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, multiplication_free, shift, stochastic, xnor
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


def test_heldout_errors_stay_within_their_bands(model: CostModel) -> None:
    errors = heldout(model)
    assert sum(len(item.measurement.parts) for item in model.samples) >= 40
    assert errors.cycles_wrong == 0
    assert not errors.alone
    assert errors.area_mape < AREA_BAND
    assert errors.energy_mape < ENERGY_BAND
    assert abs(errors.energy_worst) < 0.15


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
    for operator, family in ((stochastic(64, source="counter"), "source.counter"), (stochastic(64, adder="or"), "lanes.stochastic.or")):
        with pytest.raises(BadInput, match=f"Operator {operator.name} has no price. No measurement tells what {family} costs"):
            model.check_operators([integer(8), operator])


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
        ('{"format": 1, "measurements": [{"name": "x"}]}', "holds a damaged measurement: .*config"),
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
