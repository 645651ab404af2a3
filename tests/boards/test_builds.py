"""Chips for boards: what is known of each board, the tools' input, what synthesis makes of memories, and (marked) place and route."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewright.boards import build, largest, place, synthesis, top
from gatewright.boards.board import BOARDS, Board, Resources, board_named
from gatewright.boards.flash import flash
from gatewright.cli import main
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput, Missing
from gatewright.hw.memory import Memory
from gatewright.hw.verilog import emit
from gatewright.sim import tools, verilator, yosys
from gatewright.sim.tools import Tool
from tests.boards import digits

TINY = digits.CONFIG.replace(rows=1, cols=1, activation_words=64, weight_words=64, output_words=16, parameter_words=4)
ROUTED = ("icebreaker", "colorlight", "ulx3s")


def platform(name: str) -> Any:
    pytest.importorskip("amaranth_boards", reason="the extra fpga is not installed")
    return top.platform(BOARDS[name])


@pytest.mark.parametrize("name", BOARDS)
def test_boards_are_what_amaranth_boards_says(name: str) -> None:
    board, known = BOARDS[name], platform(name)
    clock = next(resource for resource in known.resources if resource.name == known.default_clk)
    assert clock.clock.frequency == board.clock_hz
    if board.family == "ecp5":
        package = {"BG381": "CABGA381", "BG256": "CABGA256"}[known.package]
        size = known.device.removeprefix("LFE5U-").lower().replace("f", "k")
        assert board.options == (f"--{size}", "--package", package, "--speed", known.speed)
    if board.family == "ice40":
        assert board.options == ("--" + known.device.removeprefix("iCE40").lower(), "--package", known.package.lower())
    if board.family == "gowin":
        assert board.options == ("--device", known.part, "--vopt", "family=" + known.family.replace("GW1NR", "GW1N"))


def test_constraints() -> None:
    platform("icebreaker")
    assert top.constraints(BOARDS["icebreaker"]) == "set_io clk 35\nset_io rx 6\nset_io tx 9\n"
    assert 'LOCATE COMP "rx" SITE "M1";\nIOBUF PORT "rx" IO_TYPE=LVCMOS33;' in top.constraints(BOARDS["ulx3s"])
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in top.constraints(BOARDS["ulx3s"])
    assert 'IO_LOC "clk" 52;' in top.constraints(BOARDS["tangnano9k"])
    xdc = top.constraints(BOARDS["arty"])
    assert "set_property -dict {PACKAGE_PIN E3 IOSTANDARD LVCMOS33} [get_ports clk]" in xdc
    assert "create_clock -period 10 [get_ports clk]" in xdc


def test_the_chip_is_clean_verilog() -> None:
    verilator.lint(top.chip_verilog(BOARDS["icebreaker"], TINY, 256), "top", ("PROCASSINIT", "PINCONNECTEMPTY"))


SYNTH = {
    "icebreaker": ("synth_ice40 -no-rw-check", "SB_RAM40_4K", "SB_DFF"),
    "ulx3s": ("synth_ecp5 -no-rw-check", "DP16KD", "TRELLIS_FF"),
}


@pytest.mark.parametrize(("name", "blocks"), [("icebreaker", 4), ("ulx3s", 2)])
def test_a_buffer_becomes_block_ram_alone(name: str, blocks: int) -> None:
    """256 words of 64 bits, written by halves: blocks of 16 bits on iCE40, of 36 on ECP5, and not one flip-flop."""
    command, block, flip_flop = SYNTH[name]
    files = {"design.v": emit(Memory(256, 64, 2), "top")}
    script = ["read_verilog -sv design.v", f"{command} -top top", "tee -q -o stat.json stat -json"]
    cells = json.loads(yosys.run(script, files, ["stat.json"], name)["stat.json"])["design"]["num_cells_by_type"]
    assert cells[block] == blocks
    assert not any(kind.startswith(flip_flop) for kind in cells)


@pytest.mark.boards
@pytest.mark.parametrize(("name", "blocks"), [("icebreaker", 10), ("ulx3s", 5)])
def test_memories_of_a_chip_become_block_ram(name: str, blocks: int) -> None:
    """Two for the link's frames, and for each memory of 32-bit words two on iCE40, whose blocks have 16 bits, and one on ECP5, where the
    16 output words go to distributed RAM. Four biases are too few for either.
    """
    made = build.netlist(BOARDS[name], TINY, 256)
    assert made.resources.block_rams == blocks
    few = {f"top.core.system.accelerator.memory_{name}.array" for name in ("biases", "scales")}
    assert set(made.flip_flop_memories) <= few


@pytest.mark.boards
def test_resources_of_a_chip() -> None:
    board = BOARDS["icebreaker"]
    made = build.netlist(board, TINY, 256)
    assert (made.resources.block_rams, made.resources.large_rams) == (10, 0)
    assert 0 < made.resources.luts < board.budget.luts
    assert made.flip_flop_memories == ("top.core.system.accelerator.memory_biases.array", "top.core.system.accelerator.memory_scales.array")
    assert made.resources == synthesis.resources(board, made.cells)


@pytest.mark.boards
def test_elements_beyond_the_multipliers_multiply_in_logic() -> None:
    board = BOARDS["colorlight"].replace(budget=BOARDS["colorlight"].budget.replace(dsps=12))
    rich, poor = (build.netlist(b, TINY.replace(cols=2), 256) for b in (BOARDS["colorlight"], board))
    assert rich.soft_elements == 0
    assert rich.resources.dsps > 12 >= poor.resources.dsps
    assert poor.soft_elements == 1
    assert poor.resources.luts > rich.resources.luts


def test_what_is_over_is_named() -> None:
    board = BOARDS["icebreaker"]
    needed = Resources(luts=6000, flip_flops=10, block_rams=31, dsps=8)
    with pytest.raises(place.DoesNotFit, match="does not fit iCEBreaker: luts: 6000 of 5280; block rams: 31 of 30. Choose fewer") as caught:
        place.refuse_if_over(board, needed)
    assert caught.value.exit_status == 1
    place.refuse_if_over(board, board.budget)


def test_large_memories() -> None:
    board = BOARDS["icebreaker"]
    assert not board.single_port(30 * 4096 // 4)
    assert board.single_port(30 * 4096 // 4 + 1)
    assert not BOARDS["ulx3s"].single_port(1 << 22)
    assert board.memory_words_max == 32768
    with pytest.raises(BadInput, match="at most 16384 words of 64 bits; got 16385"):
        build.check_memory(board, AcceleratorConfig(rows=1, cols=1, operators=(integer(4),)), 16385)


def test_nouns_are_checked() -> None:
    with pytest.raises(BadInput, match="There is no board named 'spartan'; there are icebreaker, ulx3s"):
        board_named("spartan")
    with pytest.raises(BadInput, match="a bit must take a whole number of cycles"):
        BOARDS["icebreaker"].replace(baud=115200)
    assert Board.from_json(BOARDS["arty"].to_json()) == BOARDS["arty"]


def test_a_missing_tool_is_status_3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def absent(name: str) -> Tool:
        return Tool(name, "needed", None, "", "Install it with: pip install it.")

    monkeypatch.setattr(tools, "tool", absent)
    bitstream = tmp_path / "chip.bin"
    with pytest.raises(BadInput, match="There is no bitstream"):
        flash(BOARDS["icebreaker"], bitstream)
    bitstream.write_bytes(b"")
    with pytest.raises(Missing, match="openFPGALoader is needed"):
        flash(BOARDS["icebreaker"], bitstream)
    assert main.main(["board", "flash", str(bitstream), "--board", "icebreaker"]) == 3
    assert "openFPGALoader is needed" in capsys.readouterr().err


def test_predictions_are_exact_where_costs_are_linear() -> None:
    board = BOARDS["icebreaker"]
    rows = {
        "luts": [1000, 100, 200, 300],
        "flip_flops": [0, 0, 0, 1],
        "block_rams": [4, 1, 2, 0],
        "large_rams": [0] * 4,
        "dsps": [0, 0, 1, 2],
    }
    guess = largest.Estimate(board, TINY, largest.np.array([rows[name] for name in largest.NAMES], dtype=float), 50.0)
    assert guess.resources(2, 1) == Resources(luts=1000 + 200 + 200 + 600, flip_flops=2, block_rams=8, dsps=5)
    over = guess.resources(2, 2)  # 10 multipliers, the chip has 8: one element without
    assert (over.luts, over.dsps) == (1000 + 200 + 400 + 1200 + 50, 8)
    sizes = [(c.rows, c.cols) for c in guess.candidates()]
    assert sizes[0] == max(sizes, key=lambda size: size[0] * size[1])
    assert all(not guess.resources(*size).over(board.budget) for size in sizes)


@pytest.mark.boards
@pytest.mark.parametrize("name", ROUTED)
def test_bitstreams(name: str, tmp_path: Path) -> None:
    """A digits network's accelerator on three boards: it fits, reaches the clock, and the bitstream is one."""
    pytest.importorskip("amaranth_boards", reason="the extra fpga is not installed")
    program = digits.program()
    built = build.build(BOARDS[name], digits.CONFIG, program.schedule.memory_words, tmp_path)
    assert built.passed
    assert built.fmax_mhz is not None
    assert not built.resources.over(BOARDS[name].budget)
    assert built.bitstream is not None
    data = built.bitstream.read_bytes()
    assert (b"\x7e\xaa\x99\x7e" if name == "icebreaker" else b"\xbd\xb3") in data[:200]  # the families' preambles
    print(f"{name}: {built.resources}, {built.fmax_mhz:.1f} MHz, {len(data)} bytes, {built.seconds:.0f} s")
    assert build.build(BOARDS[name], digits.CONFIG, program.schedule.memory_words, tmp_path / "again").bitstream.read_bytes() == data


@pytest.mark.boards
def test_single_port_memory_goes_to_the_large_blocks() -> None:
    made = build.netlist(BOARDS["icebreaker"], TINY, 4096)
    assert made.resources.large_rams == 2
    assert not any("external" in name for name in made.flip_flop_memories)


@pytest.mark.boards
def test_too_large_a_grid_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("amaranth_boards", reason="the extra fpga is not installed")
    with pytest.raises(place.DoesNotFit, match="does not fit iCEBreaker"):
        build.build(BOARDS["icebreaker"], TINY.replace(rows=6, cols=4), 256, tmp_path)
    assert list(tmp_path.iterdir()) == []
