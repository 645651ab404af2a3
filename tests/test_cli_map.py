"""`gatewright map`."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.cli.main import main
from gatewright.cli.map_designs import Row
from gatewright.cli.map_text import closing
from gatewright.dse.cost import CostModel

EXAMPLES = Path(__file__).parents[1] / "examples"
GRID = """
[accelerator]
rows = 4
cols = 4
operators = ["int8", "int4"]
"""
LAYERS = """
[[layers]]
name = "conv"
K = 12
C = 8
P = 6
Q = 6
R = 3
S = 3
count = 2

[[layers]]
name = "depthwise"
G = 8
P = 6
Q = 6
R = 3
S = 3
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "grid.toml").write_text(GRID)
    (tmp_path / "net.toml").write_text(LAYERS)
    (tmp_path / "bad.toml").write_text('layers = [{name = "a"}, {name = "b", k = 3}]')
    (tmp_path / "narrow.toml").write_text('layers = [{name = "a"}, {name = "b", C = 4096, K = 4096, R = 64}]')
    (tmp_path / "huge.toml").write_text('layers = [{name = "k", K = 999_999_999_999}, {name = "p", P = 999_999_999_999}]')
    (tmp_path / "twice.toml").write_text('layers = [{name = "a"}, {name = "a", K = 3}]')
    (tmp_path / "none.toml").write_text("layers = []")
    (tmp_path / "key.toml").write_text('lairs = 1\nlayers = [{name = "a"}]')
    (tmp_path / "rows.toml").write_text(GRID.replace("rows = 4", "rows = 0"))
    (tmp_path / "wide.toml").write_text('layers = [{name = "a", C = 4096, R = 9}, {name = "b", C = 9000, R = 9}]')
    level = '[[levels]]\nname = "{}"\nread_pj = 1\nwrite_pj = 1\n'
    everything = 'keeps = ["weights", "inputs", "outputs"]\n'
    deep = 'source = "none"\nmac_pj = 1\n' + level.format("outer") + everything + level.format("inner") + "wrods = 3\n"
    (tmp_path / "deep.toml").write_text(deep)
    (tmp_path / "closed.toml").write_text(deep.replace(everything, everything + "loops = []\n").replace("wrods = 3", "loops = []"))
    (tmp_path / "shallow.toml").write_text(deep.partition('[[levels]]\nname = "inner"')[0])
    return str(tmp_path / "net.toml"), str(tmp_path / "grid.toml")


def mapped(capsys, *arguments: str) -> dict:
    assert main(["map", *arguments, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_network_on_our_grid_and_on_a_hierarchy(files, capsys):
    net, grid = files
    for design in (grid, "eyeriss"):
        result = mapped(capsys, net, design)
        assert [layer["name"] for layer in result["layers"]] == ["conv", "depthwise"]
        assert {"name", "edp", "energy_pj", "cycles", "certified", "gap", "seconds"} <= set(result["layers"][0])
        assert all(layer["certified"] and layer["gap"] == 0.0 and layer["utilisation"] <= 1 for layer in result["layers"])
        assert result["total"]["cycles"] == 2 * result["layers"][0]["cycles"] + result["layers"][1]["cycles"]
        assert result["costs"].startswith("cited" if design == "eyeriss" else "calibrated")
        if memories := result["total"].get("energy_with_memories_pj"):
            assert memories["twice"] - memories["once"] == pytest.approx(2 * (memories["once"] - memories["half"]))
            assert memories["once"] > result["total"]["energy_pj"]
        assert (memories is None) == (design == "eyeriss")


def test_objectives_are_least_in_their_own_terms(files, capsys):
    net, grid = files
    for design in (grid, "eyeriss"):
        by = {goal: mapped(capsys, net, design, "--objective", goal)["layers"][0] for goal in ("energy", "latency", "edp")}
        assert min(by.values(), key=lambda layer: layer["energy_pj"])["energy_pj"] == by["energy"]["energy_pj"]
        assert min(by.values(), key=lambda layer: layer["cycles"])["cycles"] == by["latency"]["cycles"]
        assert min(by.values(), key=lambda layer: layer["edp"])["edp"] == by["edp"]["edp"]


def test_the_page_says_what_is_proven_and_what_costs_rest_on(files, capsys):
    net, grid = files
    assert main(["map", net, grid, "-q"]) == 0
    assert "3 of 3 layers are proven optimal" in (text := " ".join(capsys.readouterr().out.split()))
    assert "with memories at half their cost" in text
    assert re.search("ihp130 at a clock period of 20 ns; .* within [0-9.]+% on average", text)
    assert re.search("operands move is typical \\(the mean of [0-9]+ measured layers with int8\\)", text)
    assert main(["map", net, "eyeriss", "-q", "--pad", "--seconds", "0"]) == 0
    text = capsys.readouterr().out
    assert "Costs are cited, not measured: Timeloop's" in text
    assert "0 of 3 layers are proven optimal" in text
    assert re.search("multipliers +[0-9.]+ +[0-9.]+%", text)


def test_counts_of_layers_are_english():
    row = Row("a", 1, 1.0, 1.0, 1.0, True, 0.0, 0.0, "")
    head = {"costs": "cited", "unlimited": ["inner"]}
    text = " ".join(closing(head, [row], False))
    assert text.startswith("One layer: ")
    assert "1 of 1 layer is proven optimal" in text
    assert "inner without words in the file: as many as are needed." in text
    assert "1 of 3 layers is proven optimal" in " ".join(closing(head, [row, replace(row, count=2, certified=False)], False))


def test_a_hierarchys_energy_is_that_of_its_levels(files, capsys):
    """Each multiplication costs 0.749 pJ; the parts add up, layer by layer and in all."""
    result = mapped(capsys, files[0], "eyeriss")
    assert result["units"]["energy_by_level_pj"] == "pJ"
    levels = ["dram", "global_buffer", "input_spad", "weight_spad", "psum_spad", "multipliers"]
    for layer, products in zip(result["layers"], (12 * 8 * 36 * 9, 8 * 36 * 9), strict=True):
        assert list(parts := layer["energy_by_level_pj"]) == levels
        assert sum(parts.values()) == pytest.approx(layer["energy_pj"], rel=1e-12)
        assert parts["multipliers"] == pytest.approx(0.749 * products)
    conv, depthwise = (layer["energy_by_level_pj"] for layer in result["layers"])
    assert result["total"]["energy_by_level_pj"] == pytest.approx({name: 2 * conv[name] + depthwise[name] for name in levels})


def test_a_grids_energies_say_what_they_rest_on(files, capsys):
    result = mapped(capsys, *files)
    assert (result["technology"], result["clock_ns"]) == ("ihp130", 20.0)
    assert result["heldout_error"] == CostModel.default().heldout_error
    assert result["activity"].startswith("the mean of")
    assert main(["map", *files, "--technology", "n5", "--quiet"]) == 2
    assert "There is no embedded technology 'n5'; there are ihp130, sky130, asap7." in capsys.readouterr().err


def test_a_grid_too_small_says_once_how_large_it_must_be(files, capsys):
    """The sizes that it names are enough, and half of one is not."""
    small, network = str(Path(files[0]).with_name("small.toml")), str(Path(files[0]).with_name("wide.toml"))
    cure = "activation_words to 16384 (for b) and weight_words to 16384 (for b)."
    assert main(["map", network, files[1], "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "2 of 2 layers cannot be mapped: a, b. Raise the accelerator's " + cure in error
    assert error.count("activation_words") == 1
    Path(small).write_text(GRID + "activation_words = 16384\nweight_words = 16384\n")
    assert main(["map", network, small, "--quiet", "--seconds", "0"]) == 0
    capsys.readouterr()
    Path(small).write_text(GRID + "activation_words = 16384\nweight_words = 8192\n")
    assert main(["map", network, small, "--quiet"]) == 2
    assert "1 of 2 layers cannot be mapped: b. Raise the accelerator's weight_words to 16384 (for b)." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet19", "eyeriss"), "no network called 'resnet19'; there are mobilenet_v2, resnet18"),
        (("resnet18", "eyeris"), "no hierarchy called 'eyeris'; there are eyeriss"),
        (("NET", "eyeriss", "--operator", "int8"), "--operator is for grids"),
        (("NET", "GRID", "--pad"), "--pad is for hierarchies"),
        (("NET", "GRID", "--operator", "xnor"), "The grid has no operator xnor; it has int8, int4"),
        (("NET", "NET"), "neither \\[accelerator\\] .* nor \\[\\[levels\\]\\]"),
        (("GRID", "eyeriss"), "has no \\[\\[layers\\]\\]: the first argument is a network"),
        (("BAD", "eyeriss"), "layer 2 'b': k: is not a known key.* A layer has a name, sizes of its loops"),
        (("NET", "DEEP"), "level 2 'inner': wrods: is not a known key.* A level has a name, keeps"),
        (("NARROW", "GRID"), "1 of 2 layers cannot be mapped: b. Layer b: at least 134,221,889 .* exceed 16,777,215"),
        (("HUGE", "GRID"), "2 of 2 layers cannot be mapped: k, p. Layer k: at least 2,000,000,000,000 .* exceed 16,777,215.* Layer p: "),
        (("NET", "CLOSED"), "2 of 2 layers cannot be mapped: conv, depthwise. Layer conv has no mapping on closed: [^:]*sizes.$"),
        (("NET", "eyeriss", "--technology", "sky130"), "--technology is for grids of ours; the energies of Eyeriss-like are cited"),
        (
            ("NET", "examples/digits.toml"),
            "digits.toml is a search's configuration, for `gatewright explore`: .*examples/accelerator.toml is",
        ),
        (("NET", "examples/train.toml"), "train.toml has no \\[accelerator\\] table: it is a training's configuration"),
        (("TWICE", "eyeriss"), "twice.toml: the names of layers must differ; a came twice"),
        (("NONE", "eyeriss"), "none.toml: layers: .*at least 1 item.* A network has"),
        (("KEY", "eyeriss"), "key.toml: lairs: is not a known key.* A network has"),
        (("NET", "SHALLOW"), "shallow.toml: levels: .*at least 2 items.* A hierarchy has"),
        (("NET", "ROWS"), "rows.toml: AcceleratorConfig: rows"),
    ],
)
def test_bad_input_is_one_paragraph(files, capsys, arguments, message):
    there = {path.stem.upper(): str(path) for path in Path(files[0]).parent.iterdir()}
    there |= {name: str(EXAMPLES / Path(name).name) for name in arguments if name.startswith("examples/")}
    named = [there.get(argument, argument) for argument in arguments]
    assert main(["map", *named, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
