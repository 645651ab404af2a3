"""SRAM from a cited table: its points, what lies between them, the scaling rule, and published figures it must agree with."""

import json
from itertools import pairwise, product
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.derive import derive_table
from gatewright.sim.memories import ihp130_memories
from gatewright.sim.memory_table import BIT_LEAKAGE, DATA, FIGURES, SCALINGS, SECOND_PORT, Scaling, Table, processes, scaled_memories
from gatewright.sim.technology import technology_named

RAW = json.loads(DATA.read_text())
SIZES = list(product(RAW["capacity_bytes"], RAW["word_bytes"]))
ALL = processes(DATA.read_text())
IHP = Scaling(feature_nm=90, length_nm=130, voltage=1.2, leakage_nw_per_bit=0.0)  # the rule alone, for the process whose macros are known
SMALL = {
    "name": "a table",
    "source": "by hand",
    "capacity_bytes": [512, 1024],
    "word_bytes": [1, 2],
    "processes": [
        {
            "feature_nm": 100,
            "voltage": 1.0,
            "read_pj": [[1.0, 3.0], [4.0, 8.0]],
            "write_pj": [[2.0, 4.0], [5.0, 9.0]],
            "access_ns": [[0.5, 0.4], [0.8, 0.7]],
            "area_um2": [[10.0, 12.0], [30.0, 33.0]],
        }
    ],
}
DOUBLED = Scaling(feature_nm=100, length_nm=200, voltage=2.0, anchor=1.5, anchored="by hand", leakage_nw_per_bit=0.01)


def raw(nm: int, name: str) -> dict[tuple[int, int], float]:
    """The table's own entries."""
    (process,) = (item for item in RAW["processes"] if item["feature_nm"] == nm)
    values = [value for row in process[name] for value in row]
    return {size: value for size, value in zip(SIZES, values, strict=True) if value is not None}


@pytest.mark.parametrize("nm", [90, 45, 22])
@pytest.mark.parametrize("name", FIGURES)
def test_a_point_is_the_least_of_all_at_least_as_large(nm: int, name: str) -> None:
    entries = raw(nm, name)
    same = 0
    for c, w in SIZES:
        larger = {size: v for size, v in entries.items() if size[0] >= c and (size[1] >= w if name != "access_ns" else size[1] == w)}
        assert ALL[nm].at(name, c, w) == pytest.approx(min(larger.values()), rel=1e-9)
        same += min(larger.values()) == entries.get((c, w))
    assert same >= 50


def test_a_known_point() -> None:
    """8 KB of 64 bits at 22 nm, from the published run."""
    figures = [ALL[22].at(name, 8192, 8) for name in FIGURES]
    assert figures == pytest.approx([1.2102, 1.1414, 0.3625, 7009.5])


def test_between_points_logarithms_are_interpolated() -> None:
    p = ALL[90]
    for name in FIGURES:
        low, high = p.at(name, 4096, 8), p.at(name, 8192, 8)
        assert p.at(name, 4096 * 2**0.5, 8) == pytest.approx((low * high) ** 0.5)
        wide = p.at(name, 4096, 16)
        assert p.at(name, 4096, 8 * 2**0.25) == pytest.approx(low**0.75 * wide**0.25)


@pytest.mark.parametrize("nm", [90, 45, 22])
def test_more_never_costs_less(nm: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        c, w = 2 ** rng.uniform(7, 20), 2 ** rng.uniform(0, 5)
        for name in FIGURES:
            here = ALL[nm].at(name, c, w)
            assert ALL[nm].at(name, 1.3 * c, w) >= here * (1 - 1e-12)
            assert name == "access_ns" or ALL[nm].at(name, c, 1.7 * w) >= here * (1 - 1e-12)


@pytest.mark.parametrize("name", SCALINGS)
def test_larger_memories_take_more_area(name: str) -> None:
    memories = scaled_memories(name)
    for ports in ("1rw", "1r1w"):
        for width in (1, 8, 17, 64, 200, 512, 700):
            areas = [memories.macro_for(depth, width, ports).area_um2 for depth in (1, 16, 100, 512, 3000, 70_000, 300_000)]
            assert areas == sorted(areas)
        for depth in (16, 512, 4096):
            areas = [memories.macro_for(depth, width, ports).area_um2 for width in (1, 8, 9, 32, 64, 65, 128, 512, 513, 1024)]
            assert areas == sorted(areas)


def test_the_rule_by_hand() -> None:
    """Energy x 2 (length) x 4 (supply) x 1.5 = 12, area x 4, time x 2, leakage by bits; the widest word has 16 bits."""
    table = Table(json.dumps(SMALL), DOUBLED)
    assert (table.energy, table.length, table.source) == (12.0, 2.0, "by hand")
    assert table.note.startswith("a table at 100 nm, cited and scaled: energy x 12")
    cost = table.macro_for(512, 16, "1rw")  # 1 KB of 2 bytes: 33 um2; two of 512 bytes by 1 byte take 20
    assert cost.macros == ("512 x 8", "512 x 8")
    assert (cost.area_um2, cost.read_pj, cost.write_pj) == pytest.approx((80.0, 24.0, 48.0))
    assert (cost.access_ns, cost.leakage_nw, cost.idle_pj) == pytest.approx((1.0, 81.92, 0.0))
    banks = table.macro_for(1536, 8, "1rw")  # more than 1 KB: two banks of 768 bytes, one of them read
    between = 10.0 * 3 ** (np.log2(1.5))
    assert banks.macros == ("768 x 8",) * 2
    assert (banks.area_um2, banks.read_pj) == pytest.approx((2 * 4 * between, 12 * 4 ** np.log2(1.5)))
    assert cost.provenance == "cited, scaled: energy x 12 = 200/100 nm x (2/1 V)^2 x 1.5 (by hand), area x 4, time x 2"


def test_small_memories_cost_as_the_smallest() -> None:
    table = Table(json.dumps(SMALL), DOUBLED)
    assert table.macro_for(2, 3, "1rw").area_um2 == table.macro_for(512, 8, "1rw").area_um2 == pytest.approx(40.0)


def test_the_second_port_is_ihps() -> None:
    """Two-port macros beside one-port macros of the same size: area and leakage grow, the energy of an access does not."""
    macros = {(macro.words, macro.bits, macro.port_count): macro for macro in ihp130_memories().macros}
    pairs = [(macro, macros[words, bits, 1]) for (words, bits, ports), macro in macros.items() if ports == 2 and (words, bits, 1) in macros]
    assert len(pairs) == 8
    assert median(two.area_um2 / one.area_um2 for two, one in pairs) == pytest.approx(SECOND_PORT["second_port_area"], rel=0.005)
    assert median(two.leakage_nw / one.leakage_nw for two, one in pairs) == pytest.approx(SECOND_PORT["second_port_leakage"], rel=0.005)
    assert median(two.read_pj / one.read_pj for two, one in pairs) == pytest.approx(1.0, abs=0.005)
    for name in SCALINGS:
        one, two = (scaled_memories(name).macro_for(1024, 32, ports) for ports in ("1rw", "1r1w"))
        assert (two.read_pj, two.write_pj, two.access_ns) == (one.read_pj, one.write_pj, one.access_ns)
        assert two.area_um2 == pytest.approx(SECOND_PORT["second_port_area"] * one.area_um2)
        assert two.leakage_nw == pytest.approx(SECOND_PORT["second_port_leakage"] * one.leakage_nw)


def test_leakage_is_of_the_process() -> None:
    """A bit leaks in each process as many of its smallest inverters as in IHP's macros."""
    inverter = {"ihp130": "sg13g2_inv_1", "sky130": "sky130_fd_sc_hd__clkinv_1", "asap7": "INVx1_ASAP7_75t_R"}
    leakage = {name: technology_named(name).library.cells[cell].leakage_nw for name, cell in inverter.items()}
    bits = {macro.leakage_nw / macro.words / macro.bits for macro in ihp130_memories().macros if macro.port_count == 1}
    assert max(bits) / leakage["ihp130"] == pytest.approx(BIT_LEAKAGE, rel=0.005)
    assert min(bits) == pytest.approx(max(bits), rel=1e-4)
    for name, scaling in SCALINGS.items():
        assert scaling.leakage_nw_per_bit == pytest.approx(BIT_LEAKAGE * leakage[name], rel=1e-3)


def test_the_rule_against_ihps_macros() -> None:
    """The rule alone gives a third of the published energies, and that is the anchor of sky130; with it every one is within a factor of
    two, the range that reports show. Area and access time are too low too, and not anchored."""
    table = Table(DATA.read_text(), IHP)
    found = []
    for macro in (macro for macro in ihp130_memories().macros if macro.words * macro.bits >= 8 * 512):
        figures = {name: table.process.at(name, macro.words * macro.bits / 8, macro.bits / 8) for name in FIGURES}
        found += [macro.read_pj / (figures["read_pj"] * table.energy), macro.write_pj / (figures["write_pj"] * table.energy)]
        if macro.port_count == 1 and macro.words * macro.bits >= 8 * 4096:
            assert 0.8 < figures["area_um2"] * table.length**2 / macro.area_um2 < 1.0
        assert 0.49 < figures["access_ns"] * table.length / macro.access_ns < 0.9
    assert len(found) == 48
    assert median(found) == pytest.approx(SCALINGS["sky130"].anchor, rel=0.005)
    assert 0.5 < min(found) / median(found) < max(found) / median(found) < 2.0


@pytest.mark.parametrize(("start", "end", "least", "most"), [(90, 45, 1.1, 1.4), (45, 22, 1.0, 1.2)])
def test_the_rule_inside_the_table(start: int, end: int, least: float, most: float) -> None:
    """From one process of the table to another: area within 3% at the median, energies somewhat high."""
    table = Table(DATA.read_text(), Scaling(feature_nm=start, length_nm=end, voltage=ALL[end].voltage, leakage_nw_per_bit=0.0))
    for name, factor in (("read_pj", table.energy), ("write_pj", table.energy), ("area_um2", table.length**2)):
        now, then = raw(start, name), raw(end, name)
        middle = median(now[size] * factor / then[size] for size in now)
        assert abs(middle - 1) < 0.03 if name == "area_um2" else least < middle < most, (name, middle)


@pytest.mark.parametrize(("capacity", "horowitz"), [(8192, 10.0), (32768, 20.0), (1048576, 100.0)])
def test_reads_at_45_nm_against_horowitz(capacity: int, horowitz: float) -> None:
    """ISSCC 2014, 64 bits, a high-performance process: at its 1.0 V the table's low-power arrays take 15 to 26% less."""
    assert 0.73 < ALL[45].at("read_pj", capacity, 8) * (1.0 / ALL[45].voltage) ** 2 / horowitz < 0.87


def test_the_cell_of_a_7_nm_process() -> None:
    """CACTI's bit cell has 146 squares of the feature size; 0.027 um2 at 7 nm (Chang et al., ISSCC 2017, 12.1)."""
    assert 146 * SCALINGS["asap7"].length_nm ** 2 * 1e-6 == pytest.approx(0.027, rel=0.005)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("word_bytes"), "malformed .KeyError: 'word_bytes'"),
        (lambda data: data["processes"][0].pop("area_um2"), "malformed .KeyError: 'area_um2'"),
        (lambda data: data["processes"][0]["read_pj"].pop(), "read_pj of 100 nm has the shape .1, 2. for 2 capacities and 2 words"),
        (lambda data: data["processes"][0].update(read_pj=[[1.0, 3.0], [4.0]]), "malformed .ValueError"),
        (lambda data: data["processes"][0].update(write_pj=[[0.0, 3.0], [4.0, 8.0]]), "figures must be positive"),
        (lambda data: data["processes"][0].update(write_pj=[[None, 3.0], [4.0, None]]), "figures must be positive"),
        (lambda data: data.update(capacity_bytes=[1024, 512]), "sizes at least two and rising"),
    ],
)
def test_malformed_tables_are_refused(change, message: str) -> None:
    data = json.loads(json.dumps(SMALL))
    change(data)
    with pytest.raises(BadInput, match=message):
        processes(json.dumps(data))
    with pytest.raises(BadInput, match="malformed .JSONDecodeError"):
        processes("{")


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="The memory table has 90, 45, 22 nm; got 65 nm to scale from"):
        Table(DATA.read_text(), IHP.replace(feature_nm=65))
    with pytest.raises(BadInput, match="goes to 2,097,152 bytes and words of 64 bytes; got 4,194,304 bytes"):
        ALL[90].at("read_pj", 2**22, 8)
    with pytest.raises(BadInput, match="words of 128"):
        ALL[90].at("read_pj", 2**20, 128)
    for depth, width in ((0, 8), (8, 0)):
        with pytest.raises(BadInput, match="at least one word of one bit"):
            scaled_memories("asap7").macro_for(depth, width)
    with pytest.raises(BadInput, match="anchor: Input should be greater than 0"):
        IHP.replace(anchor=0.0)


def test_the_table_is_made_from_rows(tmp_path: Path) -> None:
    """A size without a run is null, and costs what the next larger capacity costs."""
    head = "technology_nm,capacity_bytes,word_bytes,read_pj,write_pj,leakage_uw,access_ns,area_um2"
    sizes = [(c, w) for c, w in product((512, 1024), (1, 2)) if (c, w) != (512, 2)]
    rows = [f"{nm},{c},{w},{nm * c * w},{c + w},7,{w},{c * w}" for nm, (c, w) in product((90, 45, 22), sizes)]
    (tmp_path / "runs.csv").write_text("\n".join([head, *rows]) + "\n")
    text = derive_table(tmp_path / "runs.csv")
    assert json.loads(text)["processes"][1]["read_pj"] == [[45 * 512, None], [45 * 1024, 45 * 2048]]
    found = processes(text)
    assert {nm: process.voltage for nm, process in found.items()} == {90: 0.9, 45: 0.7, 22: 0.6}
    assert found[22].at("area_um2", 512, 2) == pytest.approx(2048.0)
    assert all(a < b for a, b in pairwise(found[90].capacities))
