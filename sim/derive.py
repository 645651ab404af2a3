"""Derives the embedded technology data from the published files.

    python -m gatewright.sim.derive ihp130 sg13g2_typ_1p20V_25C.lib sim/data/
    python -m gatewright.sim.derive sky130 sky130_fd_sc_hd__tt_025C_1v80.lib sim/data/
    python -m gatewright.sim.derive asap7 asap7sc7p5t_*_RVT_TT_nldm_*.lib sim/data/
    python -m gatewright.sim.derive memories ihp-sram/ sim/data/
    python -m gatewright.sim.derive table sram_cacti7.csv sim/data/

The cells are those that Yosys and abc use for Gatewright's blocks when they may use all: mapping without constraints picks only
cells of the least drive strength. Cells used less than once in a thousand are left out, and so are those for power domains.
"""

import csv
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.hw.errors import BadInput
from gatewright.sim.boolean import expression
from gatewright.sim.compact import compact, to_json
from gatewright.sim.liberty import read
from gatewright.sim.liberty_syntax import Group, Source, parse
from gatewright.sim.memories import Macro

_RIGHTS = "figures derived from the published ones, no text of the files"
LICENCE = f"Apache-2.0, Copyright IHP PDK Authors; {_RIGHTS}"


@dataclass(frozen=True)
class Recipe:
    """What of a full library becomes an embedded technology: the cells, and the slews in ns and loads in fF of the tables."""

    source: str
    licence: str
    cells: tuple[str, ...]
    slews_ns: tuple[float, ...]
    loads_ff: tuple[float, ...]


_IHP130 = (
    "a21o_1 a21oi_1 a22oi_1 a221oi_1 and2_1 and3_1 and4_1 buf_1 dfrbpq_1 inv_1 mux2_1 mux4_1 nand2_1 nand2b_1 nand3_1 nand3b_1 "
    "nand4_1 nor2_1 nor2b_1 nor3_1 nor4_1 o21ai_1 or2_1 or3_1 xnor2_1 xor2_1 tiehi tielo"
)
_SKY130 = (
    "a2111oi_0 a211oi_1 a21boi_0 a21o_1 a21oi_1 a221oi_1 a222oi_1 a22o_1 a22oi_1 a2bb2oi_1 a311oi_1 a31oi_1 a32o_1 a32oi_1 a31o_1 "
    "and2_0 and2b_1 and3_1 and4_1 buf_1 clkinv_1 conb_1 dfxtp_1 edfxtp_1 maj3_1 mux2_1 mux2i_1 mux4_1 nand2_1 nand2b_1 nand3_1 "
    "nand3b_1 nand4_1 nor2_1 nor2b_1 nor3_1 nor3b_1 nor4_1 o2111ai_1 o211ai_1 o21a_1 o21ai_0 o21bai_1 o221a_1 o221ai_1 o22a_1 o22ai_1 "
    "o2bb2ai_1 o311ai_0 o31ai_1 or2_0 or2b_1 or3_1 or3b_1 or4_1 xnor2_1 xnor3_1 xor2_1 xor3_1"
)
_ASAP7 = (
    "A2O1A1Ixp33 A2O1A1O1Ixp25 AND2x2 AND3x1 AND4x1 AND5x1 AO21x1 AO22x1 AOI211xp5 AOI21xp33 AOI221xp5 AOI22xp33 AOI311xp33 AOI31xp33 "
    "BUFx2 DFFHQx4 INVx1 MAJIxp5 MAJx2 NAND2xp33 NAND3xp33 NAND4xp25 NAND5xp2 NOR2xp33 NOR3xp33 NOR4xp25 NOR5xp2 O2A1O1Ixp33 OA211x2 "
    "OA21x2 OAI211xp5 OAI21xp33 OAI221xp5 OAI22xp33 OAI311xp33 OAI31xp33 OAI32xp33 OR2x2 OR3x1 OR4x1 TIEHIx1 TIELOx1 XNOR2xp5 XOR2xp5"
)
RECIPES = {
    "ihp130": Recipe(
        source="IHP-Open-PDK, SG13G2 standard cells, {files} (typical, 25 C, 1.2 V)",
        licence=LICENCE,
        cells=tuple(f"sg13g2_{name}" for name in _IHP130.split()),
        slews_ns=(0.0186, 0.174, 1.263),
        loads_ff=(1.0, 39.0, 300.0),
    ),
    "sky130": Recipe(
        source="SkyWater SKY130 PDK, high-density standard cells, {files} (typical, 25 C, 1.8 V)",
        licence=f"Apache-2.0, Copyright SkyWater PDK Authors; {_RIGHTS}",
        cells=tuple(f"sky130_fd_sc_hd__{name}" for name in _SKY130.split()),
        slews_ns=(0.01, 0.122, 1.5),
        loads_ff=(0.5, 9.0, 160.0),
    ),
    "asap7": Recipe(
        source="ASAP7 predictive 7 nm PDK, RVT standard cells, {files} (typical, 25 C, 0.7 V)",
        licence=f"BSD-3-Clause, Copyright Lawrence T. Clark, Vinay Vashishtha, Arizona State University; {_RIGHTS}",
        cells=tuple(f"{name}_ASAP7_75t_R" for name in _ASAP7.split()),
        slews_ns=(0.005, 0.04, 0.32),
        loads_ff=(0.36, 2.88, 23.04),
    ),
}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise BadInput(f"There is no recipe for a technology {name!r}; there are {', '.join(RECIPES)}. Add it to sim/derive.py.")
    return RECIPES[name]


def derive_cells(name: str, full: Sequence[Path]) -> str:
    """The compact cell library of an embedded technology as JSON text, from its full Liberty files."""
    chosen = recipe(name)
    header = {
        "source": chosen.source.format(files=", ".join(path.name for path in full)),
        "licence": chosen.licence,
        "made_by": "gatewright.sim.derive: a choice of cells; tables resampled; energies averaged over `when` (kept at flip-flops)",
        "units": "um2, nW, fF, ns, fJ; energies are inside the cell, without C V^2 / 2 of its load",
    }
    cells = compact(read(*full), chosen.cells, chosen.slews_ns, chosen.loads_ff)
    return to_json(cells, header, chosen.slews_ns, chosen.loads_ff)


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


TABLE_FIGURES = ("read_pj", "write_pj", "access_ns", "area_um2")
TABLE_VOLTS = {90: 0.9, 45: 0.7, 22: 0.6}  # of ITRS low operating power in CACTI's files of process parameters


def derive_table(path: Path) -> str:
    """Runs of CACTI 7 as JSON text: for each process figures by capacity (rows) and word (columns), null where there is no run."""
    with path.open() as file:
        rows = {tuple(int(row[name]) for name in ("technology_nm", "capacity_bytes", "word_bytes")): row for row in csv.DictReader(file)}
    capacities, words = (sorted({key[i] for key in rows}) for i in (1, 2))
    header = {
        "name": "CACTI 7",
        "source": "CACTI 7 (HP Labs) runs: SRAM, one port, 330 K, ITRS low operating power",
        "licence": "figures computed with CACTI 7, no text of its files",
        "made_by": "gatewright.sim.derive: energies, access time and area; leakage is left out, it is of another kind of transistor",
        "units": "um2, pJ, ns",
        "capacity_bytes": capacities,
        "word_bytes": words,
    }
    processes = []
    for nm, volts in TABLE_VOLTS.items():
        figures = []
        for name in TABLE_FIGURES:
            lines = [json.dumps([float(rows[nm, c, w][name]) if (nm, c, w) in rows else None for w in words]) for c in capacities]
            figures.append(f'   "{name}": [\n    ' + ",\n    ".join(lines) + "\n   ]")
        processes.append(f'  {{"feature_nm": {nm}, "voltage": {volts},\n' + ",\n".join(figures) + "\n  }")
    return f'{json.dumps(header)[:-1]},\n "processes": [\n' + ",\n".join(processes) + "\n ]\n}\n"


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


def derive(what: str, inputs: Sequence[Path], output: Path) -> Path:
    """Write a technology's cells, with "memories" IHP's macros, or with "table" CACTI's, into the folder `output`; returns the file."""
    others = {"memories": ("ihp130_sram", derive_memories), "table": ("sram_cacti7", derive_table)}
    name, make = others.get(what, (what, None))
    text = make(inputs[0]) if make else derive_cells(what, inputs)
    made = output / f"{name}.json"
    made.write_text(text)
    return made


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    derive(sys.argv[1], [Path(name) for name in sys.argv[2:-1]], Path(sys.argv[-1]))
