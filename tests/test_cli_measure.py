"""`gatewright measure` and `gatewright calibrate`: their keys and their errors."""

import json
import tomllib
from pathlib import Path

import pytest

from gatewright.cli.calibrate import ENOUGH, few
from gatewright.cli.main import main
from gatewright.sim.calibration import plan_from
from gatewright.sim.measurement import load, shipped
from gatewright.sim.probe import choose
from gatewright.sw.models import workload

SMALL = """
[accelerator]
rows = 1
cols = 1
operand_bits = 32
operators = ["xnor"]
accumulator_bits = 18
activation_words = 64
pooling = false

[network]
family = "vgg"
widths = [4]
operators = ["xnor", "xnor"]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_measure_gives_its_keys(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(small), "--json", "--quiet"]) == 0
    whole = json.loads(capsys.readouterr().out)
    for key in ("area_um2", "energy_pj_per_op", "leakage_nw", "cycles_per_op", "fmax_mhz_estimate"):
        assert whole[key] > 0, key
    assert whole["technology"] == "ihp130"
    assert "pyosys" in whole["tools"]
    assert whole["cycles_per_op"] == whole["cycles"] / whole["products"]
    energies = whole["energy_with_memories_pj_per_op"]
    assert 0 < whole["energy_pj_per_op"] < energies["half"] < energies["once"] < energies["twice"]
    memory = energies["twice"] - energies["once"]
    assert energies == pytest.approx({key: whole["energy_pj_per_op"] + f * memory for key, f in (("half", 0.5), ("once", 1), ("twice", 2))})
    assert whole["memories"] == "IHP SG13G2 SRAM macros, cited"

    small.write_text(SMALL + '[block]\nkind = "element"\n')
    assert main(["measure", str(small), "--json", "--quiet"]) == 0
    element = json.loads(capsys.readouterr().out)
    assert element["block"] == "element"
    assert element["reused"]
    assert "energy_with_memories_pj_per_op" not in element
    assert 0 < element["area_um2"] < whole["area_um2"]
    assert 0 < element["energy_pj_per_op"] < whole["energy_pj_per_op"]

    assert main(["measure", str(small), "--quiet"]) == 0
    assert "um2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[accelerator]\nrows = 1\n", "operators"),
        ("[grid]\nrows = 1\n", "grid is not a known table"),
        (SMALL.replace("xnor", "xor"), "There is no operator named 'xor'"),
        (SMALL.replace("rows = 1", "rows = 0"), "rows"),
        (SMALL.replace("widths = [4]", "width = [4]"), "width"),
    ],
)
def test_measure_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert main(["measure", str(path), "--json"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("plan.toml", "probes = 3", "A plan has one key, probes, a list of tables; got probes; see examples/plan.toml"),
        ("plan.toml", "probes = [3]", "A probe is a table; got 3. For a plan see examples/plan.toml"),
        ("plan.json", "{", "is not valid JSON"),
        ("plan.toml", "[[probes]]\nname = 'a'", "config: Field required"),
    ],
)
def test_calibrate_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert main(["calibrate", "--plan", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_calibrate_gives_its_keys_and_says_how_little_a_small_plan_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With measurements that ship in place of new ones; each of two is predicted from the other."""
    known = {m.name: m for m in load(shipped())}
    chosen = [known["int8"], known["int8_tall"]]
    monkeypatch.setattr("gatewright.sim.calibration.measure_plan", lambda *_, **__: chosen)
    out = tmp_path / "two.json"
    command = ["calibrate", "--plan", str(Path(__file__).parents[1] / "examples" / "plan.toml"), "--out", str(out), "--quiet"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"blocks", "heldout", "seconds"} <= set(found)
    assert {"area_mape", "energy_mape", "energy_worst", "cycles_wrong"} <= set(found["heldout"])
    assert (found["out"], found["plot"]) == (str(out), None)
    assert [m.name for m in load(out)] == ["int8", "int8_tall"]
    assert found["units"]["energy_logic_pj"] == found["units"]["energy_with_memories_pj"] == "pJ per run"
    errors = []
    for m in chosen:
        row, memories = found["energy_logic_pj"][m.name], found["energy_with_memories_pj"][m.name]
        assert row["measured"] == pytest.approx(m.energy_pj)
        assert memories["once"] == pytest.approx(m.energy_pj + m.memory_pj)
        errors.append(abs(row["predicted"] / row["measured"] - 1))
    assert found["heldout"]["energy_mape"] == pytest.approx(sum(errors) / 2)
    assert "fitted to one other accelerator: too few" in found["note"]
    assert main(command) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert found["note"] in text
    assert text.endswith(f"Written to {out}.")
    assert few(ENOUGH) is None
    assert f"{ENOUGH - 1} other accelerators: too few" in (few(ENOUGH - 1) or "")


def test_the_example_of_a_plan_is_one() -> None:
    """Both accelerators have the same kinds of blocks, so that each can be predicted from the other, and their networks fit."""
    path = Path(__file__).parents[1] / "examples" / "plan.toml"
    probes = plan_from(tomllib.loads(path.read_text())).probes
    assert [probe.name for probe in probes] == ["narrow", "wide"]
    assert len({probe.config.operators for probe in probes}) == 1
    for probe in probes:
        assert choose(workload(probe.architecture), probe.config, probe.images, probe.mapping, probe.seed)


def test_calibrate_needs_a_plan_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--plan", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err
