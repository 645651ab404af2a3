"""`gatewright regress`: what moved is shown, what regressed fails, what does not fit is refused; and the project's own list is complete."""

import gc
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from gatewright.cli.main import main
from gatewright.hw.operators import modules
from gatewright.sim.regress.baseline import compare
from gatewright.sim.regress.plan import BETTER_DOWN

EXAMPLES = Path(__file__).parents[1] / "examples"

BLOCKS = '''# amaranth: UnusedElaboratable=no
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Delay(wiring.Component):
    """A sum that takes `cycles` cycles."""

    def __init__(self, cycles: int, bits: int = 4):
        self.cycles, self.bits = cycles, bits
        super().__init__({"a": In(bits), "b": In(bits), "sum": Out(bits + 1), "go": In(1), "ready": Out(1)})

    def elaborate(self, platform):
        m = Module()
        value = self.a + self.b
        m.d.comb += self.ready.eq(~self.go)
        for i in range(self.cycles):
            held = Signal(self.bits + 1, name=f"stage{i}")
            m.d.sync += held.eq(value)
            value = held
        m.d.comb += self.sum.eq(value)
        return m


def broken():
    raise RuntimeError("no luck")


def number():
    return 7


class Bare(Elaboratable):
    def elaborate(self, platform):
        return Module()


def bare():
    return Bare()
'''
FILE = """
[tolerance]
area_um2 = 5
[[block]]
name = "one"
component = "blocks.py:Delay"
arguments = { cycles = 1 }
result = ["sum"]
[[block]]
name = "three"
component = "blocks.py:Delay"
arguments = { cycles = 3 }
stimulus = { a = 3, go = { chance = 0.25 }, b = { low = 0, high = 3 } }
operations = "go"
result = ["sum"]
tolerance = { area_um2 = 50 }
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "blocks.py").write_text(BLOCKS)
    path = tmp_path / "list.toml"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A baseline as --update writes it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "blocks.py").write_text(BLOCKS)
    (folder / "list.toml").write_text(FILE)
    assert main(["regress", str(folder / "list.toml"), "--update", "--quiet"]) == 0
    return folder / "list.baseline.json"


@pytest.fixture
def baseline(file, made):
    return Path(shutil.copy(made, file.parent))


def regress(capsys, file, *options):
    status = main(["regress", str(file), "--json", "--quiet", *options])
    captured = capsys.readouterr()
    return status, json.loads(captured.out) if status in (0, 1) else captured.err


def scale(baseline, block, figure, factor):
    data = json.loads(baseline.read_text())
    data["blocks"][block]["figures"][figure] *= factor
    baseline.write_text(json.dumps(data))


def test_nothing_moved(file, baseline, capsys):
    status, result = regress(capsys, file)
    assert status == 0
    assert (result["regressed"], result["improved"], result["within"]) == (0, 0, 0)
    one, three = result["blocks"]["one"], result["blocks"]["three"]
    assert (one["latency_cycles"], three["latency_cycles"]) == (1, 3)
    assert one["cycles_per_op"] == 1
    assert three["cycles_per_op"] == pytest.approx(4, rel=0.1)  # a quarter of the cycles has `go`
    assert three["area_um2"] > one["area_um2"] > 0
    assert one["luts"] >= 5
    assert one["fmax_mhz_estimate"] > 0
    assert set(json.loads(baseline.read_text())["tools"]) == set(result["tools"])
    assert main(["regress", str(file), "--quiet"]) == 0
    assert "14 figures as before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("figure", "factor", "status", "verdict"),
    [
        ("area_um2", 0.9, 1, "regressed"),
        ("area_um2", 1.1, 0, "improved"),
        ("area_um2", 0.96, 0, "within"),
        ("luts", 0.999, 1, "regressed"),
        ("energy_pj_per_op", 0.9, 1, "regressed"),
        ("latency_cycles", 0.5, 1, "regressed"),
        ("fmax_mhz_estimate", 1.1, 1, "regressed"),
        ("fmax_mhz_estimate", 0.9, 0, "improved"),
    ],
)
def test_what_moved_is_found(file, baseline, capsys, figure, factor, status, verdict):
    scale(baseline, "one", figure, factor)
    found, result = regress(capsys, file, "--block", "one")
    assert found == status
    (row,) = [row for row in result["rows"] if row["verdict"] != "same"]
    assert (row["block"], row["figure"], row["verdict"]) == ("one", figure, verdict)
    assert row["change_percent"] == pytest.approx(100 * (1 / factor - 1), rel=1e-3)
    assert result[verdict] == 1


def test_the_table_shows_what_moved(file, baseline, capsys):
    for figure, factor in (("luts", 0.5), ("area_um2", 0.99), ("fmax_mhz_estimate", 0.5)):
        scale(baseline, "one", figure, factor)
    assert main(["regress", str(file), "--quiet", "--block", "one"]) == 1
    shown = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("one")}
    assert list(shown) == ["area_um2", "luts", "fmax_mhz_estimate"]
    assert shown["luts"].split()[4:] == ["+100", "0", "REGRESSED"]
    assert shown["area_um2"].split()[4:] == ["+1.01", "5", "within", "tolerance"]
    assert shown["fmax_mhz_estimate"].endswith("improved: update the baseline")


def test_a_block_has_its_own_tolerance(file, baseline, capsys):
    scale(baseline, "three", "area_um2", 0.7)
    assert regress(capsys, file)[0] == 0
    file.write_text(FILE.replace("area_um2 = 50", "area_um2 = 40"))  # not part of what is measured
    assert regress(capsys, file)[0] == 1
    assert regress(capsys, file, "--block", "one")[0] == 0


def test_improvements_fail_when_asked(file, baseline, capsys):
    scale(baseline, "one", "luts", 2)
    assert regress(capsys, file)[0] == 0
    assert regress(capsys, file, "--strict")[0] == 1


def test_a_worse_circuit_regresses(file, baseline, capsys):
    source = file.with_name("blocks.py")
    source.write_text(BLOCKS.replace("range(self.cycles)", "range(self.cycles + 1)"))
    status, result = regress(capsys, file, "--block", "one")
    assert status == 1
    worse = {row["figure"] for row in result["rows"] if row["verdict"] == "regressed"}
    assert worse >= {"area_um2", "latency_cycles", "energy_pj_per_op"}
    before = baseline.read_text()
    status, result = regress(capsys, file, "--update")
    assert status == 0
    assert result["regressed"] > 0
    assert baseline.read_text() != before
    assert regress(capsys, file)[0] == 0


def test_an_update_is_whole_or_not_at_all(file, baseline, capsys, monkeypatch):
    before = baseline.read_text()
    file.with_name("blocks.py").write_text(BLOCKS.replace("self.a + self.b", "self.a - self.b"))

    def full(self, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    assert main(["regress", str(file), "--update", "--quiet"]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert baseline.read_text() == before
    assert sorted(path.name for path in file.parent.iterdir() if path.is_file()) == ["blocks.py", "list.baseline.json", "list.toml"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["blocks"].pop("one"), "no entry for one"),
        (lambda data: data["blocks"].update(old=data["blocks"]["one"]), "no longer has: old"),
        (lambda data: data["blocks"]["one"].update(definition="0"), "has changed since for one"),
        (lambda data: data.update(technology_hash="0"), "another technology"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts="many"), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts=float("nan")), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts=float("inf")), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts=-1), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts=True), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(luts="12"), "is not a baseline"),
        (lambda data: data["blocks"]["one"]["figures"].update(speed=1), "is not a baseline"),
        (lambda data: data.update(format=2), "is not a baseline"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(file, baseline, capsys, change, message):
    data = json.loads(baseline.read_text())
    change(data)
    baseline.write_text(json.dumps(data))
    status, error = regress(capsys, file)
    assert status == 2
    assert message in error
    assert "--update" in error


def test_files_that_are_none(file, baseline, capsys):
    assert regress(capsys, file, "--seed", "1")[0] == 2
    baseline.write_bytes(b"\xff{")
    assert "is not a baseline" in regress(capsys, file)[1]
    baseline.unlink()
    assert "There is no baseline" in regress(capsys, file)[1]


BLOCK = '[[block]]\nname = "x"\n'
NO_NUMBERS = ("0", "-1", "nan", "inf", "true")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (FILE, ["--block", "two"], "There is no block two; the file has one, three"),
        (FILE, ["--update", "--block", "one"], "leave out --block"),
        ("a = ", [], "is not valid TOML"),
        ("", [], "block: Field required"),
        (FILE + BLOCK.replace("x", "one") + 'component = "blocks.py:Delay"', [], "one occurs twice"),
        (FILE.replace("area_um2 = 5\n", "area = 5\n"), [], "list.toml, tolerance: area is not a figure; the figures are area_um2, luts"),
        (FILE.replace("area_um2 = 5\n", "area_um2 = -5\n"), [], "list.toml: the tolerance of area_um2 must be a percentage"),
        (FILE.replace("area_um2 = 5\n", "area_um2 = inf\n"), [], "must be a percentage of 0 or more; got inf"),
        (FILE.replace("area_um2 = 50", "area_um2 = true"), [], "block three: the tolerance of area_um2 must be"),
        (
            FILE.replace("operations =", "operation ="),
            [],
            "list.toml, block three: operation is not a known key; known are name, component",
        ),
        ("colour = 1" + FILE, [], "list.toml: colour is not a known key; known are technology, liberty"),
        ("block = [1]", [], "list.toml, block 1: must be a table"),
        ("[block]", [], "list.toml: block: "),
        ("[[block]]", [], "list.toml, block 1: name: Field required"),
        *((FILE.replace('"go"', value), [], "list.toml, block three: operations: must be a finite number") for value in NO_NUMBERS),
        *((f"clock_ns = {value}" + FILE, [], "list.toml: clock_ns: Input should be") for value in NO_NUMBERS),
        (
            FILE.replace("chance = 0.25", "chance = 0.25, low = 0"),
            [],
            "block three, stimulus.go: an input is driven by low and high, or by chance",
        ),
        (BLOCK, [], "either a component or an accelerator"),
        (BLOCK + 'component = "blocks.py:Delay"\npart = "grid"', [], "part cannot be given with a component"),
        (BLOCK + 'component = "blocks.py"', [], "must be file.py:Name"),
        (BLOCK + 'component = "none.py:Delay"', [], "There is no file"),
        (BLOCK + 'component = "blocks.py:None_"', [], "has no class or function"),
        (
            BLOCK + 'component = "no.such.module:Name"',
            [],
            "block x: no.such.module cannot be imported: ModuleNotFoundError: No module named 'no'.",
        ),
        (BLOCK + 'component = "blocks.py:number"\narguments = { a = 1 }', [], "cannot be made with {'a': 1}: TypeError"),
        (
            BLOCK + 'component = "blocks.py:broken"',
            [],
            "list.toml, block x: blocks.py:broken cannot be made with {}: RuntimeError: no luck at ",
        ),
        (BLOCK + 'component = "blocks.py:bare"', [], "a wiring.Component, whose ports are known"),
        (BLOCK + 'component = "blocks.py:number"', [], "must be an Amaranth component"),
        (FILE.replace("a = 3", "c = 3"), [], "list.toml, block three: Delay has no input c"),
        (FILE.replace("a = 3", "a = 30"), [], "input a has 4 bits"),
        (FILE.replace("a = 3", "a = { chance = 1 }"), [], "chance is for inputs of one bit"),
        (FILE.replace("a = 3", 'a = "a.npy"'), [], "There is no file"),
        (FILE.replace('operations = "go"', 'operations = "a"'), [], "a port of one bit"),
        (FILE.replace("chance = 0.25", "chance = 0"), [], "go was never high"),
        (FILE.replace('result = ["sum"]', 'result = ["total"]'), [], "no output total"),
        ('liberty = ["no.lib"]' + FILE, [], "list.toml: There is no file"),
        ('technology = "tsmc2"' + FILE, [], "tsmc2"),
    ],
)
def test_bad_input_is_refused(file, capsys, text, options, message):
    file.write_text(text)
    status = main(["regress", str(file), "--quiet", *(options or ["--update"])])
    assert status == 2
    assert message in capsys.readouterr().err
    assert not file.with_name("list.baseline.json").exists()


@pytest.mark.parametrize(
    ("line", "fault", "message"),
    [
        ("import sys", "raise RuntimeError('no\\nluck')", "blocks.py cannot be imported: RuntimeError: no luck at {path}:{number}."),
        ("import sys", "sys.exit(3)", "blocks.py cannot be imported: SystemExit: 3 at {path}:{number}."),
        (
            "import sys",
            "x = = 1",
            "blocks.py cannot be imported: SyntaxError: invalid syntax (blocks.py, line {number}) at {path}:{number}.",
        ),
        ("        self.cycles, self", "        raise KeyError('bits')", "made with {{'cycles': 1}}: KeyError: 'bits' at {path}:{number}."),
        ("        self.cycles, self", "        sys.exit('enough')", "made with {{'cycles': 1}}: SystemExit: enough at {path}:{number}."),
        ("        m = Module()", "        1 / 0", "Delay cannot be elaborated: ZeroDivisionError: division by zero at {path}:{number}."),
        ("        m = Module()", "        sys.exit(0)", "Delay cannot be elaborated: SystemExit: 0 at {path}:{number}."),
    ],
)
def test_what_a_users_code_raises_is_one_paragraph(file, capsys, line, fault, message):
    path = file.with_name("blocks.py")
    lines = ["import sys", *BLOCKS.splitlines()[1:]]
    number = next(i for i, each in enumerate(lines) if each.startswith(line)) + 2
    lines.insert(number - 1, fault)
    path.write_text("\n".join(lines))
    file.write_text(BLOCK + 'component = "blocks.py:Delay"\narguments = { cycles = 1 }\n')
    assert main(["regress", str(file), "--quiet", "--update"]) == 2
    error = capsys.readouterr().err
    assert f"{file}, block x: blocks.py" in error
    assert message.format(path=path, number=number) in error
    assert len(error.strip().splitlines()) == 1
    gc.collect()  # here, where the command's filter holds, Amaranth may say that the component was not used


def test_stimulus_from_files(file, capsys):
    rng = np.random.default_rng(1)
    a, b, go = rng.integers(0, 16, 64), rng.integers(0, 16, 64), rng.integers(0, 2, 64)
    np.save(file.with_name("a.npy"), a)
    np.savez(file.with_name("all.npz"), a=a, b=b, go=go)
    block = BLOCK + 'component = "blocks.py:Delay"\narguments = { cycles = 1 }\noperations = "go"\n'
    file.write_text(block + 'stimulus = "all.npz"\n' + (block + 'stimulus = { a = "a.npy" }\n').replace('"x"', '"y"'))
    status, result = regress(capsys, file, "--update")
    assert status == 0
    assert result["blocks"]["x"]["cycles_per_op"] == pytest.approx(64 / go.sum(), rel=1e-5)
    assert result["blocks"]["y"]["energy_pj_per_op"] > 0
    np.save(file.with_name("a.npy"), a[::-1])
    assert "has changed since for y." in regress(capsys, file)[1]


def test_a_figure_that_appears_or_vanishes_is_a_regression():
    tolerances = dict.fromkeys(BETTER_DOWN, 10.0)
    old = {"luts": 0.0, "latency_cycles": None, "area_um2": 0.0, "cycles_per_op": 1.0}
    new = {"luts": 2.0, "latency_cycles": 1.0, "area_um2": 0.0, "cycles_per_op": None}
    rows = {row.figure: (row.verdict, row.change_percent) for row in compare("x", old, new, tolerances)}
    assert rows == {
        "luts": ("regressed", None),
        "latency_cycles": ("regressed", None),
        "area_um2": ("same", 0.0),
        "cycles_per_op": ("regressed", None),
    }


PART = """
[[block]]
name = "small"
accelerator = { rows = 1, cols = 1, operand_bits = 32, operators = ["xnor"], accumulator_bits = 18, activation_words = 64, pooling = false }
network = { family = "vgg", widths = [4], operators = ["xnor", "xnor"] }
images = 64
part = "element"
"""


def test_a_part_of_an_accelerator(file, tmp_path, capsys):
    """The accelerator that tests/test_cli_measure.py measures: its figures are the same, and it is measured once."""
    file.write_text(PART)
    status, result = regress(capsys, file, "--update")
    assert status == 0
    figures = result["blocks"]["small"]
    tables = {"accelerator": tomllib.loads(PART)["block"][0]["accelerator"], "network": tomllib.loads(PART)["block"][0]["network"]}
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()) for name, table in tables.items()
    )
    (tmp_path / "small.toml").write_text(text + '[block]\nkind = "element"\n')
    assert main(["measure", str(tmp_path / "small.toml"), "--json", "--quiet"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["reused"]
    for figure in ("area_um2", "energy_pj_per_op", "cycles_per_op"):
        assert figures[figure] == pytest.approx(measured[figure], rel=1e-5)
    assert figures["luts"] > 0
    assert figures["latency_cycles"] is None
    file.write_text(PART.replace('"element"', '"lanes9"'))
    assert "block small: 'lanes9' is not a part of this accelerator; its parts are" in regress(capsys, file, "--update")[1]


def test_the_examples_own_block(tmp_path, capsys):
    shutil.copytree(EXAMPLES / "own_block", tmp_path / "own_block")
    status, result = regress(capsys, tmp_path / "own_block" / "regress.toml")
    assert (status, result["regressed"]) == (0, 0)
    assert result["blocks"]["filter"]["latency_cycles"] == 1


def test_the_projects_own_list_is_complete():
    """A new operator is watched from its first day: add a block to examples/regress.toml, then `make regress UPDATE=--update`."""
    blocks = tomllib.loads((EXAMPLES / "regress.toml").read_text())["block"]
    components = [block.get("component", "") for block in blocks]
    assert [kind for kind in modules() if not any(f".operators.{kind}:" in component for component in components)] == []
    assert list(json.loads((EXAMPLES / "regress.baseline.json").read_text())["blocks"]) == [block["name"] for block in blocks]


def test_a_block_of_the_projects_own_list(capsys):
    status, result = regress(capsys, EXAMPLES / "regress.toml", "--block", "lanes.xnor")
    assert status in (0, 1), result  # whether it moved is for `make regress` to say
    assert [row["block"] for row in result["rows"]] == ["lanes.xnor"] * len(result["rows"]) != []
