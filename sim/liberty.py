"""Reads cell libraries in the Liberty format, as far as area, power and speed need them, into `gatewright.sim.cells`.

Everything is converted on reading. The energy unit of a Liberty file is not declared: it is voltage_unit squared times
capacitive_load_unit.

Two conventions of real libraries are settled here, once. ASAP7 lists every energy for VDD and again for VSS: groups that belong to a
ground pin are dropped where the same pin has others. An energy or leakage without `when` beside ones with `when` is the value for
the states the others leave over (IHP's flip-flop), not an addition; `Power.when is None` marks it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim.boolean import Expression, expression
from gatewright.sim.cells import Arc, Cell, Library, Pin, Power, State, Table
from gatewright.sim.liberty_syntax import Floats, Group, Source, parse

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


def read(*paths: str | Path) -> Library:
    """Read one library, which may be spread over several files of one corner.

    Raises BadInput, naming file and line, for a file that is not there, is not Liberty, or lacks something power analysis needs.
    """
    parts = []
    for path in paths:
        try:
            text = Path(path).read_text(errors="replace")
        except OSError as error:
            raise BadInput(f"{path}: cannot read the Liberty file ({error.strerror}). Give the path of a readable .lib file.") from None
        parts.append(loads(text, str(path)))
    if not parts:
        raise BadInput("A library needs at least one Liberty file, got none.")
    voltages = {part.voltage for part in parts}
    if len(voltages) > 1:
        raise BadInput(f"The files of one library must be of one corner, got the voltages {sorted(voltages)}. Give files of one corner.")
    return replace(parts[0], cells={name: cell for part in parts for name, cell in part.cells.items()})


def loads(text: str, name: str = "Liberty text") -> Library:
    """Read a library from a string; `name` is what errors call it."""
    root, source = parse(text, name)
    libraries = list(root.all("library"))
    if len(libraries) != 1 or len(root.groups) != 1:
        raise source.error(0, f"a Liberty file is one library group, found {[group.kind for group in root.groups][:4]}")
    return _Reader(libraries[0], source).library()


class _Reader:
    """Turns groups into cells, with the units and templates of one file."""

    def __init__(self, group: Group, source: Source) -> None:
        self.group, self.source = group, source
        self.time = self._unit("time_unit", "s", "1ns") * 1e9
        volt = self._unit("voltage_unit", "V", "1V")
        self.voltage = source.number(group, "nom_voltage") * volt
        if not 0.1 <= self.voltage <= 20.0:
            raise source.error(group.offset, f"nom_voltage must lie within 0.1 and 20 V, got {self.voltage:g} V")
        self.load = self._load_unit() * 1e15
        self.energy = volt**2 * self.load  # V^2 x fF = fJ
        self.leakage = self._unit("leakage_power_unit", "W", "1nW") * 1e9
        kinds = ("lu_table_template", "power_lut_template")
        self.templates = {template.name: template for kind in kinds for template in group.all(kind)}
        self.axes: dict[str, Floats] = {}

    def _unit(self, key: str, symbol: str, default: str) -> float:
        text = self.group.attributes.get(key, default)
        match = re.fullmatch(rf"\s*([\d.]+)\s*([fpnumk]?){symbol}\s*", text, re.IGNORECASE)
        if not match:
            raise self.source.error(self.group.offset, f"{key} must be a number and a unit such as {default}, got {text!r}")
        return float(match[1]) * _PREFIX[match[2].lower()]

    def _load_unit(self) -> float:
        text = self.group.calls.get("capacitive_load_unit", "1,pf")
        match = re.fullmatch(r'\s*"?([\d.]+)"?\s*,\s*"?([fpn])f"?\s*', text, re.IGNORECASE)
        if not match:
            raise self.source.error(self.group.offset, f"capacitive_load_unit must be like (1,pf), got ({text})")
        return float(match[1]) * _PREFIX[match[2].lower()]

    def library(self) -> Library:
        cells = {group.name: self._cell(group) for group in self.group.all("cell")}
        if not cells:
            raise self.source.error(self.group.offset, f"the library {self.group.name} has no cells")
        return Library(self.group.name, self.voltage, cells)

    def _cell(self, group: Group) -> Cell:
        grounds = {pin.name for pin in group.all("pg_pin") if "ground" in pin.attributes.get("pg_type", "")}
        default, states = self._leakage(group, grounds)
        pins = {pin.name: self._pin(pin, grounds) for pin in group.all("pin")}
        area = self.source.number(group, "area", 0.0)
        if area < 0:
            raise self.source.error(group.offset, f"cell ({group.name}) has a negative area, {area:g}")
        ff, latch = (next(map(_state, group.all(kind)), None) for kind in ("ff", "latch"))
        return Cell(group.name, area, default, states, pins, ff, latch)

    def _leakage(self, group: Group, grounds: set[str]) -> tuple[float, tuple[tuple[Expression, float], ...]]:
        default: float | None = None
        states: list[tuple[Expression, float]] = []
        for item in _without_grounds(group.all("leakage_power"), grounds):
            value = self.source.number(item, "value") * self.leakage
            when = self._when(item)
            if when is None:
                default = value
            else:
                states.append((when, value))
        if default is None:
            average = sum(value for _, value in states) / len(states) if states else 0.0
            default = self.source.number(group, "cell_leakage_power", average / self.leakage) * self.leakage
        return default, tuple(states)

    def _pin(self, group: Group, grounds: set[str]) -> Pin:
        powers = tuple(power for item in _without_grounds(group.all("internal_power"), grounds) for power in self._powers(item))
        arcs = tuple(arc for item in group.all("timing") for arc in self._arcs(item))
        setup = tuple(
            self._table(table, self.time, self.time)
            for item in group.all("timing")
            if item.attributes.get("timing_type", "").startswith("setup")
            for table in item.groups
            if table.kind.endswith("_constraint")
        )
        function = group.attributes.get("function")
        if function is not None:
            self._expression(function, group)
        maximum = self.source.number(group, "max_capacitance", -1.0)
        return Pin(
            name=group.name,
            direction=group.attributes.get("direction", "input"),
            capacitance_ff=self._capacitance(group),
            max_capacitance_ff=None if maximum < 0 else maximum * self.load,
            function=function,
            clock=group.attributes.get("clock") == "true",
            powers=powers,
            arcs=arcs,
            setup=setup,
        )

    def _capacitance(self, group: Group) -> float:
        if group.attributes.get("direction") != "input":
            return 0.0
        default = self.source.number(self.group, "default_input_pin_cap", 0.0)
        value = self.source.number(group, "capacitance", default) * self.load
        if not 0.0 <= value < 1e5:
            raise self.source.error(group.offset, f"the capacitance of pin ({group.name}) must lie within 0 and 100 pF, got {value:g} fF")
        return value

    def _powers(self, group: Group) -> Iterator[Power]:
        tables = {item.kind: self._table(item, self.energy, self.load) for item in group.groups}
        both = tables.get("power")
        rise, fall = tables.get("rise_power", both), tables.get("fall_power", both)
        for related in group.attributes.get("related_pin", "").split() or [""]:
            yield Power(related, self._when(group), rise, fall)

    def _arcs(self, group: Group) -> Iterator[Arc]:
        kind = group.attributes.get("timing_type", "combinational")
        if kind not in ("combinational", "combinational_rise", "combinational_fall", "rising_edge", "falling_edge"):
            return
        tables = {
            item.kind: self._table(item, self.time, self.load)
            for item in group.groups
            if item.kind in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        }
        names = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        for related in group.attributes.get("related_pin", "").split():
            yield Arc(related, kind, group.attributes.get("timing_sense", "non_unate"), *map(tables.get, names))

    def _table(self, group: Group, scale: float, load_scale: float) -> Table:
        template = self.templates.get(group.name)
        indices = [self._axis(key, group, template) for key in ("index_1", "index_2", "index_3")]
        if indices[2] is not None:
            raise self.source.error(group.offset, f"{group.kind} has three dimensions; tables of slew and load have one or two")
        axes = [axis for axis in indices if axis is not None]
        values = self.source.numbers(group.calls.get("values", ""), group) * scale
        shape = [len(axis) for axis in axes]
        if values.size != int(np.prod(shape)):
            raise self.source.error(group.offset, f"{group.kind} has {values.size} values where its indices need {int(np.prod(shape))}")
        if any(np.any(np.diff(axis) <= 0) for axis in axes):
            raise self.source.error(group.offset, f"an index of {group.kind} does not increase")
        none = np.zeros(1)
        loads_first = template is not None and "output" in template.attributes.get("variable_1", "")
        grid = values.reshape([*shape, 1, 1][:2] if shape else (1, 1))
        first, second = [*axes, none, none][:2]
        if loads_first:
            return Table(second * self.time, first * load_scale, grid.T)
        return Table(first * self.time, second * load_scale, grid)

    def _axis(self, key: str, group: Group, template: Group | None) -> Floats | None:
        text = group.calls.get(key) or (template.calls.get(key) if template else None)
        if text is None:
            return None
        if text not in self.axes:
            self.axes[text] = self.source.numbers(text, group)
        return self.axes[text]

    def _when(self, group: Group) -> Expression | None:
        text = group.attributes.get("when")
        return None if text is None else self._expression(text, group)

    def _expression(self, text: str, group: Group) -> Expression:
        try:
            return expression(text)
        except BadInput as error:
            raise self.source.error(group.offset, f"in {group.kind} ({group.name}): {str(error).removesuffix('.')}") from None


def _without_grounds(groups: Iterator[Group], grounds: set[str]) -> list[Group]:
    items = list(groups)
    kept = [item for item in items if item.attributes.get("related_pg_pin") not in grounds]
    return kept or items


def _state(group: Group) -> State:
    names = tuple(name.strip().strip('"') for name in group.arguments.split(","))
    keys = ("clocked_on", "next_state", "enable", "data_in", "clear", "preset")
    return State(group.kind, names, **{key: group.attributes.get(key) for key in keys})
