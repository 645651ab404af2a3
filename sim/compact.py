"""Compact libraries: few cells, small tables, one energy per arc; and their storage as JSON data.

What is dropped, and what it costs, is measured by `gatewright.sim.derive.compare`. Tables are resampled on one grid of slews and
loads. On an output pin, energies that differ by `when` are averaged and delays take the worst; on the pins of a flip-flop `when`
stays, because data that waits makes its clock edges dearer. Leakage is its published average over the states.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim.boolean import expression
from gatewright.sim.cells import Arc, Cell, Library, Pin, Power, State, Table
from gatewright.sim.liberty_syntax import Floats
from gatewright.sim.liberty_writer import text

_DIGITS = 5


def compact(full: Library, names: Sequence[str], slews_ns: Sequence[float], loads_ff: Sequence[float]) -> Library:
    """The cells `names` of `full` with tables of len(slews_ns) x len(loads_ff). Raises BadInput for a cell that is not there."""
    absent = [name for name in names if name not in full.cells]
    if absent:
        raise BadInput(f"The library {full.name} lacks the cells {', '.join(absent)}. Name cells it has.")
    grid = np.array(slews_ns, dtype=np.float64), np.array(loads_ff, dtype=np.float64)
    return Library(f"{full.name}_compact", full.voltage, {name: _cell(full.cells[name], *grid) for name in names})


def _cell(cell: Cell, slews: Floats, loads: Floats) -> Cell:
    pins = {pin.name: _pin(pin, cell.ff is not None, slews, loads) for pin in cell.pins.values()}
    return Cell(cell.name, cell.area, cell.leakage_nw, (), pins, cell.ff, cell.latch)


def _pin(pin: Pin, sequential: bool, slews: Floats, loads: Floats) -> Pin:
    keep = sequential and pin.direction == "input"
    powers = [_resample_power(power, slews, loads) for power in pin.powers] if keep else _merge_powers(pin.powers, slews, loads)
    setup = [Table(np.zeros(1), np.zeros(1), np.array([[_worst(pin.setup[side::2], slews[0])]])) for side in (0, 1) if pin.setup]
    return Pin(
        name=pin.name,
        direction=pin.direction,
        capacitance_ff=pin.capacitance_ff,
        max_capacitance_ff=pin.max_capacitance_ff,
        function=pin.function,
        clock=pin.clock,
        powers=tuple(powers),
        arcs=tuple(_merge_arcs(pin.arcs, slews, loads)),
        setup=tuple(setup),
    )


def _worst(tables: Iterable[Table], slew: float) -> float:
    return max(float(table.at(slew, slew)) for table in tables)


def _merge_powers(powers: Sequence[Power], slews: Floats, loads: Floats) -> list[Power]:
    """One group for each related pin: the mean of those with `when`, or the one without where there are no others."""
    merged = []
    for related in dict.fromkeys(power.related_pin for power in powers):
        group = [power for power in powers if power.related_pin == related]
        group = [power for power in group if power.when is not None] or group
        sides = [[_grid(table, slews, loads) for table in side if table is not None] for side in _sides(group)]
        rise, fall = (_table(np.mean(side, axis=0), slews, loads) if side else None for side in sides)
        merged.append(Power(related, None, rise, fall))
    return merged


def _sides(powers: Sequence[Power]) -> tuple[list[Table | None], list[Table | None]]:
    return [power.rise for power in powers], [power.fall for power in powers]


def _resample_power(power: Power, slews: Floats, loads: Floats) -> Power:
    rise, fall = (None if table is None else _table(_grid(table, slews, loads), slews, loads) for table in (power.rise, power.fall))
    return Power(power.related_pin, power.when, rise, fall)


def _merge_arcs(arcs: Sequence[Arc], slews: Floats, loads: Floats) -> list[Arc]:
    """One arc for each related pin: the slowest at every point of the grid."""
    merged = []
    for related, kind in dict.fromkeys((arc.related_pin, arc.kind) for arc in arcs):
        group = [arc for arc in arcs if (arc.related_pin, arc.kind) == (related, kind)]
        senses = {arc.sense for arc in group}
        tables = []
        for side in ("delay_rise", "delay_fall", "slew_rise", "slew_fall"):
            grids = [_grid(table, slews, loads) for arc in group if (table := getattr(arc, side)) is not None]
            tables.append(_table(np.max(grids, axis=0), slews, loads) if grids else None)
        merged.append(Arc(related, kind, senses.pop() if len(senses) == 1 else "non_unate", *tables))
    return merged


def _grid(table: Table, slews: Floats, loads: Floats) -> Floats:
    return table.at(slews[:, None], loads[None, :])


def _table(values: Floats, slews: Floats, loads: Floats) -> Table:
    """Drops an axis the values do not depend on."""
    if np.all(values == values[:, :1]):
        values, loads = values[:, :1], np.zeros(1)
        if np.all(values == values[:1]):
            values, slews = values[:1], np.zeros(1)
    return Table(slews, loads, values)


# ---- JSON ------------------------------------------------------------------------------------------------------------------------


def to_json(library: Library, header: dict[str, Any], slews_ns: Sequence[float], loads_ff: Sequence[float]) -> str:
    """The library as JSON, one cell a line; `header` goes on top (source, licence, what was done)."""
    top = header | {"name": library.name, "voltage_v": library.voltage, "slews_ns": list(slews_ns), "loads_ff": list(loads_ff)}
    head = json.dumps(top, indent=1)[:-2]
    cells = ",\n".join(f"  {json.dumps(name)}: {json.dumps(_pack(cell), separators=(',', ':'))}" for name, cell in library.cells.items())
    return f'{head},\n "cells": {{\n{cells}\n }}\n}}\n'


def from_json(data: dict[str, Any]) -> Library:
    """The library `to_json` wrote."""
    grid = np.array(data["slews_ns"], dtype=np.float64), np.array(data["loads_ff"], dtype=np.float64)
    return Library(data["name"], data["voltage_v"], {name: _unpack(name, cell, *grid) for name, cell in data["cells"].items()})


def _numbers(table: Table | None) -> list[float] | None:
    return None if table is None else [float(f"{value:.{_DIGITS}g}") for value in table.values.ravel()]


def _pack(cell: Cell) -> dict[str, Any]:
    packed: dict[str, Any] = {"area_um2": cell.area, "leakage_nw": round(cell.leakage_nw, 6)}
    if cell.ff is not None:
        fields = {key: value for key, value in vars(cell.ff).items() if value is not None}
        packed["ff"] = fields
    packed["pins"] = {name: _pack_pin(pin) for name, pin in cell.pins.items()}
    return packed


def _pack_pin(pin: Pin) -> dict[str, Any]:
    fields = {
        "direction": pin.direction,
        "capacitance_ff": round(pin.capacitance_ff, 5) or None,
        "max_capacitance_ff": pin.max_capacitance_ff,
        "function": pin.function,
        "clock": pin.clock or None,
        "powers": [[p.related_pin, None if p.when is None else text(p.when), _numbers(p.rise), _numbers(p.fall)] for p in pin.powers],
        "arcs": [
            [a.related_pin, a.kind, a.sense, *map(_numbers, (a.delay_rise, a.delay_fall, a.slew_rise, a.slew_fall))] for a in pin.arcs
        ],
        "setup": [_numbers(table) for table in pin.setup],
    }
    return {key: value for key, value in fields.items() if value not in (None, [])}


def _unpack(name: str, data: dict[str, Any], slews: Floats, loads: Floats) -> Cell:
    none = np.zeros(1)
    shapes = {1: (none, none), len(slews): (slews, none), len(slews) * len(loads): (slews, loads)}

    def table(numbers: list[float] | None) -> Table | None:
        if numbers is None:
            return None
        rows, columns = shapes[len(numbers)]
        return Table(rows, columns, np.array(numbers).reshape(len(rows), len(columns)))

    def pin(key: str, fields: dict[str, Any]) -> Pin:
        powers = [
            Power(related, None if when is None else expression(when), table(rise), table(fall))
            for related, when, rise, fall in fields.get("powers", [])
        ]
        arcs = [Arc(*head, *map(table, tables)) for *head, tables in ([*item[:3], item[3:]] for item in fields.get("arcs", []))]
        setup = [made for numbers in fields.get("setup", []) if (made := table(numbers)) is not None]
        plain = {name: value for name, value in fields.items() if name not in ("powers", "arcs", "setup")}
        return Pin(name=key, **plain, powers=tuple(powers), arcs=tuple(arcs), setup=tuple(setup))

    ff = State(**(data["ff"] | {"names": tuple(data["ff"]["names"])})) if "ff" in data else None
    pins = {key: pin(key, fields) for key, fields in data["pins"].items()}
    return Cell(name, data["area_um2"], data["leakage_nw"], (), pins, ff)
