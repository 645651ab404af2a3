"""`gatewright map`."""

import json
import re
from pathlib import Path

import pytest

from gatewright.cli.main import main

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
    (tmp_path / "wide.toml").write_text('layers = [{name = "a", C = 4096, K = 4096, R = 9}, {name = "b", C = 9000, R = 9}]')
    level = '[[levels]]\nname = "{}"\nread_pj = 1\nwrite_pj = 1\n'
    everything = 'keeps = ["weights", "inputs", "outputs"]\n'
    deep = 'source = "none"\nmac_pj = 1\n' + level.format("outer") + everything + level.format("inner") + "wrods = 3\n"
    (tmp_path / "deep.toml").write_text(deep)
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
    assert "Of 3 layers the mapping is proven" in (text := capsys.readouterr().out)
    assert "with memories at half their cost" in text
    assert main(["map", net, "eyeriss", "-q", "--pad", "--seconds", "0"]) == 0
    assert "Costs are cited, not measured: Timeloop's" in capsys.readouterr().out


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
        (("WIDE", "GRID"), "2 of 2 layers cannot be mapped. Layer a: .* Layer b: "),
    ],
)
def test_bad_input_is_one_paragraph(files, capsys, arguments, message):
    there = {name.upper(): str(Path(files[0]).with_name(f"{name}.toml")) for name in ("net", "grid", "bad", "deep", "wide")}
    named = [there.get(argument, argument) for argument in arguments]
    assert main(["map", *named, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
