"""Writes a `Library` as a Liberty file that Yosys, abc and `gatewright.sim.liberty` read. Units: ns, V, fF, fJ, nW."""

from collections.abc import Iterator
from itertools import chain

from gatewright.sim.boolean import Expression
from gatewright.sim.cells import Arc, Cell, Library, Pin, Power, State, Table
from gatewright.sim.liberty_syntax import Floats

_HEAD = """  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1uA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1,ff);
  nom_process : 1;
  nom_temperature : 25;
  input_threshold_pct_rise : 50;
  input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20;
  slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80;
  slew_upper_threshold_pct_fall : 80;
"""
_TEMPLATES = {
    "power": ("power_lut_template", "input_transition_time", "total_output_net_capacitance"),
    "delay": ("lu_table_template", "input_net_transition", "total_output_net_capacitance"),
    "setup": ("lu_table_template", "constrained_pin_transition", "related_pin_transition"),
}


def write(library: Library, comment: str = "") -> str:
    """The text of a Liberty file; reading it back gives the same library up to its printed digits (6)."""
    templates: dict[str, str] = {}
    cells = [line for cell in library.cells.values() for line in _cell(cell, templates)]
    note = "".join(f"/* {line} */\n" for line in comment.splitlines())
    head = f"{note}library ({library.name}) {{\n{_HEAD}  nom_voltage : {library.voltage:g};\n"
    return head + "\n".join(chain(templates.values(), cells)) + "\n}\n"


def _cell(cell: Cell, templates: dict[str, str]) -> Iterator[str]:
    yield f"  cell ({cell.name}) {{"
    yield f"    area : {cell.area:g};"
    yield f"    cell_leakage_power : {cell.leakage_nw:g};"
    for when, value in cell.leakage_states:
        yield f'    leakage_power () {{ value : {value:g}; when : "{text(when)}"; }}'
    for state in (cell.ff, cell.latch):
        if state is not None:
            yield from _state(state)
    for pin in cell.pins.values():
        yield from _pin(pin, cell.clock_pin or "", templates)
    yield "  }"


def _state(state: State) -> Iterator[str]:
    keys = ("clocked_on", "next_state", "enable", "data_in", "clear", "preset")
    fields = [f'{key} : "{value}";' for key in keys if (value := getattr(state, key)) is not None]
    yield f"    {state.kind} ({','.join(state.names)}) {{ {' '.join(fields)} }}"


def _pin(pin: Pin, clock: str, templates: dict[str, str]) -> Iterator[str]:
    yield f"    pin ({pin.name}) {{"
    yield f'      direction : "{pin.direction}";'
    if pin.direction == "input":
        yield f"      capacitance : {pin.capacitance_ff:g};"
    if pin.clock:
        yield "      clock : true;"
    if pin.function is not None:
        yield f'      function : "{pin.function}";'
    if pin.max_capacitance_ff is not None:
        yield f"      max_capacitance : {pin.max_capacitance_ff:g};"
    for arc in pin.arcs:
        yield from _arc(arc, templates)
    for rise, fall in zip(pin.setup[::2], pin.setup[1::2], strict=True):
        yield f'      timing () {{ related_pin : "{clock}"; timing_type : setup_rising;'
        yield _table("rise_constraint", "setup", rise, templates)
        yield _table("fall_constraint", "setup", fall, templates) + " }"
    for power in pin.powers:
        yield from _power(power, templates)
    yield "    }"


def _arc(arc: Arc, templates: dict[str, str]) -> Iterator[str]:
    yield f'      timing () {{ related_pin : "{arc.related_pin}"; timing_type : {arc.kind}; timing_sense : {arc.sense};'
    tables = {"cell_rise": arc.delay_rise, "cell_fall": arc.delay_fall, "rise_transition": arc.slew_rise, "fall_transition": arc.slew_fall}
    yield from (_table(kind, "delay", table, templates) for kind, table in tables.items() if table is not None)
    yield "      }"


def _power(power: Power, templates: dict[str, str]) -> Iterator[str]:
    related = f' related_pin : "{power.related_pin}";' if power.related_pin else ""
    when = f' when : "{text(power.when)}";' if power.when is not None else ""
    yield f"      internal_power () {{{related}{when}"
    tables = {"rise_power": power.rise, "fall_power": power.fall}
    yield from (_table(kind, "power", table, templates) for kind, table in tables.items() if table is not None)
    yield "      }"


def _table(kind: str, use: str, table: Table, templates: dict[str, str]) -> str:
    if table.values.size == 1:
        return f'        {kind} (scalar) {{ values ("{table.values[0, 0]:.6g}"); }}'
    rows = ", ".join(f'"{_join(row)}"' for row in (table.values if len(table.loads) > 1 else table.values.T))
    axes = [axis for axis in (table.slews, table.loads) if len(axis) > 1]
    name = f"{use}_{'x'.join(str(len(axis)) for axis in axes)}" + ("" if len(table.slews) > 1 else "_load")
    indices = " ".join(f'index_{n} ("{_join(axis)}");' for n, axis in enumerate(axes, 1))
    group, *variables = _TEMPLATES[use]
    used = [variable for variable, axis in zip(variables, (table.slews, table.loads), strict=True) if len(axis) > 1]
    declared = " ".join(f"variable_{n} : {variable};" for n, variable in enumerate(used, 1))
    templates.setdefault(name, f"  {group} ({name}) {{ {declared} {indices} }}")
    return f"        {kind} ({name}) {{ {indices} values ({rows}); }}"


def _join(numbers: Floats) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


def text(node: Expression) -> str:
    """A Boolean function as Liberty writes it."""
    match node.kind:
        case "name" | "constant":
            return node.value
        case "not":
            return f"!{text(node.terms[0])}"
    symbol = {"and": "&", "or": "|", "xor": "^"}[node.kind]
    return "(" + symbol.join(text(term) for term in node.terms) + ")"
