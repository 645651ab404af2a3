"""A chip's Verilog to the cells of its FPGA family, with Yosys."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass

from gatewright.boards.board import Board, Resources
from gatewright.boards.top import CHIP_TOP
from gatewright.sim import cache, tools, yosys

# Nothing reads a word in the cycle in which it is written (tests/boards/test_collisions.py), so block RAM needs no logic for that case.
_SYNTH = {
    "ice40": "synth_ice40 -dsp -spram -no-rw-check",
    "ecp5": "synth_ecp5 -no-rw-check",
    "gowin": "synth_gowin -family gw1n -no-rw-check",
    "xilinx": "synth_xilinx -family xc7",
}

# Cells of each family, and how many of a resource one takes. An iCE40 logic cell is a look-up table with its flip-flop: how many share
# one is known after packing.
_CELLS: dict[str, dict[str, dict[str, float]]] = {
    "ice40": {
        "luts": {"SB_LUT4": 1},
        "block_rams": {"SB_RAM40_4K": 1},
        "large_rams": {"SB_SPRAM256KA": 1},
        "dsps": {"SB_MAC16": 1},
    },
    "ecp5": {
        "luts": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        "block_rams": {"DP16KD": 1, "PDPW16KD": 1},
        "dsps": {"MULT18X18D": 1},
    },
    "gowin": {
        "luts": {"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1, "RAM16SDP4": 4, "RAM16SDP2": 2, "RAM16SDP1": 1},
        "block_rams": {"SDPX9B": 1, "DPX9B": 1, "SPX9": 1, "SDPB": 1, "DPB": 1, "SP": 1},
        "dsps": {"MULT18X18": 1, "MULT9X9": 0.5, "MULT36X36": 4},
    },
    "xilinx": {
        "luts": {**dict.fromkeys((f"LUT{i}" for i in range(1, 7)), 1), "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2},
        "block_rams": {"RAMB36E1": 1, "RAMB18E1": 0.5},
        "dsps": {"DSP48E1": 1},
    },
}
_FLIP_FLOP = {"ice40": r"SB_DFF", "ecp5": r"TRELLIS_FF$", "gowin": r"DFF", "xilinx": r"FD[CPRS]E"}
_ELEMENT = re.compile(r"\belement_\d+_\d+\.")


@dataclass(frozen=True)
class Netlist:
    """What Yosys made: the netlist in its JSON for the place and route tool, what it takes, and which memories became flip-flops."""

    json: str
    resources: Resources
    cells: dict[str, int]
    flip_flop_memories: tuple[str, ...]
    soft_elements: int


def synthesise(board: Board, verilog: str, single_port: bool) -> Netlist:
    """Map a chip to the board's family. Processing elements get the chip's multipliers as far as these go, the others get logic.

    `single_port`: the external memory goes to the large single-port blocks. Cached by content.
    """
    first = _run(board, verilog, single_port, ())
    surplus: float = first.resources.dsps - board.budget.dsps
    if surplus <= 0:
        return first
    dsps = _CELLS[board.family]["dsps"]
    each: defaultdict[str, float] = defaultdict(float)
    for name, kind in _cells(first.json):
        if match := _ELEMENT.search(name):
            each[match[0]] += dsps.get(kind, 0)
    soft = []
    for element in sorted(each, reverse=True):
        if surplus > 0 and each[element] > 0:
            soft.append(element)
            surplus -= each[element]
    return _run(board, verilog, single_port, tuple(soft))


def _run(board: Board, verilog: str, single_port: bool, soft: tuple[str, ...]) -> Netlist:
    """One synthesis; the multipliers of the elements in `soft` are made of logic."""
    commands = [
        "read_verilog -sv design.v",
        f"hierarchy -check -top {CHIP_TOP}",
        "proc",
        "delete */t:$meminit_v2 */t:$meminit",  # state is defined by the reset, and single-port blocks cannot be initialised
        *(['setattr -set ram_style "huge" gatewright_external/m:*'] if single_port else []),
        *(["flatten", "opt_expr", "opt_clean"] if soft else []),
        *(f"booth c:*{element}* t:$mul %i" for element in soft),
        f"tee -q -o log.txt {_SYNTH[board.family]} -top {CHIP_TOP}",
        "write_json netlist.json",
        f"tee -q -o stat.json stat -json -top {CHIP_TOP}",
    ]
    name = cache.key(verilog=cache.digest(verilog.encode()), commands=commands, tools=tools.versions("pyosys"))

    def run() -> dict[str, str]:
        return yosys.run(commands, {"design.v": verilog}, ["netlist.json", "stat.json", "log.txt"], f"The chip for {board.title}")

    done = cache.value("fpga", name, run)
    cells = json.loads(done["stat.json"])["design"]["num_cells_by_type"]
    memories = tuple(
        name for name in re.findall(r"using FF mapping for memory (\S+)", done["log.txt"]) if "$auto$" not in name
    )  # ROMs are logic
    return Netlist(done["netlist.json"], resources(board, cells), cells, memories, len(soft))


def resources(board: Board, cells: dict[str, int]) -> Resources:
    """What cells of the family take."""
    counts = {name: -int(-sum(cells.get(cell, 0) * n for cell, n in kinds.items()) // 1) for name, kinds in _CELLS[board.family].items()}
    flip_flop = re.compile(_FLIP_FLOP[board.family])
    return Resources(**counts, flip_flops=sum(n for cell, n in cells.items() if flip_flop.match(cell)))


def _cells(netlist: str) -> list[tuple[str, str]]:
    return [(name, cell["type"]) for name, cell in json.loads(netlist)["modules"][CHIP_TOP]["cells"].items()]
