"""Register files: what was measured, what lies between, and that they are memories."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from gatewright.hw.errors import BadInput
from gatewright.hw.memory import Memory
from gatewright.sim.library import run_gates, synthesise
from gatewright.sim.memories import MemoryCost, ihp130_memories
from gatewright.sim.register_files import BETWEEN, DATA, DEPTHS, FIGURES, WIDTHS, Table, crossover, heldout, measure, register_file, report
from gatewright.sim.technology import ihp130, technology_named


def test_a_register_file_is_a_memory() -> None:
    """Its gates against a list: old data on a collision, read data held without an enable."""
    rng, cycles = np.random.default_rng(0), 200
    inputs = {name: rng.integers(0, high, (cycles, 4)) for name, high in (("write_enable", 2), ("read_enable", 2))}
    inputs |= {name: rng.integers(0, 5, (cycles, 4)) for name in ("write_address", "read_address")} | {
        "write_data": rng.integers(0, 8, (cycles, 4))
    }
    found = run_gates(synthesise(Memory(5, 3), memories="gates"), inputs).outputs["read_data"]
    for stream in range(4):
        words, shown = [0] * 5, 0
        for t in range(cycles):
            assert found[t, stream] == shown
            row = {name: int(values[t, stream]) for name, values in inputs.items()}
            if row["read_enable"]:
                shown = words[row["read_address"]]
            if row["write_enable"]:
                words[row["write_address"]] = row["write_data"]


@pytest.mark.parametrize("name", ["ihp130", "asap7"])
def test_a_size_measured_again_is_the_shipped_one(name) -> None:
    technology = technology_named(name)
    (row,) = (r for r in json.loads(DATA.read_text())["technologies"][name]["table"] if (r["depth"], r["width"]) == (4, 4))
    found = measure(4, 4, technology)
    for figure in FIGURES:
        assert found[figure] == pytest.approx(row[figure], rel=1e-4), figure


def test_the_figures_by_hand() -> None:
    """Flip-flops are the most of it: at IHP 130 nm 48.9888 um2 each; and every clock pin (2.77 fF) moves twice in every cycle."""
    for depth in DEPTHS:
        for width in WIDTHS:
            cost, flip_flops = register_file(depth, width), depth * width + width
            assert 1.2 * 48.98 * flip_flops < cost.area_um2 < 2.5 * 48.99 * flip_flops
            assert cost.idle_pj > flip_flops * 2.77e-3 * 1.2**2
            assert cost.idle_pj < flip_flops * 0.05
            assert cost.provenance == "measured"
            assert cost.ports == "1r1w"
            assert 0 < cost.access_ns < cost.setup_ns


def test_sizes_between_are_interpolated() -> None:
    """A figure that is a + b depth + c width + d depth width is exact everywhere, also without a row or a column."""
    depths, widths = np.array(DEPTHS)[:, None], np.array(WIDTHS)[None, :]
    table = Table(DEPTHS, WIDTHS, {"f": 3 + 2 * depths + 5 * widths + 7.0 * depths * widths})
    for depth, width in ((2, 1), (3, 5), (33, 63), (64, 64), *BETWEEN):
        expected = 3 + 2 * depth + 5 * width + 7 * depth * width
        assert table.at(depth, width)["f"] == pytest.approx(expected)
        assert table.without(depth=16).at(depth, width)["f"] == pytest.approx(expected)
        assert table.without(width=8).at(depth, width)["f"] == pytest.approx(expected)
    bent = Table(DEPTHS, WIDTHS, {"f": depths**2 + 0.0 * widths})
    assert bent.without(depth=16).at(16, 4)["f"] > 1.3 * 16**2


def test_held_out_errors_are_small_and_not_nothing() -> None:
    for technology in ("ihp130", "sky130", "asap7"):
        errors = heldout(technology)
        assert set(errors) == set(FIGURES)
        for figure, bound in {"area_um2": 0.02, "read_pj": 0.05, "write_pj": 0.05, "idle_pj": 0.01}.items():
            mean, worst = errors[figure]
            assert 0 < mean < bound, (technology, figure)
            assert abs(worst) >= mean, (technology, figure)


def test_held_out_errors_are_of_tables_without_the_sizes() -> None:
    """Every figure of each technology interpolated here by SciPy: 8 sizes between; inner depths, then inner widths, left out in turn."""
    for technology, sizes in json.loads(DATA.read_text())["technologies"].items():
        found = heldout(technology)
        for figure in FIGURES:
            values = np.array([row[figure] for row in sizes["table"]]).reshape(len(DEPTHS), len(WIDTHS))
            at = RegularGridInterpolator((DEPTHS, WIDTHS), values)
            errors = [float(at((row["depth"], row["width"])).item()) / row[figure] - 1 for row in sizes["between"]]
            for i in range(1, len(DEPTHS) - 1):
                less = RegularGridInterpolator((np.delete(DEPTHS, i), WIDTHS), np.delete(values, i, axis=0))
                errors += [less((DEPTHS[i], width)).item() / values[i, j] - 1 for j, width in enumerate(WIDTHS)]
            for j in range(1, len(WIDTHS) - 1):
                less = RegularGridInterpolator((DEPTHS, np.delete(WIDTHS, j)), np.delete(values, j, axis=1))
                errors += [less((depth, WIDTHS[j])).item() / values[i, j] - 1 for i, depth in enumerate(DEPTHS)]
            assert len(errors) == 8 + 4 * 6 + 4 * 6
            assert found[figure] == pytest.approx((np.mean(np.abs(errors)), max(errors, key=abs))), (technology, figure)


def test_wide_words_are_parts_side_by_side() -> None:
    one, wide = register_file(8, 50), register_file(8, 100)
    assert wide.macros == ("register_file_8x50",) * 2
    for figure in ("area_um2", "read_pj", "write_pj", "idle_pj", "leakage_nw"):
        assert getattr(wide, figure) == pytest.approx(2 * getattr(one, figure))
    assert (wide.access_ns, wide.setup_ns) == (one.access_ns, one.setup_ns)
    odd = register_file(8, 129)  # three parts of 43 bits
    assert odd.macros == ("register_file_8x43",) * 3
    assert odd.area_um2 == pytest.approx(3 * register_file(8, 43).area_um2)
    assert register_file(8, 65).macros == ("register_file_8x33", "register_file_8x32")
    assert isinstance(wide, MemoryCost)
    assert MemoryCost.from_json(wide.to_json()) == wide


def test_where_the_macro_takes_over() -> None:
    """Searched here from below: the first depth that is larger, with all after it larger too."""
    depths, macro = crossover(22)
    assert macro == ihp130_memories().macro_for(1, 22)
    larger = [register_file(depth, 22).area_um2 > ihp130_memories().macro_for(depth, 22).area_um2 for depth in range(2, 65)]
    assert larger == sorted(larger)
    assert depths["area"] == 2 + larger.index(True)
    assert depths["idle"] == 2


def test_the_page_shows_the_shipped_figures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "assumptions.md").read_text(encoding="utf-8").splitlines()
    assert not [line for line in report().splitlines() if line not in page]


def test_what_is_refused() -> None:
    for depth, width in ((0, 8), (65, 8), (8, 0)):
        with pytest.raises(BadInput, match="A register file has 1 to 64 words"):
            register_file(depth, width)
    with pytest.raises(BadInput, match="Register files were measured in ihp130, sky130, asap7; got 'tsmc'"):
        register_file(8, 8, "tsmc")
    assert register_file(1, 8).area_um2 == register_file(2, 8).area_um2


def test_the_data_are_of_the_embedded_technologies() -> None:
    record = json.loads(DATA.read_text())
    assert record["provenance"].startswith("measured: ")
    assert record["technologies"]["ihp130"]["table"][0].keys() == {"depth", "width", *FIGURES}
    assert ihp130().name in record["technologies"]
