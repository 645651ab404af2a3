"""A short main job through the command: its run folder, its contract, its exit statuses."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from gatewright.cli import main
from gatewright.dse.config import Target
from gatewright.dse.explore import Explorer, Result
from gatewright.dse.finalists import Finalist, winner
from gatewright.dse.plots import energy_info, front_info, pareto
from gatewright.dse.report import check_info, comparison_info, memory_info, page, trials_info
from gatewright.dse.run import Run, resume
from gatewright.dse.study import Study
from gatewright.hw.config import Operator
from gatewright.sim.measurement import shipped
from gatewright.sw import checkpoint, golden
from gatewright.sw.accuracy import wilson
from gatewright.sw.data import digits, encode
from gatewright.sw.program import Program

CONFIG = """
name = "short"
[network]
families = ["mlp"]
depths = [1]
widths = [4, 8]
[operators]
choices = ["int4", "int2x4", "bw4"]
[accelerator]
rows = [1, 2]
cols = [2]
operand_bits = [32]
buffer_words_max = 256
[target]
accuracy_min = 0.3
[search]
trials = 4
generation = 2
workers = 1
epochs = 1
finalists = 1
final_epochs = 2
[measure]
images = 8
verify_images = 40
probes = 0
"""
COSTS = {"accuracy", "energy_pj", "latency_ns", "cycles", "area_um2"}
Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "GATEWRIGHT_DATA"} | {"PYTHONPATH": str(ROOT)}


def explore(folder: Path, text: str, *arguments: str, name: str = "short.toml") -> tuple[int, dict[str, Any], str]:
    """Exit status, the JSON object and standard error of the command, run in `folder` by a process of its own."""
    (folder / name).write_text(text)
    command = [sys.executable, "-m", "gatewright.cli.main", "explore", name, "--json", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("explore")
    status, result, errors = explore(folder, CONFIG)
    assert status == 0, errors
    assert "Searching" in errors
    return folder / result["run"], result


def test_the_contract(short: tuple[Path, dict[str, Any]]) -> None:
    folder, result = short
    assert result.keys() >= {"run", "best", "measured", "trials", "seconds"}
    assert result["best"].keys() == result["measured"].keys() == COSTS
    assert result["trials"] == 4
    assert result["verified"]["images"] == 40
    assert result["verified"]["mismatches"] == 0
    assert result["verified"]["cycles_simulated"] == [result["verified"]["cycles_predicted"]]
    stored = Result(**Run(folder).read("result.json")).proof
    for name, metrics in (("best", stored.predicted), ("measured", stored.measured)):
        energies = result["energy_with_memories_pj"][name]
        extra = {key: value - result[name]["energy_pj"] for key, value in energies.items()}
        assert extra == pytest.approx({key: f * metrics.memory_energy_pj for key, f in (("half", 0.5), ("once", 1), ("twice", 2))})
    assert 0.5 * result["measured"]["energy_pj"] < result["energy_without_glitches_pj"]["measured"] <= result["measured"]["energy_pj"]
    assert (result["technology"], result["memories"]) == ("ihp130", "IHP SG13G2 SRAM macros, cited")
    assert result["best"]["cycles"] == result["measured"]["cycles"] == result["verified"]["cycles_predicted"]
    assert abs(result["errors"]["energy_pj"]) < 0.25
    assert result["errors"]["energy_pj"] == pytest.approx(result["best"]["energy_pj"] / result["measured"]["energy_pj"] - 1)
    assert result["accuracy"]["validation"]["n"] == 300
    assert result["accuracy"]["test"]["n"] == 500


def test_the_run_folder_loads_again(short: tuple[Path, dict[str, Any]]) -> None:
    folder, result = short
    run = Run(folder)
    assert run.config.name == "short"
    assert (folder / "config.toml").read_text() == CONFIG
    trials = run.read("trials.json")["trials"]
    studied = Study(folder / "study.db", run.config.search, {}).records()
    assert [json.loads(json.dumps(record.to_dict())) for record in studied] == trials
    stored = Result(**run.read("result.json"))
    assert stored.passed
    program = Program.load(folder / "winner" / "program.safetensors")
    assert program.config == stored.winner.config
    assert {path.name for path in (folder / "winner").iterdir()} >= {"gatewright.v", "memory.hex", "program.safetensors"}
    network = checkpoint.load(folder / "finalists" / f"trial-{stored.winner.trial}.safetensors").export()
    data = digits()
    test = data.test()
    codes = encode(stored.winner.architecture.operators[0], test.images, data.maximum)
    right = float(np.mean(golden.classify(network, codes) == test.labels))
    assert right == stored.winner.test.value == result["measured"]["accuracy"]
    assert not list(folder.glob("**/.*.[0-9]*"))  # no draft was left behind


def test_the_report_is_made_again_from_the_records(short: tuple[Path, dict[str, Any]], capsys: Capture) -> None:
    folder, _ = short
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert main.main(["report", str(folder), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(folder / "report.html")
    assert (folder / "report.html").read_text() == before == page(Run(folder))
    own = before.replace(get_plotlyjs(), "")
    assert len(own) < len(before) / 4
    assert "http" not in own
    assert "src=" not in own


def test_the_reports_numbers(short: tuple[Path, dict[str, Any]]) -> None:
    run = Run(short[0])
    result, trials = Result(**run.read("result.json")), run.read("trials.json")["trials"]
    front = front_info(trials, result)
    assert {dot.number for dot in front.dots} == {t["number"] for t in trials if t["outcome"]["accuracy"]}
    assert list(front.front) == pareto(front.dots)
    assert all(not (a.energy_nj <= b.energy_nj and a.accuracy > b.accuracy) for a in front.dots for b in front.front)
    assert front.winner.accuracy == 100 * result.winner.validation.value
    energy = energy_info(result)
    for which, metrics in (("predicted", result.proof.predicted), ("measured", result.proof.measured)):
        total = sum(sum(values) for values in getattr(energy, which).values())
        assert total == pytest.approx(metrics.energy_pj / 1e3)
    assert [row["factor"] for row in memory_info(result)] == [0.0, 0.5, 1.0, 2.0]
    rows = {row["label"]: row for row in comparison_info(result)}
    assert rows["cycles"]["error"] == 0
    assert rows["energy of the logic"]["rests"] == "calibrated"
    assert check_info(result) == []
    assert len(trials_info(trials)) == len(trials)


def test_a_run_goes_on_as_it_began(short: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    folder, _ = short
    monkeypatch.chdir(folder.parents[1])
    Path("other.toml").write_text(CONFIG.replace("epochs = 1", "epochs = 3", 1))
    assert main.main(["explore", "other.toml", "--resume", folder.name, "--quiet"]) == 2
    assert "was started with search.epochs = 1, and now it is 3" in capsys.readouterr().err
    config = Run(folder).config
    assert resume(folder, config.replace(search=config.search.replace(workers=3))).folder == folder


def heed_interrupts() -> None:
    """In a child: shells' background jobs and pytest's workers ignore interrupts, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished_trials(database: Path) -> int:
    """How many trials a study has finished, while it may be writing."""
    if not database.is_file():
        return 0
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0])
    return 0


def test_an_interrupted_run_resumes(short: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The winner, which must be the same, is not proven again."""
    wanted = Result(**Run(short[0]).read("result.json"))
    (tmp_path / "short.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "gatewright.cli.main", "explore", "short.toml"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    database = tmp_path / "runs" / "short-1" / "study.db"
    while process.poll() is None and not finished_trials(database):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Go on with: gatewright explore short.toml --resume runs/short-1" in errors
    assert "Traceback" not in errors
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWRIGHT_DATA", raising=False)
    monkeypatch.setattr(Explorer, "prove", lambda explorer, pool, best: wanted.proof)
    assert main.main(["explore", "short.toml", "--resume", "runs/short-1", "--quiet"]) == 0
    got = Result(**Run(database.parent).read("result.json"))
    assert (got.finalists, got.best, got.tally) == (wanted.finalists, wanted.best, wanted.tally)
    trials = [json.loads((folder / "trials.json").read_text()) for folder in (short[0], database.parent)]
    assert trials[0] == trials[1]


@pytest.mark.parametrize(
    ("old", "new", "status", "text"),
    [
        ("epochs = 1", "epoch = 1", 2, "Search: epoch: is not a known key; check its spelling"),
        ("accuracy_min = 0.3", "", 2, "give exactly one of accuracy_min"),
        ("buffer_words_max = 256", "buffer_words_max = 32", 2, "No network .* window of 64 words exceeds activation_words 32"),
        ('[network]', '[data]\ndataset = "mnist"\n[network]', 3, "mnist is read from files in a data folder, and none is named"),
        ('[network]', '[data]\ndataset = "mints"\n[network]', 2, "dataset must be one of digits, mnist"),
        ("name", "= name", 2, "is not valid TOML"),
        ('"bw4"', '"fp16"', 2, "fp16 is measured as a block of its own and cannot run on a grid"),
    ],
)  # fmt: skip
def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, old: str, new: str, status: int, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWRIGHT_DATA", raising=False)
    Path("short.toml").write_text(CONFIG.replace(old, new, 1))
    got = main.main(["explore", "short.toml", "--quiet"])
    errors = capsys.readouterr().err
    assert got == status, errors
    assert re.search(text, errors), errors
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["short.toml"] or "No network" in text


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('technology = "n5"', "technology: Input should be 'ihp130', 'sky130' or 'asap7' (got 'n5')"),
        ('technology = "sky130"\nliberty = ["x.lib"]', "technology and liberty both name a library: give one of them"),
        (f'technology = "sky130"\nmeasurements = "{shipped()}"', "holds measurements of ihp130, the run is for sky130. Name a file that"),
        ('technology = "asap7"\nmeasurements = "none.json"', "none.json is not a file of measurements"),
    ],
)
def test_technologies_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, lines: str, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(CONFIG + lines)
    assert main.main(["explore", "short.toml", "--quiet"]) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.left, self.pool, self.fc = nn.Conv2d(6, 6, 3, padding=1), nn.MaxPool2d(2), nn.Linear(96, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.fc(self.pool((self.left(x) + x).relu()).flatten(1))
"""


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (
            'module = "own.py:Net"',
            r"stem\.0 \(Conv2d\): takes 3 channels, but gets 1 from a 1 x 8 x 8 image; make it take 1, or use a data set",
        ),
        ('module = "own.py:Missing"', r"own\.py has no Missing; it has Net"),
        ('onnx = "own.onnx"', r"There is no ONNX file own\.onnx"),
    ],
)
def test_refused_networks_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, network: str, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN.replace("nn.Conv2d(1, 6", "nn.Conv2d(3, 6"))
    Path("short.toml").write_text(re.sub(r"families.*?(?=\[operators\])", lambda _: f"{network}\n", CONFIG, count=1, flags=re.DOTALL))
    assert main.main(["explore", "short.toml", "--quiet"]) == 2
    assert re.search(text, capsys.readouterr().err)
    assert not Path("runs").exists()


@pytest.mark.thorough
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    "network",
    [
        'families = ["resnet8", "shufflenetv2"]\nsizes = [[4, 8, 8], [4, 4, 8, 16]]\n',
        'module = "own.py:Net"\n',
    ],
)
def test_networks_of_many_branches_are_explored(tmp_path: Path, network: str) -> None:
    (tmp_path / "own.py").write_text(OWN)
    text = re.sub(r"families.*?(?=\[operators\])", lambda _: network, CONFIG, count=1, flags=re.DOTALL)
    text = text.replace(
        'choices = ["int4", "int2x4", "bw4"]', 'choices = ["int4", "bw4"]\nfirst = ["int8"]\nlast = ["int8"]\neach = "group"'
    )
    status, result, errors = explore(tmp_path, text.replace("buffer_words_max = 256", "buffer_words_max = 2048").replace("0.3", "0.2"))
    assert status == 0, errors
    assert result["verified"]["mismatches"] == 0
    assert result["best"]["cycles"] == result["measured"]["cycles"]
    assert abs(result["errors"]["energy_pj"]) < 0.25
    assert {"int8s", "int8"} <= {Operator(**fields).name for fields in result["accelerator"]["operators"]}


def test_a_missed_target_is_status_1(
    short: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    source = Run(short[0])

    def missed(explorer: Explorer) -> Result:
        for name in ("result.json", "trials.json"):
            explorer.run.write(name, source.read(name))
        return Result(**source.read("result.json")).replace(met=False)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Explorer, "explore", missed)
    (tmp_path / "short.toml").write_text(CONFIG)
    assert main.main(["explore", "short.toml", "--quiet"]) == 1
    out = capsys.readouterr().out
    assert "least logic energy at a validation accuracy of at least 30%: MISSED" in out
    for claim in ("energy of the logic", "with memories at 0.5 x their cost", "with memories at 2 x their cost", "SRAM macros, cited"):
        assert claim in out


def test_the_winner_is_the_cheapest_that_is_accurate_enough(short: tuple[Path, dict[str, Any]]) -> None:
    config, one = Run(short[0]).config, Result(**Run(short[0]).read("result.json")).winner

    def finalist(right: int, energy: float) -> Finalist:
        return one.replace(validation=wilson(right, 100), metrics=one.metrics.replace(energy_pj=energy))

    many = [finalist(90, 5.0), finalist(80, 2.0), finalist(70, 3.0), finalist(60, 1.0)]
    for target, best in (({"accuracy_min": 0.75}, (1, True)), ({"accuracy_min": 0.85}, (0, True)), ({"accuracy_min": 0.95}, (0, False))):
        assert winner(config.replace(target=Target(**target)), many) == best
    for limit, best in ((4.0, (1, True)), (9.0, (0, True)), (0.5, (0, False))):
        assert winner(config.replace(target=Target(energy_pj_max=limit)), many) == best


def test_an_unfinished_run_has_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "short-1"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    assert main.main(["report", "short-1", "--quiet"]) == 2
    assert (
        "has no result.json: the run did not get so far, or it is none. Go on with the command that began it, as `gatewright explore"
        in capsys.readouterr().err
    )
