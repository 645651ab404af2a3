"""How many four-input lookup tables a design takes on an FPGA: Yosys's mapping, before place and route."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from amaranth.hdl import Value

from gatewright.hw.errors import BadInput
from gatewright.sim import cache, tools, yosys
from gatewright.sim.design import Design, Source

Family = Literal["ice40", "ecp5"]


@dataclass(frozen=True)
class _Primitives:
    """Per primitive of a family, the lookup tables it takes; and which primitives are the rest."""

    command: str
    lut4: Mapping[str, int]
    flip_flops: tuple[str, ...]
    rams: tuple[str, ...]


# ECP5: a carry cell is two tables with a chain; a distributed RAM of 16 x 4 takes four as storage and two for its write port.
_FAMILIES: dict[str, _Primitives] = {
    "ice40": _Primitives("synth_ice40", {"SB_LUT4": 1}, ("SB_DFF",), ("SB_RAM", "SB_SPRAM")),
    "ecp5": _Primitives("synth_ecp5 -nodsp", {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}, ("TRELLIS_FF",), ("DP16KD", "PDPW16KD")),
}


@dataclass(frozen=True)
class Luts:
    """What a design takes: four-input tables (those in carry chains too), flip-flops and block RAMs. Multipliers are made of tables."""

    lut4: int
    flip_flops: int
    block_rams: int


def luts(source: Source, family: Family = "ice40", *, top: str | None = None, ports: Sequence[Value] | None = None) -> Luts:
    """Map a design to an FPGA family with Yosys; cached. Raises BadInput for a family that is not known."""
    if family not in _FAMILIES:
        raise BadInput(f"family must be one of {', '.join(_FAMILIES)}; got {family!r}.")
    design, primitives = Design.of(source, top=top, ports=ports), _FAMILIES[family]
    commands = ["read_verilog -sv design.v", f"{primitives.command} -top {design.top}", "tee -q -o stat.json stat -json"]
    key = cache.key(verilog=cache.digest(design.verilog.encode()), commands=commands, tools=tools.versions("pyosys"))

    def run() -> Any:
        done = yosys.run(commands, {"design.v": design.verilog}, ["stat.json"], f"{design.top} on {family}")
        return json.loads(done["stat.json"])["design"]["num_cells_by_type"]

    cells: dict[str, int] = cache.value("luts", key, run)
    return Luts(
        lut4=sum(number * cells.get(name, 0) for name, number in primitives.lut4.items()),
        flip_flops=sum(number for name, number in cells.items() if name.startswith(primitives.flip_flops)),
        block_rams=sum(number for name, number in cells.items() if name.startswith(primitives.rams)),
    )
