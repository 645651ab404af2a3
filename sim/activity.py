"""How likely each state of a cell's pins is, from the toggles and high counts of its nets.

Pins are taken as independent, with two exceptions that matter. An output is the function of its inputs. A flip-flop's next state
differs from its state exactly as often as the state toggles: of a register that never changes, every clock edge finds data and
state equal, however often both are high.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from gatewright.sim.boolean import ONE, ZERO, Expression, expression
from gatewright.sim.cells import Cell
from gatewright.sim.liberty_syntax import Floats


@dataclass(frozen=True, eq=False)
class CellActivity:
    """Per pin of one type of cell, for every instance: probability of being high (`high`) and toggles a cycle (`rate`)."""

    cell: Cell
    high: Mapping[str, Floats]
    rate: Mapping[str, Floats]

    def probability(self, when: Expression, fixed: Mapping[str, float] | None = None) -> Floats:
        """Probability of `when`, with the probability of some pins given instead of observed."""
        high = {**self.high, **{name: np.float64(value) for name, value in (fixed or {}).items()}}
        total = np.zeros(self._size)
        for weight, terms in self._cases:
            total = total + weight * when.substitute(terms).probability(high)
        return total

    @property
    def _size(self) -> int:
        return len(next(iter(self.high.values())))

    @cached_property
    def _cases(self) -> list[tuple[Floats, dict[str, Expression]]]:
        """Joint probabilities of the dependent pins: (probability, what those pins then are)."""
        outputs = {pin.name: pin.expression for pin in self.cell.outputs if pin.expression is not None}
        if self.cell.ff is None:
            return [(np.ones(self._size), outputs)]
        return list(self._flip_flop(outputs))

    def _flip_flop(self, outputs: Mapping[str, Expression]) -> Iterator[tuple[Floats, dict[str, Expression]]]:
        assert self.cell.ff is not None
        names = self.cell.ff.names
        state, toggles = self._state(outputs)
        data = expression(self.cell.ff.next_state or "0")
        follows = len(data.names) == 1  # data is one pin, perhaps inverted: not behind a scan or enable multiplexer
        for now, after in product((0, 1), repeat=2):
            held = np.maximum((state if now else 1.0 - state) - toggles / 2, 0.0)
            weight = held if now == after else toggles / 2
            constants = dict(zip(names, (ONE, ZERO) if now else (ZERO, ONE), strict=False))
            terms = {pin: function.substitute(constants) for pin, function in outputs.items()}
            if follows:
                terms[data.names[0]] = ONE if data.evaluate({data.names[0]: 1}) == after else ZERO
            yield weight, terms

    def _state(self, outputs: Mapping[str, Expression]) -> tuple[Floats, Floats]:
        """Probability that the state is 1, and its toggles a cycle, seen at the first output that is connected."""
        assert self.cell.ff is not None
        state, inverse = (*self.cell.ff.names, "")[:2]
        for pin, function in outputs.items():
            if pin in self.high and set(function.names) <= {state, inverse}:
                upright = function.evaluate({state: 1, inverse: 0})
                high = self.high[pin] if upright else 1.0 - self.high[pin]
                return high, np.minimum(self.rate[pin], 2 * np.minimum(high, 1.0 - high))
        return np.full(self._size, 0.5), np.zeros(self._size)
