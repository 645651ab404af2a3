"""Where a fault of a circuit cannot change an output: cheap, however large the circuit is.

Bit by bit backwards from the outputs, through registers and memories, over the cells of Yosys's word-level netlist. Adders carry upwards
only, and multiplexers and logic keep bits apart; of any other cell every output bit depends on every input bit.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_BITWISE = {"$and", "$or", "$xor", "$xnor", "$not", "$pos", "$mux", "$pmux", "$bwmux"}
_CARRYING = {"$add", "$sub", "$mul", "$neg"}
_REGISTERS = {"$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe"}
Place = tuple[str, str, int]  # cell, port and bit


class Reach:
    """The places (cell, port, bit) of a netlist, as `write_json` gives it, from which an output can be reached: `places`."""

    def __init__(self, netlist: str, top: str) -> None:
        module = json.loads(netlist)["modules"][top]
        self._cells: Mapping[str, Any] = module["cells"]
        self._drivers = {bit: place for place in self._places("output") if isinstance(bit := self._bit(place), int)}
        ports = module["ports"].values()
        self.places: set[Place] = set()
        waiting = [bit for port in ports if port["direction"] == "output" for bit in port["bits"] if isinstance(bit, int)]
        seen = set(waiting)
        while waiting:
            if (place := self._drivers.get(waiting.pop())) is None:
                continue  # an input
            self.places.add(place)
            for source in self._sources(place):
                self.places.add(source)
                if isinstance(bit := self._bit(source), int) and bit not in seen:
                    seen.add(bit)
                    waiting.append(bit)

    def harmless(self, mode: str, place: Place) -> bool:
        """Whether no output depends on the place, or Yosys's mutation `mode` gives it the constant it has, or it may have any value."""
        return place not in self.places or self._bit(place) in ("x", mode.removeprefix("const"))

    def _places(self, direction: str) -> Iterator[Place]:
        for name, cell in self._cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == direction:
                    yield from ((name, port, i) for i in range(len(bits)))

    def _bit(self, place: Place) -> int | str:
        name, port, i = place
        bit: int | str = self._cells[name]["connections"][port][i]
        return bit

    def _sources(self, place: Place) -> Iterator[Place]:
        """The cell's input bits on which its output bit depends."""
        name, _, i = place
        cell = self._cells[name]
        width = len(cell["connections"].get("Y", cell["connections"].get("Q", [])))
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                yield from ((name, port, j) for j in range(len(bits)) if _depends(cell["type"], port, i, j, len(bits), width))


def _depends(kind: str, port: str, i: int, j: int, size: int, width: int) -> bool:
    """Whether output bit `i` of `width` may depend on bit `j` of the input `port` of `size` bits."""
    if kind in _BITWISE and port in ("A", "B"):
        if kind == "$pmux" and port == "B":
            return j % width == i
        return j == i or (size < width and j == size - 1 < i)  # extended by its sign
    if kind in _CARRYING and port in ("A", "B"):
        return j <= i
    if kind in _REGISTERS and port == "D":
        return j == i
    return True
