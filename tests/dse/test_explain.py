"""An explanation adds up to the prediction, counts what the schedule counts, and names measurements that are there."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gatewright.cli.common import parse_toml
from gatewright.cli.main import main
from gatewright.dse.config import RunConfig
from gatewright.dse.cost import CostModel
from gatewright.dse.explain import TIMED, _merged, explain
from gatewright.dse.explanation import Explanation
from gatewright.dse.explore import Result
from gatewright.dse.finalists import Finalist
from gatewright.dse.mapper import Mapper
from gatewright.dse.prove import Layer as ProofLayer
from gatewright.dse.prove import Proof, Verified
from gatewright.dse.provenance import extrapolations, unmeasured
from gatewright.dse.run import RESULT, create
from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import checkpoint, data
from gatewright.sw.accuracy import wilson
from gatewright.sw.activity import IMAGES, activities
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.counts import count, utilisation
from gatewright.sw.models import Architecture, network, workload
from gatewright.sw.occupancy import traffic

I8, X = integer(8), xnor()
NETWORK = Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(I8, X, I8), pool_after=(0,))
CONFIG = AcceleratorConfig(rows=2, cols=4, operand_bits=32, operators=(I8, X), accumulator_bits=20, activation_words=128)
FILE = """
[accelerator]
rows = 2
cols = 2
operand_bits = 32
operators = ["int8", "xnor"]
[network]
family = "vgg"
widths = [6]
operators = ["xnor", "int8"]
"""
SEARCH = """
name = "made"
[network]
families = ["vgg"]
widths = [8]
depths = [1]
[operators]
choices = ["int8", "xnor"]
[accelerator]
rows = [2]
cols = [4]
[target]
accuracy_min = 0.3
[search]
images = 2
"""


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


@pytest.fixture(scope="module")
def found(model: CostModel) -> Explanation:
    return explain(model, Mapper(model, images=2).schedule(workload(NETWORK), CONFIG), clock_ns=25.0)


def test_the_rows_add_up_to_the_prediction(model: CostModel, found: Explanation) -> None:
    predicted = model.predict(found.schedule, clock_ns=25.0)
    assert found.schedule.images == 2
    for layer, blocks in zip(found.layers, predicted.layers, strict=True):
        assert layer.by_block() == pytest.approx({b: pj for b, pj in blocks.items() if pj})
        assert sum(row.pj for row in layer.logic) == layer.logic_pj
    sums = {
        "energy_pj": sum(layer.logic_pj for layer in found.layers),
        "memory_energy_pj": sum(layer.memory_pj for layer in found.layers),
        "external_energy_pj": sum(layer.external.pj for layer in found.layers),
    }
    assert sums == pytest.approx({name: getattr(predicted.metrics, name) for name in sums})


def test_measured_accelerators_add_up_too(model: CostModel) -> None:
    for item in model.samples[::15]:
        layers = explain(model, item.schedule, item.measurement.clock_ns, [layer.activity for layer in item.measurement.layers]).layers
        for layer, work in zip(layers, item.work, strict=True):
            by_part: dict[str, float] = {}
            for row in layer.logic:
                by_part[row.part] = by_part.get(row.part, 0.0) + row.pj * item.schedule.images
            assert by_part == pytest.approx(
                {key: pj for key, pj in model.layer(item.config, work, item.measurement.clock_ns).items() if pj}
            )


def test_counts_are_the_schedules(model: CostModel, found: Explanation) -> None:
    """Of a run of two images the half."""
    moved = [part.moved for part in traffic(found.schedule)]
    for layer, n, words in zip(found.layers, count(found.schedule), moved, strict=True):
        assert layer.counts == {name: number / 2 for name, number in asdict(n).items()}
        exact = {row.event: row.count for row in layer.logic if row.cause == "settled" and hasattr(n, row.event.replace(" ", "_"))}
        assert exact == {event: getattr(n, event.replace(" ", "_")) / 2 for event in exact}
        assert {"issues", "beats", "instruction words", "stored words"} <= set(exact)
        reads = {row.part: row.count for row in layer.memories if row.event == "reads"}
        assert reads["weights"] == n.weight_reads / 2
        assert reads["activations"] == n.activation_reads * CONFIG.rows / 2
        assert layer.external.count == layer.traffic["moved"] == words / 2
        for row in layer.logic:
            if row.terms:
                assert row.pj_each == pytest.approx(sum(times * pj for times, pj in row.terms.values()))


def test_leakage_and_clock_stand_apart(model: CostModel, found: Explanation) -> None:
    slower = explain(model, found.schedule, clock_ns=50.0)
    for now, then in zip(found.layers, slower.layers, strict=True):
        for a, b in zip(now.logic, then.logic, strict=True):
            assert b.pj == pytest.approx(a.pj * (2 if a.cause == "leakage" else 1))


def test_glitches_stand_apart(model: CostModel) -> None:
    """In measurements whose every part glitches by a fifth of what settles."""
    glitching = []
    for item in model.samples[::6]:
        layers = []
        for layer in item.measurement.layers:
            energy = {part: (*causes[:3], 0.2 * causes[2]) for part, causes in layer.energy.items()}
            layers.append(layer.replace(energy=energy, timed=1.0))
        glitching.append(item.measurement.replace(layers=tuple(layers)))
    timed = CostModel(glitching)
    made = timed.samples[0].schedule
    predicted, about = timed.predict(made).metrics, explain(timed, made)
    sums = dict.fromkeys(("clock", "leakage", "settled", "glitches"), 0.0)
    for row in (row for layer in about.layers for row in layer.logic):
        sums[row.cause] += row.pj
    assert sums["glitches"] == pytest.approx(0.2 * sums["settled"], rel=0.02)  # the fit of glitches has terms of its own
    assert sum(sums.values()) == pytest.approx(predicted.energy_pj)
    assert sum(sums.values()) - sums["glitches"] == pytest.approx(predicted.zero_delay_pj)
    assert about.provenance["activity"] == TIMED


def test_support_names_measurements_that_hold_the_family(model: CostModel, found: Explanation) -> None:
    measured = {item.measurement.name: set(item.measurement.parts) for item in model.samples}
    assert {support.family for support in found.supports} == {part.part.family for part in model.priced(CONFIG)}
    for support in found.supports:
        assert set(support.nearest) <= set(support.measurements) <= set(measured)
        assert support.equations["settled"] > 0
    [lanes] = [support for support in found.supports if support.family == "lanes.xnor"]
    assert set(lanes.measurements) == {name for name, parts in measured.items() if any("xnor" in part for part in parts)}
    assert lanes.energy_mape is not None
    assert abs(lanes.energy_worst or 0.0) >= lanes.energy_mape
    assert lanes.worst_in is not None
    assert lanes.worst_in.split()[0] in measured


def test_the_nearest_measurement_of_a_measured_configuration_is_its_own(model: CostModel) -> None:
    item = model.samples[4]
    about = explain(model, item.schedule)
    assert item.measurement.name in about.measured_as
    assert about.extrapolations == about.unmeasured == ()
    assert all(support.nearest[0] in about.measured_as for support in about.supports)


def test_what_goes_beyond_the_measurements_is_said(model: CostModel) -> None:
    largest = max(item.config.rows for item in model.samples)
    beyond = extrapolations(model, CONFIG.replace(rows=64, operators=(I8, X, integer(7))))
    assert f"rows 64: largest measured {largest}" in {str(one) for one in beyond}
    assert {one.what for one in beyond} == {"rows"}
    long = extrapolations(model, CONFIG.replace(operators=(I8, stochastic(256))))
    assert {str(one) for one in long} == {f"{stochastic(256).name} stream_length 256: largest measured 128"}
    assert {family for one in long for family in one.families} == {"lanes.stochastic", "encoder", "source.sobol"}
    deep = extrapolations(model, CONFIG.replace(weight_words=32768))
    assert deep
    assert not {"element", "lanes.int"} & set(deep[0].families)


def test_what_nothing_measured_is_said(model: CostModel) -> None:
    assert not unmeasured(model, CONFIG, CONFIG.operators)
    plain = CostModel([item.measurement for item in model.samples if not item.config.pooling])
    missing = unmeasured(plain, plain.samples[0].config.replace(pooling=True), plain.samples[0].config.operators)
    assert "post: area by pools" in missing


def test_a_family_that_is_absent_is_refused(model: CostModel, found: Explanation) -> None:
    without = CostModel([item.measurement for item in model.samples if {o.kind for o in item.config.operators} == {"int"}])
    with pytest.raises(BadInput, match=r"No measurement tells what lanes\.xnor costs"):
        explain(without, found.schedule)


def test_a_changed_unit_cost_shows(model: CostModel, found: Explanation) -> None:
    """The negative: rows of another model do not add up to this one's prediction."""
    other = model.without(0)
    other.costs["element"] = replace(other.costs["element"], clock_pj=2 * model.costs["element"].clock_pj)
    wrong = explain(other, found.schedule, clock_ns=25.0)
    assert sum(layer.logic_pj for layer in wrong.layers) > 1.1 * sum(layer.logic_pj for layer in found.layers)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(FILE)
    return path


def test_the_command_on_a_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(file), "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in record["layers"]] == ["conv0", "fc"]
    for layer in record["layers"]:
        assert sum(row["pj"] for row in layer["logic"]) == pytest.approx(layer["energy_pj"])
        assert layer["measured"] is None
        assert layer["memory_energy_pj"]["twice"] == pytest.approx(4 * layer["memory_energy_pj"]["half"])
    assert record["energy_pj"] == pytest.approx(sum(layer["energy_pj"] for layer in record["layers"]))
    assert record["provenance"]["technology"] == "ihp130"

    assert main(["explain", str(file), "--layer", "fc", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "Layer 1 fc, int8" in text
    assert "Layer 0" not in text
    assert "RM_IHPSG13" in text


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (("", ""), ["--layer", "conv7"], "There is no layer 'conv7'; the layers are 0 conv0, 1 fc"),
        (("", ""), ["--layer", "2"], "There is no layer '2'"),
        (("rows = 2", "rows = 0"), [], "rows"),
        (('"int8", "xnor"', '"int8", "xnor", "sc64_counter"'), [], "There is no operator named 'sc64_counter'"),
    ],
)
def test_the_command_refuses(
    file: Path, change: tuple[str, str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE.replace(*change) if change[0] else FILE)
    assert main(["explain", str(file), "--quiet", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err


@pytest.fixture
def run(model: CostModel, found: Explanation, tmp_path: Path) -> Path:
    """A finished run whose gates were measured at half of what each block is predicted to take, and with glitches at as much."""
    planned, predicted = found.schedule, model.predict(found.schedule)
    config = RunConfig(**parse_toml(SEARCH, "search"))
    layers = tuple(
        ProofLayer(
            name=layer.name, operator=layer.operator.name, shape="", products=1, cycles=1, counted=1, predicted=blocks, measured=blocks
        )
        for layer, blocks in zip(planned.workload.layers, predicted.layers, strict=True)
    )
    real = predicted.metrics.replace(origin="measured", activity="timed", zero_delay_pj=predicted.metrics.energy_pj / 2)
    proof = Proof(
        verified=Verified(images=1, mismatches=0, cycles_predicted=1, cycles_simulated=(1,)),
        predicted=predicted.metrics.replace(energy_pj=123_000.0),
        measured=real,
        layers=layers,
        area={},
        technology="ihp130",
        memories="",
        model_technology="ihp130",
        calibrated_on=44,
        calibrated_here=False,
        streams=1,
        images=planned.images,
        cells=1,
    )
    finalist = Finalist(
        trial=0,
        architecture=NETWORK,
        config=CONFIG,
        mappings=planned.mappings,
        metrics=predicted.metrics,
        recipe=Recipe(),
        validation=wilson(1, 2),
        test=wilson(1, 2),
    )
    result = Result(
        name="made",
        dataset="digits",
        target="",
        met=True,
        best=0,
        finalists=(finalist,),
        proof=proof,
        tally={},
        combinations=1.0,
        seconds={},
        provenance={},
    )
    made = create(tmp_path, config, SEARCH)
    made.write(RESULT, result.model_dump(mode="json"))
    return made.folder


def test_the_command_on_a_run(run: Path, model: CostModel, found: Explanation, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["images"] == 2
    for layer, blocks in zip(record["layers"], model.predict(found.schedule).layers, strict=True):
        assert layer["measured"] == pytest.approx(blocks)
        assert {block: layer["measured"][block] for block in layer["predicted"]} == pytest.approx(layer["predicted"])
    assert main(["explain", str(run), "--quiet"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"nJ in ihp130; predicted [+-]0\.0%", text)  # the model holds glitches too
    assert "The run's own model predicted 123.0 nJ" in text
    assert "+0.0%" in text


def test_every_number_is_an_image_s(run: Path, model: CostModel, found: Explanation, capsys: pytest.CaptureFixture[str]) -> None:
    """Cycles are the metrics'; products are counted by hand: 6 x 9 of 8 x 8 pixels, 8 x 6 x 9 of 4 x 4."""
    metrics = model.predict(found.schedule).metrics
    assert metrics.cycles == sum(part.cycles for part in count(found.schedule)) / 2
    assert main(["explain", str(run), "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    totals = [sum(layer[name] for layer in record["layers"]) for name in ("energy_pj", "external_energy_pj", "cycles")]
    assert [record[name] for name in ("energy_pj", "external_energy_pj", "cycles")] == pytest.approx(totals)
    assert totals == pytest.approx([metrics.energy_pj, metrics.external_energy_pj, metrics.cycles])
    assert [layer["products"] for layer in record["layers"]][:2] == [3456, 6912]
    for layer in record["layers"]:
        assert sum(layer["occupancy"][name] for name in ("issuing", "filling", "loading", "storing", "control")) == layer["cycles"]
        assert layer["occupancy"]["cycles"] == layer["counts"]["cycles"] == layer["cycles"]
        assert layer["traffic"]["compulsory"] == sum(layer["traffic"][name] for name in ("inputs", "constants", "outputs"))
        [words] = layer["external"]
        assert words["count"] == layer["traffic"]["moved"]
        assert words["pj"] == layer["external_energy_pj"]
    assert [layer["occupancy"]["utilisation"] for layer in record["layers"]] == list(utilisation(found.schedule))

    assert main(["explain", str(run), "--quiet", "--layer", "conv0"]) == 0
    text = capsys.readouterr().out
    assert f"An image: {metrics.cycles:,.1f}".removesuffix(".0") in text
    assert f"; a run of 2 takes {2 * metrics.cycles:,.0f}; all numbers are an image's" in " ".join(text.split())
    assert "3,456 products" in text
    first = record["layers"][0]
    assert f"time     {first['cycles']:,.1f}".removesuffix(".0") in text
    [total] = [line.split() for line in text.splitlines() if line.startswith("total")]
    assert f"{metrics.cycles:,.1f}".removesuffix(".0") in total


def test_a_run_is_priced_with_its_own_network(run: Path, model: CostModel, found: Explanation, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--quiet"]) == 0
    assert "trial-0.safetensors, is gone" in " ".join(capsys.readouterr().out.split())
    (run / "finalists").mkdir()
    trained = Trained(architecture=NETWORK, recipe=Recipe(), dataset="digits", network=network(NETWORK, seed=5).eval(), history=())
    checkpoint.save(trained, run / "finalists" / "trial-0.safetensors")
    digits = data.load("digits")
    codes = data.encode(I8, digits.train.images[:IMAGES], digits.maximum)
    own = model.predict(found.schedule, activities=activities(trained.export(), codes, CONFIG.operand_bits)).metrics
    assert own.energy_pj != pytest.approx(model.predict(found.schedule).metrics.energy_pj, rel=1e-3)
    assert main(["explain", str(run), "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["energy_pj"] == pytest.approx(own.energy_pj)
    assert main(["explain", str(run), "--quiet"]) == 0
    assert f"the run's own trained network's, on {IMAGES} training images of digits" in capsys.readouterr().out


def test_many_layers_are_summed_up(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(FILE.replace("widths = [6]", "widths = [6, 6, 6]").replace('["xnor", "int8"]', '["int8", "xnor", "int8", "int8"]'))
    assert main(["explain", str(file), "--quiet"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    rows = [line.split() for line in lines if line.startswith(("0 conv0", "1 conv1", "2 conv2", "3 fc", "total"))]
    assert len(rows) == 5
    assert sum(float(row[3]) for row in rows[:-1]) == pytest.approx(float(rows[-1][1]), abs=0.3)  # rounded to tenths
    assert "Layer 0" not in text
    assert "--layer" in text
    assert "typical ones of measured layers" in text
    assert main(["explain", str(file), "--quiet", "--layer", "2"]) == 0
    assert "Layer 2 conv2" in capsys.readouterr().out


def test_texts_that_differ_in_a_number_are_said_once() -> None:
    assert _merged({"128 images", "64 images", "noise"}) == ["64 or 128 images", "noise"]


def test_what_moves_glitches_alone_does_not_settle(model: CostModel) -> None:
    assert not unmeasured(model, CONFIG.replace(operators=(integer(4), binary_weight(8))), (integer(4), binary_weight(8)))


def test_a_run_that_has_not_finished_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / RESULT).unlink()
    assert main(["explain", str(run)]) == 2
    assert f"{run} has no {RESULT}" in capsys.readouterr().err
