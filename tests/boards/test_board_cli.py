"""`gatewright board`: its contracts, on a run folder made here."""

import json
from pathlib import Path

import pytest

from gatewright.boards import simulated
from gatewright.cli.main import main
from gatewright.sw import golden
from gatewright.sw.data import load
from tests.boards import digits

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.toml").write_text(Path("examples/digits.toml").read_text())
    (folder / "winner").mkdir()
    digits.program().save(folder / "winner" / "program.safetensors")
    return folder


def test_list(capsys: Capture) -> None:
    assert main(["board", "list", "--json"]) == 0
    boards = {board["name"]: board for board in json.loads(capsys.readouterr().out)["boards"]}
    assert boards["icebreaker"]["budget"]["luts"] == 5280
    assert boards["arty"]["memory_words"] == 50 * 1024
    assert main(["board", "list"]) == 0
    assert "Colorlight 5A-75B" in capsys.readouterr().out


def test_alone_it_shows_its_help(capsys: Capture) -> None:
    assert main(["board"]) == 0
    out, err = capsys.readouterr()
    assert "Build, flash, run and simulate accelerators" in out
    assert "largest" in out
    assert err == ""


def test_run_on_a_simulated_board(run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = digits.board()
    monkeypatch.setattr(simulated, "build", lambda *arguments: compiled)
    assert main(["board", "run", str(run), "--simulate", "--images", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["mismatches"], result["retries"]) == (3, 0, 0)
    assert (result["board"], result["simulated"]) == ("icebreaker", True)
    right = int((golden.classify(digits.program().network, digits.codes(3)) == load("digits").test().labels[:3]).sum())
    assert result["correct"] == right
    assert result["cycles"] == [result["cycles_predicted"]]
    assert main(["board", "run", str(run), "--simulate", "--images", "3", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("simulated iCEBreaker (whether the design fits it was not checked: gatewright board build does)\n")
    assert f"3 images, {right} classified rightly (accuracy {right / 3:.1%}); 0 mismatches with the golden model, 0 retries" in text


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["run", "RUN"], 2, "Give --port with a board's serial port, or --simulate; one of the two."),
        (["run", "RUN", "--simulate", "--port", "x"], 2, "one of the two"),
        (["run", "RUN", "--port", "/dev/ttyNONE"], 3, "The serial port /dev/ttyNONE cannot be opened"),
        (["run", "RUN", "--simulate", "--images", "501"], 2, "--images must be at most 500, the test images of digits; got 501"),
        (["run", "RUN", "--simulate", "--board", "spartan"], 2, "There is no board named 'spartan'"),
        (["build", "RUN", "--board", "ulx3s", "--memory-words", "5"], 2, "--memory-words must be at least"),
        (["build", "nothing", "--board", "ulx3s"], 2, "There is no file or run folder nothing"),
        (["build", "RUN", "--board", "icebreaker", "--memory-words", "40000"], 2, "at most 32768 words of 32 bits; got 40000"),
    ],
)
def test_bad_input(run: Path, capsys: Capture, arguments: list[str], status: int, text: str) -> None:
    assert main(["board", *(str(run) if word == "RUN" else word for word in arguments)]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err
    assert err.splitlines()[-1].startswith("gatewright: ")
