"""The command line: output contracts, and how every error becomes one paragraph and an exit status."""

import errno
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from pydantic import BaseModel
from rich.table import Table

from gatewright import __version__
from gatewright.cli import commands, common, doctor, main
from gatewright.cli.common import INTERRUPTED, Output, failure
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput, Mismatch, Missing
from gatewright.sim.tools import Tool

Capture = pytest.CaptureFixture[str]
HERE = Tool("g++", "compiles simulators", Path("bin/g++"), "12.2", "Install g++.")
ABSENT = Tool("perl", "runs scripts", None, "", "Install perl.")
OPTIONAL = Tool("ccache", "saves time", None, "", "Install ccache.", optional=True)


class Size(BaseModel):
    rows: int


def full_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "runs/1/trials.db")


def full_database() -> None:
    try:
        raise sqlite3.OperationalError("database or disk is full")
    except sqlite3.OperationalError as error:
        raise RuntimeError("a library's own words") from error


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], int]:
    """Runs `gatewright` with one command that does what it is given."""

    def run(body: Callable[[], None]) -> int:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command("work")(lambda: body())
        app.callback()(lambda: None)
        monkeypatch.setattr(commands, "app", app)
        return main.main(["work"])

    return run


def throw(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (throw(BadInput("rows must be\n  1..64.")), 2, "rows must be 1..64."),
        (throw(Missing("g++ is not here.")), 3, "g++ is not here."),
        (throw(Mismatch("3 of 300 images differ.")), 1, "3 of 300 images differ."),
        (throw(KeyboardInterrupt()), 130, "Interrupted."),
        (throw(PermissionError(errno.EACCES, "Permission denied", "runs")), 2, "runs cannot be used: permission denied."),
        (lambda: Size.model_validate({"rows": "x"}) and None, 2, "Size: rows: Input should be a valid integer"),
        (full_disk, 2, "The disk is full ([Errno 28] No space left on device: 'runs/1/trials.db'): free some space"),
        (full_database, 2, "The disk is full (database or disk is full): free some space"),
    ],
)
def test_an_error_is_one_paragraph_and_a_status(
    failing: Callable[[Callable[[], None]], int], capsys: Capture, body: Callable[[], None], status: int, text: str
) -> None:
    assert failing(body) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gatewright: {text}")
    assert err.count("\n") == 1


WHILE_IMPORTING = """
import sys
from gatewright.cli.main import main

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
sys.exit(main(["doctor"]))
"""
WITH_HALF_A_CIRCUIT = """
import sys
from amaranth.hdl import Elaboratable
from gatewright.cli import commands
from gatewright.cli.main import main

def app(**options):
    half = Elaboratable()
    raise KeyboardInterrupt

commands.app = app
sys.exit(main(["doctor"]))
"""


@pytest.mark.parametrize("program", [WHILE_IMPORTING, WITH_HALF_A_CIRCUIT])
def test_an_interrupt_is_one_line(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "gatewright: Interrupted.\n")


def test_an_unexpected_error_is_not_hidden(failing: Callable[[Callable[[], None]], int]) -> None:
    with pytest.raises(ZeroDivisionError):
        failing(throw(ZeroDivisionError("a bug")))


def test_a_command_chooses_its_status(failing: Callable[[Callable[[], None]], int]) -> None:
    assert failing(throw(typer.Exit(1))) == 1
    assert failing(lambda: None) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "No such command 'nonsense'. See gatewright --help."),
        (["doctro"], "No such command 'doctro'. Did you mean 'doctor'? See gatewright --help."),
        (["board", "lst"], "No such command 'lst'. Did you mean 'list', 'largest'? See gatewright board --help."),
        (["board", "flash", "x"], "Missing option '--board'. See gatewright board flash --help."),
        (["doctor", "--sed", "1"], "No such option: --sed"),
        (["doctor", "--seed", "one"], "Invalid value for '--seed'"),
        (["doctor", "extra"], "Got unexpected extra argument"),
    ],
)
def test_bad_usage_is_status_2(capsys: Capture, arguments: list[str], text: str) -> None:
    assert main.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gatewright: {text}")
    assert err.count("\n") == 1


def test_version_and_help(capsys: Capture) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"gatewright {__version__}\n"
    assert main.main([]) == 0
    assert "doctor" in capsys.readouterr().out


def test_every_command_takes_the_three_options() -> None:
    known = dict(cast(Any, typer.main.get_command(commands.app)).commands)
    known |= {f"board {name}": command for name, command in known.pop("board").commands.items()}
    assert {"doctor", "board build"} <= set(known)
    for name, command in known.items():
        offered = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "--seed", "--quiet"} <= offered, name


@pytest.mark.parametrize(("tools", "status"), [((HERE, OPTIONAL), 0), ((HERE, ABSENT, OPTIONAL), 3)])
def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tools: tuple[Tool, ...], status: int) -> None:
    monkeypatch.setattr(doctor, "inspect", lambda: list(tools))
    assert main.main(["doctor"]) == status
    text = capsys.readouterr().out
    assert all(tool.name in text and tool.purpose in text for tool in tools)
    assert "12.2" in text
    assert "Install g++." not in text
    assert "Install ccache." in text
    assert ("Install perl." in text) == (status == 3)
    assert ("Missing: perl." if status else "Everything Gatewright needs is here.") in text

    assert main.main(["doctor", "--json", "--quiet"]) == status
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert result["ok"] is (status == 0)
    assert [tool["name"] for tool in result["tools"]] == [tool.name for tool in tools]
    assert result["tools"][0] == {
        "name": "g++",
        "purpose": "compiles simulators",
        "path": "bin/g++",
        "version": "12.2",
        "optional": False,
        "remedy": None,
    }


def test_doctor_on_this_machine_in_another_process() -> None:
    done = subprocess.run([sys.executable, "-m", "gatewright.cli.main", "doctor", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"g++", "make", "perl", "verilator", "pyosys", "torch"} <= {tool["name"] for tool in json.loads(done.stdout)["tools"]}
    assert done.stdout.count("\n") == 1
    assert done.stderr == "Looking for tools and libraries\n"


def test_results_are_json_of_nouns_paths_and_numbers(capsys: Capture) -> None:
    numpy = pytest.importorskip("numpy")
    Output(as_json=True).emit({"operator": integer(8), "run": Path("runs/1"), "n": numpy.int64(3), "all": numpy.arange(2)}, "text")
    result = json.loads(capsys.readouterr().out)
    assert (result["operator"]["kind"], result["run"], result["n"], result["all"]) == ("int", "runs/1", 3, [0, 1])
    with pytest.raises(ValueError, match="not JSON compliant"):
        Output(as_json=True).emit({"energy_pj": float("nan")}, "text")
    with pytest.raises(TypeError, match="object, which has no JSON form"):
        Output(as_json=True).emit({"it": object()}, "text")


def test_text_is_printed_as_it_is(capsys: Capture) -> None:
    Output().emit({}, "[bold] " + "long " * 60)
    assert capsys.readouterr().out.strip() == "[bold] " + ("long " * 60).strip()
    table = Table("energy_pj")
    table.add_row("1.5")
    Output().emit({}, table)
    assert "1.5" in capsys.readouterr().out


def test_progress_stays_off_standard_output(capsys: Capture) -> None:
    for quiet in (False, True):
        output = Output(quiet=quiet)
        output.note("Synthesising")
        with output.progress() as bar:
            bar.advance(bar.add_task("Training", total=1))
        out, err = capsys.readouterr()
        assert out == ""
        assert ("Synthesising" in err and "Training" in err) is not quiet


def test_files_the_user_names(tmp_path: Path) -> None:
    good, bad, binary = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "binary.toml"
    good.write_text("[grid]\nrows = 4\n")
    bad.write_text("rows = = 4\n")
    binary.write_bytes(b"rows = \xff\n")
    assert common.read_toml(good) == {"grid": {"rows": 4}}
    with pytest.raises(BadInput, match=r"bad.toml is not valid TOML: .*line 1"):
        common.read_toml(bad)
    with pytest.raises(BadInput, match=r"binary.toml is not a text file in UTF-8 \(invalid start byte at byte 7\)"):
        common.read_toml(binary)
    with pytest.raises(BadInput, match="absent.toml cannot be read: no such file or directory"):
        common.read_toml(tmp_path / "absent.toml")
    with pytest.raises(BadInput, match="cannot be read: is a directory"):
        common.read_toml(tmp_path)


def test_run_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        BadInput, match=r"There is no file or run folder digits-1: there is no run in runs/ yet; `gatewright explore` makes one"
    ):
        common.run_folder(Path("digits-1"))
    folder = Path("runs/digits-1")
    folder.mkdir(parents=True)
    (folder / common.RUN_CONFIG).write_text("")
    assert common.run_folder(Path("digits-1")) == folder
    assert common.run_folder(folder) == folder
    with pytest.raises(BadInput, match="There is no file or run folder digits-2: the runs here are digits-1"):
        common.run_folder(Path("digits-2"))
    Path("digits-3").mkdir()
    with pytest.raises(BadInput, match=r"digits-3 is not a run folder \(it has no config.toml\): the runs here are digits-1"):
        common.run_folder(Path("digits-3"))


def test_a_lost_worker_is_an_interruption_that_can_go_on() -> None:
    found = failure(BrokenProcessPool("A process in the process pool was terminated abruptly"))
    assert found is not None
    text, status = found
    assert status == INTERRUPTED
    assert "go on with --resume" in text
