"""SRAM macros: the embedded figures, the tiling, and what it costs."""

from itertools import product

import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.memories import DRAM, MemoryCost, ihp130_memories, least_area
from gatewright.sim.register_files import register_file


@pytest.fixture(scope="module")
def memories():
    return ihp130_memories()


def test_the_published_macros_are_there(memories):
    assert len(memories.macros) == 28
    assert sum(macro.port_count == 2 for macro in memories.macros) == 10
    assert {macro.words for macro in memories.macros} == {64, 256, 512, 1024, 2048, 4096, 8192}


def test_a_macro_in_figures(memories):
    """RM_IHPSG13_2P_256x8: from its Liberty file by hand. Clock edge 8.285 pJ reading, 10.9594 pJ writing; an address toggle
    (0.0113 + 0.0053) / 2 and 0.0121077 pF, a data toggle (0.0299 + 0.0123) / 2 and 0.00500744 pF, clock pin 0.00380014 pF, 1.2 V."""
    macro = next(macro for macro in memories.macros if macro.name.startswith("RM_IHPSG13_2P_256x8"))
    address = 0.0083 + 0.0121077 * 0.72
    data = 0.0211 + 0.00500744 * 0.72
    clock = 0.00380014 * 1.44
    assert macro.read_pj == pytest.approx(8.285 + 4 * address + clock, rel=1e-4)
    assert macro.write_pj == pytest.approx(10.9594 + 4 * address + 4 * data + clock, rel=1e-4)
    assert (macro.idle_pj, macro.leakage_nw, macro.area_um2) == (pytest.approx(clock, rel=1e-3), 39.8626, 38147.5147)


def test_energies_are_plausible(memories):
    """Units could be wrong by powers of ten: reads at 130 nm take 0.3 to 8 pJ a bit, grow with bits and words, and writes cost more."""
    for macro in memories.macros:
        assert 0.3 < macro.read_pj / macro.bits < 8.0
        assert macro.write_pj > macro.read_pj > 100 * macro.idle_pj
        assert 1.0 < macro.access_ns < 20.0


def test_an_exact_fit_is_one_macro(memories):
    cost = memories.macro_for(256, 32)
    macro = next(macro for macro in memories.macros if macro.name.startswith("RM_IHPSG13_2P_256x32"))
    assert cost.macros == (macro.name,)
    assert (cost.area_um2, cost.read_pj, cost.write_pj) == (macro.area_um2, macro.read_pj, macro.write_pj)
    assert cost.idle_pj == 2 * macro.idle_pj


def test_tiles_cover_the_width_at_least_area(memories):
    """Against every multiset of up to four macros of the same depth."""
    for depth, width in product((64, 256, 512, 1024), (1, 8, 20, 24, 40, 48, 64)):
        fitting = [macro for macro in memories.macros if macro.port_count == 2 and macro.words == depth]
        tiles = {sum(macro.area_um2 for macro in tile) for n in (1, 2, 3, 4) for tile in product(fitting, repeat=n) if _bits(tile) >= width}
        assert memories.macro_for(depth, width).area_um2 <= min(tiles) + 1e-6


def test_a_tile_by_hand(memories):
    """1024 x 40 bits, two ports: 512x32 beside 512x8, twice, 2 x (150650.1373 + 57397.3309) um2; 1024x32 beside 1024x16 would take
    264167.2813 + 155153.8157. Both banks leak, one is read."""
    cost = memories.macro_for(1024, 40)
    assert cost.macros == ("RM_IHPSG13_2P_512x32_c2_bm_bist", "RM_IHPSG13_2P_512x8_c2_bm_bist") * 2
    assert cost.area_um2 == pytest.approx(2 * (150650.1373 + 57397.3309))
    assert cost.area_um2 < 264167.2813 + 155153.8157
    assert cost.leakage_nw == pytest.approx(2 * (318.9007 + 79.7252))
    wide, narrow = (next(m for m in memories.macros if m.name == name) for name in cost.macros[:2])
    assert cost.read_pj == pytest.approx(wide.read_pj + narrow.read_pj)
    assert cost.write_pj == pytest.approx(wide.write_pj + narrow.write_pj)
    assert cost.idle_pj == pytest.approx(2 * 2 * (wide.idle_pj + narrow.idle_pj))  # both ports of both banks
    assert cost.access_ns == max(wide.access_ns, narrow.access_ns) > min(wide.access_ns, narrow.access_ns)
    assert cost.setup_ns == max(wide.setup_ns, narrow.setup_ns)


def test_the_least_of_several_ways(memories):
    small, large = memories.macro_for(64, 16), memories.macro_for(256, 32)
    assert least_area([large, small]) == small
    assert least_area([small, small.replace(read_pj=1.0)]).read_pj == 1.0


def test_register_files_are_the_smaller_choice_for_a_few_words(memories):
    """A flip-flop of IHP has 49 um2: 4 x 8 bits take a few thousand um2, 64 x 64 more than 200,000; the smallest macro takes 38,148."""
    few, many = ([memories.macro_for(*size), register_file(*size)] for size in ((4, 8), (64, 64)))
    assert least_area(few).provenance == "measured"
    assert least_area(few).area_um2 > 32 * 48.9888
    assert least_area(many).provenance == "cited"


def _bits(tile):
    return sum(macro.bits for macro in tile)


def test_banks_leak_but_one_is_read(memories):
    one, four = memories.macro_for(1024, 64), memories.macro_for(4096, 64)
    assert four.area_um2 == pytest.approx(4 * one.area_um2)
    assert four.leakage_nw == pytest.approx(4 * one.leakage_nw)
    assert four.read_pj == one.read_pj
    assert len(four.macros) == 4 * len(one.macros)


def test_the_smallest_memory_is_still_a_macro(memories):
    assert memories.macro_for(2, 4).macros == ("RM_IHPSG13_2P_256x8_c2_bm_bist",)  # smaller than 64 words of 22 bits


def test_larger_never_costs_less(memories):
    sizes = (1, 64, 65, 300, 1024, 3000)
    for width in (8, 33, 64):
        areas = [memories.macro_for(depth, width).area_um2 for depth in sizes]
        assert areas == sorted(areas)


def test_one_port_takes_less(memories):
    assert memories.macro_for(1024, 64, "1rw").area_um2 < memories.macro_for(1024, 64).area_um2


def test_a_cost_survives_json_and_is_cited(memories):
    cost = memories.macro_for(64, 16)
    assert MemoryCost.from_json(cost.to_json()) == cost
    assert cost.provenance == "cited"


@pytest.mark.parametrize(("depth", "width"), [(0, 8), (8, 0), (-1, 8)])
def test_impossible_sizes_are_refused(memories, depth, width):
    with pytest.raises(BadInput, match="at least one word of one bit"):
        memories.macro_for(depth, width)


def test_unknown_ports_are_refused(memories):
    with pytest.raises(BadInput, match="'1r1w' or '1rw'"):
        memories.macro_for(8, 8, "2rw")


def test_external_memory_names_its_source():
    assert DRAM.pj_per_bit == 4.0
    assert "LPDDR4" in DRAM.name
    assert "Horowitz" in DRAM.source
