"""Derives the embedded technology data from the published files.

    python -m gatewright.sim.derive sg13g2_typ_1p20V_25C.lib ihp-sram/ sim/data/

The cells are those that Yosys and abc use for Gatewright's blocks when they may use all 84: mapping without constraints picks only
cells of drive strength 1.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatewright.hw.errors import BadInput
from gatewright.sim.boolean import expression
from gatewright.sim.compact import compact, to_json
from gatewright.sim.liberty import read
from gatewright.sim.liberty_syntax import Group, Source, parse
from gatewright.sim.memories import Macro

LICENCE = "Apache-2.0, Copyright IHP PDK Authors; figures derived from the published ones, no text of the files"
_NAMES = (
    "a21o_1 a21oi_1 a22oi_1 a221oi_1 and2_1 and3_1 and4_1 buf_1 dfrbpq_1 inv_1 mux2_1 mux4_1 nand2_1 nand2b_1 nand3_1 nand3b_1 "
    "nand4_1 nor2_1 nor2b_1 nor3_1 nor4_1 o21ai_1 or2_1 or3_1 xnor2_1 xor2_1 tiehi tielo"
)
CELLS = tuple(f"sg13g2_{name}" for name in _NAMES.split())
SLEWS_NS = (0.0186, 0.174, 1.263)
LOADS_FF = (1.0, 39.0, 300.0)


def derive_cells(full_liberty: Path) -> str:
    """The compact cell library as JSON text."""
    header = {
        "source": f"IHP-Open-PDK, SG13G2 standard cells, {full_liberty.name} (typical, 25 C, 1.2 V)",
        "licence": LICENCE,
        "made_by": "gatewright.sim.derive: a choice of cells; tables resampled; energies averaged over `when` (kept at flip-flops)",
        "units": "um2, nW, fF, ns, fJ; energies are inside the cell, without C V^2 / 2 of its load",
    }
    return to_json(compact(read(full_liberty), CELLS, SLEWS_NS, LOADS_FF), header, SLEWS_NS, LOADS_FF)


def derive_memories(folder: Path) -> str:
    """All SRAM macros of a folder of Liberty files as JSON text, one macro a line."""
    paths = sorted(folder.glob("*.lib"))
    if not paths:
        raise BadInput(f"{folder}: no Liberty file (*.lib) of a memory macro is there. Give the folder that holds them.")
    header = {
        "source": "IHP-Open-PDK, SG13G2 SRAM macros (typical, 25 C, 1.2 V)",
        "licence": LICENCE,
        "made_by": "gatewright.sim.derive: energies by mode and pin from each macro's internal_power groups",
        "units": "um2, nW, pJ, ns",
    }
    macros = ",\n".join(f"  {json.dumps(macro(path).model_dump())}" for path in paths)
    return f'{json.dumps(header, indent=1)[:-2]},\n "macros": [\n{macros}\n ]\n}}\n'


def macro(path: Path) -> Macro:
    """The figures of one macro. Its file says that energies are in V^2 x pF, that is pJ."""
    root, source = parse(path.read_text(), str(path))
    library = next(root.all("library"))
    voltage = source.number(library, "nom_voltage")
    group = next(library.all("cell"))
    memory = next(group.all("memory"))
    pins = {item.name: item for item in group.groups if item.kind in ("pin", "bus")}
    clock, address, data = pins["A_CLK"], pins["A_ADDR"], pins["A_DIN"]
    clock_pin = source.number(clock, "capacitance") * voltage**2  # two edges of C V^2 / 2
    modes = [{"A_MEN": men, "A_REN": ren, "A_WEN": wen} for men, ren, wen in ((1, 1, 0), (1, 0, 1), (0, 0, 0))]
    read_pj, write_pj, idle_pj = (sum(_energies(clock, mode, source)) for mode in modes)
    selected = {"A_MEN": 1}
    return Macro(
        name=group.name,
        words=1 << int(source.number(memory, "address_width")),
        bits=int(source.number(memory, "word_width")),
        port_count=2 if "B_CLK" in pins else 1,
        area_um2=source.number(group, "area"),
        leakage_nw=source.number(group, "cell_leakage_power"),
        read_clock_pj=read_pj,
        write_clock_pj=write_pj,
        address_toggle_pj=_toggle(address, selected, voltage, source),
        data_toggle_pj=_toggle(data, selected, voltage, source),
        idle_pj=round(idle_pj + clock_pin, 6),
        access_ns=_slowest(pins["A_DOUT"], "rising_edge", ("cell_rise", "cell_fall"), source),
        setup_ns=max(_slowest(pin, "setup_rising", ("rise_constraint", "fall_constraint"), source) for pin in (address, data)),
    )


def _energies(pin: Group, state: dict[str, int], source: Source) -> tuple[float, float]:
    """Rise and fall energy of a pin, or of the pins in a bus, in a state of the control pins."""
    inner = [pin, *pin.all("pin")]
    for group in (power for owner in inner for power in owner.all("internal_power")):
        when = group.attributes.get("when")
        if when is None or expression(when).evaluate(state):
            rise, fall = (float(source.numbers(side.calls["values"], side)[0]) for side in group.groups)
            return rise, fall
    raise source.error(pin.offset, f"pin {pin.name} has no energy for the state {state}")


def _toggle(pin: Group, state: dict[str, int], voltage: float, source: Source) -> float:
    return round(sum(_energies(pin, state, source)) / 2 + source.number(pin, "capacitance") * voltage**2 / 2, 6)


def _slowest(pin: Group, kind: str, tables: tuple[str, ...], source: Source) -> float:
    """The greatest entry at the second slew and second load of every table, about 0.02 ns and 1.4 fF."""
    return max(_entry(table, source) for table in _tables(pin, kind, tables))


def _tables(pin: Group, kind: str, tables: tuple[str, ...]) -> Iterator[Group]:
    for timing in pin.all("timing"):
        if timing.attributes.get("timing_type") == kind:
            yield from (table for table in timing.groups if table.kind in tables)
    for inner in pin.all("pin"):
        yield from _tables(inner, kind, tables)


def _entry(table: Group, source: Source) -> float:
    columns = len(re.split(r",", table.calls["index_2"]))
    return float(source.numbers(table.calls["values"], table).reshape(-1, columns)[1, 1])


def derive(full_liberty: Path, sram_folder: Path, output: Path) -> None:
    """Write `ihp130.json` and `ihp130_sram.json` into the folder `output`."""
    texts: dict[str, Any] = {"ihp130.json": derive_cells(full_liberty), "ihp130_sram.json": derive_memories(sram_folder)}
    for name, text in texts.items():
        (output / name).write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    derive(*map(Path, sys.argv[1:]))
