"""A small netlist made by hand, whose transitions can be told."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.sim.netlist import OPEN, Cells, Netlist
from gatewright.sim.technology import ihp130

TECHNOLOGY = ihp130()
LIBRARY = TECHNOLOGY.library
A, INVERTED, AND = 2, 3, 4


def nets(*rows: Any) -> NDArray[np.int32]:
    return np.array(rows, dtype=np.int32)


def hazard() -> Netlist:
    """y = a and not a: a pulse while the inverter has not answered yet."""
    cells = {
        "sg13g2_inv_1": Cells(("A", "Y"), nets([A, INVERTED]), nets(0)),
        "sg13g2_and2_1": Cells(("A", "B", "X"), nets([A, INVERTED, AND]), nets(0)),
    }
    return Netlist("hazard", 5, OPEN, {"a": nets(A)}, {"y": nets(AND)}, cells)
