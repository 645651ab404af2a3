"""What a cell library says, in ns, V, fF, fJ and nW: `Library` -> `Cell` -> `Pin` -> energy and delay tables.

`gatewright.sim.liberty` reads it from files; areas stay in the file's unit (um2 in every library we know).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gatewright.sim.boolean import Expression, expression
from gatewright.sim.liberty_syntax import Floats


@dataclass(frozen=True, eq=False)
class Table:
    """Values over input slew (ns, rows) and output load (fF, columns); an axis of one point means the value does not depend on it.

    A setup table has the slew of the data pin as rows and the slew of the clock pin as columns, both in ns.
    """

    slews: Floats
    loads: Floats
    values: Floats

    def at(self, slew: float | Floats, load: float | Floats, *, extrapolate: bool = False) -> Floats:
        """Bilinear interpolation; beyond the table the nearest edge, or with `extrapolate` the line of the last two loads."""
        i, u = _position(self.slews, slew, False)
        j, v = _position(self.loads, load, extrapolate)
        i2, j2 = np.minimum(i + 1, len(self.slews) - 1), np.minimum(j + 1, len(self.loads) - 1)
        low = self.values[i, j] * (1 - v) + self.values[i, j2] * v
        high = self.values[i2, j] * (1 - v) + self.values[i2, j2] * v
        return np.asarray(low * (1 - u) + high * u)


def _position(axis: Floats, where: float | Floats, extrapolate: bool) -> tuple[np.ndarray, Floats]:
    """Index of the point below, and how far to the next one."""
    x = np.asarray(where, dtype=np.float64)
    if len(axis) == 1:
        return np.zeros(x.shape, dtype=np.intp), np.zeros(x.shape)
    index = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
    fraction = (x - axis[index]) / (axis[index + 1] - axis[index])
    return index, np.maximum(fraction, 0.0) if extrapolate else np.clip(fraction, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Power:
    """Energy in fJ inside a cell at one transition of the pin that owns it, caused by `related_pin` (empty: by itself)."""

    related_pin: str
    when: Expression | None
    rise: Table | None
    fall: Table | None

    def mean_fj(self, slew_ns: float, load_ff: float | Floats) -> Floats:
        """Average of rise and fall: edges of a net alternate. It also cancels the C V^2 / 2 that sky130 books on rise and off fall."""
        sides = [table.at(slew_ns, load_ff) for table in (self.rise, self.fall) if table is not None]
        return np.asarray(sum(sides) / 2.0 if sides else np.zeros(np.shape(load_ff)))

    def edge_fj(self, rising: bool, slew_ns: float) -> float:
        """Energy of one edge of an input pin."""
        table = self.rise if rising else self.fall
        return 0.0 if table is None else float(table.at(slew_ns, 0.0))


@dataclass(frozen=True, eq=False)
class Arc:
    """Delay and output transition from `related_pin`: combinational, or from a clock edge (`rising_edge`, `falling_edge`)."""

    related_pin: str
    kind: str
    sense: str
    delay_rise: Table | None
    delay_fall: Table | None
    slew_rise: Table | None
    slew_fall: Table | None

    @property
    def delays(self) -> tuple[Table, ...]:
        return tuple(table for table in (self.delay_rise, self.delay_fall) if table is not None)

    @property
    def slews(self) -> tuple[Table, ...]:
        return tuple(table for table in (self.slew_rise, self.slew_fall) if table is not None)


@dataclass(frozen=True, eq=False)
class Pin:
    """One pin: `function` is the Boolean function text of an output (a flip-flop's names its state variable)."""

    name: str
    direction: str
    capacitance_ff: float = 0.0
    max_capacitance_ff: float | None = None
    function: str | None = None
    clock: bool = False
    powers: tuple[Power, ...] = ()
    arcs: tuple[Arc, ...] = ()
    setup: tuple[Table, ...] = ()

    @property
    def expression(self) -> Expression | None:
        return expression(self.function) if self.function else None


@dataclass(frozen=True)
class State:
    """A flip-flop or latch: names of its two state variables, and the functions that drive it (None where absent)."""

    kind: str
    names: tuple[str, ...]
    clocked_on: str | None = None
    next_state: str | None = None
    enable: str | None = None
    data_in: str | None = None
    clear: str | None = None
    preset: str | None = None


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell with its leakage: `leakage_nw` where no state of `leakage_states` applies."""

    name: str
    area: float
    leakage_nw: float
    leakage_states: tuple[tuple[Expression, float], ...] = ()
    pins: Mapping[str, Pin] = field(default_factory=dict)
    ff: State | None = None
    latch: State | None = None

    @property
    def inputs(self) -> tuple[Pin, ...]:
        return tuple(pin for pin in self.pins.values() if pin.direction == "input")

    @property
    def outputs(self) -> tuple[Pin, ...]:
        return tuple(pin for pin in self.pins.values() if pin.direction == "output")

    @property
    def clock_pin(self) -> str | None:
        """The pin a flip-flop samples on."""
        return None if self.ff is None or self.ff.clocked_on is None else expression(self.ff.clocked_on).names[0]


@dataclass(frozen=True, eq=False)
class Library:
    """All cells at one corner, `voltage` in V."""

    name: str
    voltage: float
    cells: Mapping[str, Cell]
