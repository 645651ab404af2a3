from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog

from gatewright.hw.errors import BadInput
from gatewright.hw.memory import Memory
from gatewright.sim import synthesis, yosys
from gatewright.sim.netlist import OPEN, Netlist
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from tests.sim.designs import DESIGNS, GRID, MAC, MEMORY

LIBERTY = ihp130().liberty_files()
LIBRARY = ihp130().library


def grid() -> Netlist:
    return synthesise(GRID, "grid", LIBERTY)


def test_ports_keep_names_and_widths() -> None:
    netlist = grid()
    assert {name: len(nets) for name, nets in netlist.inputs.items()} == {"clk": 1, "rst": 1, "data": 8, "write": 2, "read": 1, "at": 3}
    assert {name: len(nets) for name, nets in netlist.outputs.items()} == {"x": 10, "y": 10}
    assert netlist.clock == netlist.inputs["clk"][0]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_net_has_one_driver(design: str) -> None:
    netlist = synthesise(DESIGNS[design][0], design, LIBERTY)
    drivers = np.zeros(netlist.nets, dtype=int)
    drivers[:2] = 1
    for nets in [*netlist.inputs.values(), *(memory.read_data for memory in netlist.memories)]:
        drivers[nets] += 1
    for kind, cells in netlist.cells.items():
        for pin in LIBRARY.cells[kind].outputs:
            nets = cells.pin(pin.name)
            drivers[nets[nets != OPEN]] += 1
    assert (drivers == 1).all()


def test_equal_modules_are_equal_gates_and_every_cell_knows_its_block() -> None:
    counts = grid().counts()
    assert counts[("left",)] == counts[("right",)]
    assert sum(counts[()].values()) > 0
    areas = {cell.name: cell.area for cell in LIBRARY.cells.values()}
    assert sum(grid().area(areas, depth=0).values()) == pytest.approx(sum(grid().area(areas).values()))


def test_each_module_is_mapped_once() -> None:
    """The mapper sees an element once, however many there are."""
    elaborated, memories = synthesis.elaborate(GRID, "grid")
    modules = synthesis.map_to_cells({name: text for name, text in elaborated.items() if name not in memories}, LIBERTY)
    assert Counter(cell["type"] for cell in modules["grid"]["cells"].values())["element"] == 2


def test_a_memory_module_stays_a_macro() -> None:
    (memory,) = grid().memories
    assert (memory.path, memory.depth, memory.width, memory.groups) == (("buffer",), 8, 8, 2)
    assert memory.write_enable.tolist() == np.repeat(grid().inputs["write"], 4).tolist()
    assert memory.read_address.tolist() == grid().inputs["at"].tolist()


def test_a_memory_in_flip_flops() -> None:
    netlist = synthesise(GRID, "grid", LIBERTY, memories="gates")
    flip_flops = sum(len(cells) for kind, cells in netlist.cells.items() if LIBRARY.cells[kind].ff)
    assert not netlist.memories
    assert flip_flops == 8 * 8 + 8 + 3 + 20
    assert flip_flops - 8 * 8 - 8 == sum(len(cells) for kind, cells in grid().cells.items() if LIBRARY.cells[kind].ff)


@pytest.mark.parametrize("groups", [1, 4])
def test_our_own_memory_is_recognised(groups: int) -> None:
    text = verilog.convert(Memory(16, 32, groups), name="memory", emit_src=False)
    _, found = synthesis.elaborate(text, "memory")
    (cell,) = found.values()
    assert (cell.depth, cell.width) == (16, 32)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("read_data <= words[read_address]", "read_data <= words[read_address + 1]"), None),
        (("output reg", "input [2:0] second, output [7:0] other, output reg"), "one read port and one write"),
        (("if (read_enable)", "if (write_enable[0] && read_address == write_address) read_data <= write_data; else"), None),
    ],
)
def test_what_is_not_only_a_memory(change: tuple[str, str], rule: str | None) -> None:
    text = MEMORY.replace(*change).replace("endmodule", "assign other = words[second]; endmodule" if rule else "endmodule")
    if rule:
        with pytest.raises(BadInput, match=f"memory in module store cannot be a macro, which needs: {rule}.*memories='gates'"):
            synthesise(text, "store", LIBERTY)
    else:
        assert not synthesis.elaborate(text, "store")[1]


def test_a_large_memory_beside_logic_is_refused() -> None:
    text = MEMORY.replace("[0:7]", "[0:16383]").replace("[2:0]", "[13:0]").replace("words[read_address]", "words[read_address + 1]")
    with pytest.raises(BadInput, match="131072 bits beside other logic.*65536 are allowed.*module of its own"):
        synthesise(text, "store", LIBERTY)


def test_unused_logic_is_left_out() -> None:
    used = MAC.replace("output reg signed [11:0] sum", "output signed [3:0] low")
    used = used.replace("always", "reg signed [11:0] sum; assign low = sum[3:0]; always")
    assert synthesise(used, "mac", LIBERTY).size < synthesise(MAC, "mac", LIBERTY).size / 2


def test_wires_through_a_module_join_nets() -> None:
    text = """
    module through(input a, output b, output c, output one); assign b = a; assign c = a; assign one = 1; endmodule
    module top(input clk, input a, output x, output y, output z);
        wire b, c, one;
        through t(.a(a), .b(b), .c(c), .one(one));
        assign x = b; assign y = c; assign z = one;
    endmodule
    """
    netlist = synthesise(text, "top", LIBERTY)
    assert netlist.outputs["x"].tolist() == netlist.outputs["y"].tolist() == netlist.inputs["a"].tolist()
    assert netlist.outputs["z"].tolist() == [1]


def test_a_netlist_survives_storing(tmp_path: Path) -> None:
    netlist = grid()
    netlist.save(tmp_path / "netlist.npz")
    again = Netlist.load(tmp_path / "netlist.npz")
    assert list(again.each_cell()) == list(netlist.each_cell())
    assert again.paths == netlist.paths
    assert again.memories[0].read_data.tolist() == netlist.memories[0].read_data.tolist()
    assert again.memories[0].path == ("buffer",)


def test_bad_verilog_is_the_readers_fault() -> None:
    with pytest.raises(BadInput, match=r"Verilog of mac: Yosys stopped: .*syntax error"):
        synthesise(MAC.replace("endmodule", "endmodul"), "mac", LIBERTY)


@pytest.mark.parametrize("text", ["library (x) { cell (a) { pin (", 'library (x) { cell (a) { pin (Y) { function : "!A +"; } } }'])
def test_a_malformed_liberty_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.lib"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"broken\.lib: Yosys stopped: ."):
        synthesise(MAC, "mac", [path])


def test_a_missing_liberty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no Liberty file .*gone\.lib"):
        synthesise(MAC, "mac", [tmp_path / "gone.lib"])


def test_a_library_without_flip_flops_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.lib"
    gates = {"INV": ("A", "!A"), "NAND": ("A B", "!(A B)")}
    cells = ""
    for name, (pins, function) in gates.items():
        inputs = "".join(f"pin ({pin}) {{ direction : input; }}" for pin in pins.split())
        cells += f'cell ({name}) {{ area : 1; {inputs} pin (Y) {{ direction : output; function : "{function}"; }} }}'
    path.write_text(f"library (small) {{ {cells} }}")
    with pytest.raises(BadInput, match=r"small\.lib"):
        synthesise(MAC, "mac", [path])


def test_yosys_writes_nothing_on_our_output(capfd: pytest.CaptureFixture[str]) -> None:
    yosys.run(["read_verilog design.v", "proc", "stat", "write_json design.json"], {"design.v": MAC}, ["design.json"], "mac")
    assert capfd.readouterr() == ("", "")
