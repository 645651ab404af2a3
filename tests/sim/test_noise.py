"""The noise floor: texts that mean the same, and what the shipped figures say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.hw.element import Element
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.verilog import emit
from gatewright.sim.formal.equivalence import assert_equivalent
from gatewright.sim.measurement import load, shipped
from gatewright.sim.netlist import Memory, Netlist
from gatewright.sim.network import system_verilog
from gatewright.sim.noise import DATA, floors, measure_text, noise_floor, restored, table, texts
from gatewright.sim.probe import Probe
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from gatewright.sim.verilog_variants import exchanged, renamed, reordered
from gatewright.sw.models import Architecture

TOP = "gatewright"
ELEMENT = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(xnor(), integer(2)), accumulator_bits=12, accumulator_depth=2)


@pytest.fixture(scope="module")
def element() -> str:
    text = emit(Element(ELEMENT), TOP)
    return text[text.index("module") :]  # a comment says what wrote it


def words(verilog: str) -> list[str]:
    return re.findall(r"\\\S+|[\w$']+|[^\s\w]", verilog)


@pytest.mark.parametrize("kind", ["names 1", "order 1", "operands 1", "all 1"])
def test_variants_are_proved_equal(element, kind) -> None:
    variants = {name: text for name, text, _ in texts(element, {kind.split()[0]: 1})}
    assert variants[kind] != element
    assert_equivalent(variants[kind], element, top=TOP)


def test_a_changed_function_is_noticed(element) -> None:
    """The same tools on a variant in which one sum became a difference."""
    variant = renamed(reordered(element, 3), TOP, 3)[0]
    wrong = re.sub(r"(assign [^;]*\)) \+ (\$signed)", r"\1 - \2", variant, count=1)
    assert wrong != variant
    with pytest.raises(Mismatch, match="The circuits differ"):
        assert_equivalent(wrong, element, top=TOP)


def test_renaming_leaves_nothing_but_the_outside(element) -> None:
    variant, instances = renamed(element, TOP, 5)
    ports = re.search(r"module gatewright\((.*?)\);", element)[1]
    declared = {name.strip().removeprefix("\\") for name in re.findall(r"^  (?:wire|reg)(?: \[\S+\])? (\S+)", element, re.M)}
    inside = declared - {port.strip().removeprefix("\\").removesuffix(" ") for port in ports.split(",")} - {"clk", "rst"}
    assert len(inside) > 20
    assert not inside & {word.removeprefix("\\") for word in words(variant)}
    assert sorted(instances.values()) == ["lanes0", "lanes1"]
    assert renamed(element, TOP, 5)[0] == variant != renamed(element, TOP, 6)[0]


def test_reordering_keeps_every_word(element) -> None:
    """As many of each, in another order."""
    variant = reordered(element, 5)
    assert sorted(word for word in words(variant) if word != ",") == sorted(word for word in words(element) if word != ",")
    assert variant.splitlines() != element.splitlines()


def test_exchanging_changes_sides_and_nothing_else() -> None:
    text = "module gatewright(a, b, x);\n  input [3:0] a;\n  input [3:0] b;\n  output [3:0] x;\n"
    for given, sides in {
        "a + b": ("a", "b"),
        "\\a$1  [3:0] & { b, \\c [1] }": ("\\a$1  [3:0]", "{ b, \\c [1] }"),
        "$signed(a) * $signed({ 1'h0, b })": ("$signed(a)", "$signed({ 1'h0, b })"),
    }.items():
        found = {exchanged(f"{text}  assign x = {given};\nendmodule\n", seed) for seed in range(8)}
        swapped = [" ".join(re.search(r"assign x = (.*?) ?;", one)[1].split()) for one in found]
        operation = given.replace(sides[0], "").replace(sides[1], "").strip()
        assert " ".join(f"{sides[1]} {operation} {sides[0]}".split()) in swapped
    for given in ("a - b", "a < b", "{ a, b }", "a ? b : a", "~ a", "& { a, b }", "a >> b"):
        assert all(f"assign x = {given};" in exchanged(f"{text}  assign x = {given};\nendmodule\n", seed) for seed in range(8))


def test_blocks_get_their_names_back(element) -> None:
    variant, instances = renamed(element, TOP, 7)
    netlist = restored(synthesise(variant, TOP, ihp130().liberty_files()), instances)
    assert set(netlist.paths) == {(), ("lanes0",), ("lanes1",)}


def test_other_texts_are_refused() -> None:
    with pytest.raises(BadInput, match="no module in the text"):
        reordered("wire a;", 1)


def test_the_shipped_floor_is_that_of_the_shipped_values() -> None:
    """Recomputed here, with the statistics spelt out."""
    record = json.loads(DATA.read_text())
    (int8,) = (one for one in record["accelerators"] if one["name"] == "int8")
    lanes = int8["parts"]["lanes:int8x8u"]["area_um2"]
    mean = sum(lanes) / len(lanes)
    expected = (sum((value - mean) ** 2 for value in lanes) / (len(lanes) - 1)) ** 0.5 / mean
    found = [floor for part, floor in floors() if part == "lanes:int8x8u"]
    assert found[0].area == pytest.approx(expected)
    assert found[0].area_worst == pytest.approx(max(abs(value / mean - 1) for value in lanes))
    both = noise_floor("lanes:int8x8u")
    assert both.area == pytest.approx(np.mean([floor.area for floor in found]))
    assert both.energy == pytest.approx((both.text**2 + both.draws**2) ** 0.5)


@pytest.mark.parametrize("glitches", [False, True])
def test_energies_move_with_texts_and_with_images(glitches: bool) -> None:
    """Every part of every accelerator, the statistics by NumPy's covariance: nine texts, and eight draws of 64 images each."""
    found = iter(floors(glitches))
    for one in json.loads(DATA.read_text())["accelerators"]:
        for name, values in one["parts"].items():
            part, floor = next(found)
            assert part == name
            farthest = 0.0
            for start, spread, number in (("", floor.text, len(one["variants"])), ("draws_64_", floor.draws, 8)):
                energies = np.array(values[f"{start}energy_pj"]) + (np.array(values[f"{start}glitches_pj"]) if glitches else 0)
                assert len(energies) == number
                assert spread == pytest.approx(np.sqrt(np.cov(energies)) / energies.mean() if energies.any() else 0.0, abs=1e-12)
                if energies.any():
                    farthest = max(farthest, energies.max() / energies.mean() - 1, 1 - energies.min() / energies.mean())
            assert floor.energy_worst == pytest.approx(farthest, abs=1e-12)
    assert not list(found)


def test_a_kinds_floor_is_the_mean_of_its_parts_and_the_worst_of_them() -> None:
    for glitches in (False, True):
        lanes = [floor for part, floor in floors(glitches) if part.startswith("lanes:")]
        assert len(lanes) > 7
        kind = noise_floor("lanes", glitches)
        assert (kind.area_worst, kind.energy_worst) == (max(f.area_worst for f in lanes), max(f.energy_worst for f in lanes))
        assert (kind.text, kind.draws) == pytest.approx((sum(f.text for f in lanes) / len(lanes), sum(f.draws for f in lanes) / len(lanes)))
        assert kind.energy == pytest.approx((kind.text**2 + kind.draws**2) ** 0.5)


def test_the_page_shows_the_shipped_floors() -> None:
    assert table() in (Path(__file__).parents[2] / "docs" / "assumptions.md").read_text(encoding="utf-8")


def test_memories_get_their_names_back() -> None:
    none = np.zeros(0, np.int32)
    memory = Memory(("system_7", "ram"), 4, 0, none, none, none, none, none, none)
    netlist = Netlist("m", 2, -1, {}, {}, {}, (memory,), paths=((), ("system_7",), ("system_7", "x")))
    found = restored(netlist, {"system_7": "accelerator", "x": "grid"})
    assert found.paths == ((), ("accelerator",), ("accelerator", "grid"))
    assert [memory.path for memory in found.memories] == [("accelerator", "ram")]


def test_every_kind_of_block_was_varied() -> None:
    record = json.loads(DATA.read_text())
    lanes = {part for one in record["accelerators"] for part in one["parts"] if part.startswith("lanes:")}
    assert len(lanes) == 7  # XNOR and bipolar streams share theirs
    for one in record["accelerators"]:
        assert len(one["variants"]) >= 9
        assert {"names", "order", "operands", "all"} <= {name.split()[0] for name in one["variants"]}
    for kind in (*lanes, "element", "activation_edge", "weight_edge", "encoder.activation", "post", "sequencer", "store", "accelerator"):
        floor = noise_floor(kind)
        assert 0 <= floor.area < 0.1, kind
        assert 0 < floor.energy < 0.2, kind
        assert floor.area_worst >= floor.area * 0.5
    with pytest.raises(BadInput, match="The noise floor of 'lanes:int9' was not measured"):
        noise_floor("lanes:int9")


def test_the_unchanged_text_is_what_calibration_measured() -> None:
    """Another program measured the same accelerators: areas agree as well as the floor allows."""
    record = json.loads(DATA.read_text())
    measured = {m.name: m.area_um2 for m in load(shipped())}
    shared = [one for one in record["accelerators"] if one["name"] in measured]
    assert len(shared) == 2
    for one in shared:
        assert one["parts"]["accelerator"]["area_um2"][0] == pytest.approx(measured[one["name"]], rel=0.03)


@pytest.mark.thorough
def test_gates_of_every_text_classify_and_wrong_ones_are_noticed() -> None:
    config = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(xnor(),), accumulator_bits=18)
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(4,), operators=(xnor(), xnor()))
    chosen, verilog = Probe(name="small", config=config, architecture=network, streams=4), system_verilog(config)
    for _, text, instances in texts(verilog, {"names": 1, "all": 1}):
        assert measure_text(chosen, text, instances, ihp130())["element"][0] > 0
    wrong = re.sub(r"(module gatewright_lanes0.*?) \^ ", r"\1 | ", verilog, count=1, flags=re.S)
    assert wrong != verilog
    with pytest.raises(Mismatch):
        measure_text(chosen, wrong, {}, ihp130())
