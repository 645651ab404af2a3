"""Systems of equations for unit costs: non-negative least squares, errors counted relative to what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from gatewright.dse.features import Features

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class System:
    """Equations of one family and one unit cost as a matrix [equations, features]; the rest by equation, as in `Rows`.

    `owner`: which measurement an equation is of.
    """

    names: tuple[str, ...]
    matrix: Floats
    measured: Floats
    scale: Floats
    weights: Floats
    circuits: NDArray[np.str_]
    owner: NDArray[np.int64]

    def without(self, measurement: int) -> "System":
        """The equations of all other measurements, numbered as those that are left."""
        others = self.owner != measurement
        measured, scale, weights, circuits, owner = (
            column[others] for column in (self.measured, self.scale, self.weights, self.circuits, self.owner)
        )
        return System(self.names, self.matrix[others], measured, scale, weights, circuits, owner - (owner > measurement))

    def solve(self, ridge: float = 0.0, prior: Features | None = None) -> Features:
        """Unit costs by feature, none below zero, drawn by `ridge` to those of `prior` (else to zero)."""
        if not self.names or not len(self.measured):
            return {}
        weight = self.weights / self.scale
        matrix, target = self.matrix * weight[:, None], self.measured * weight
        size = np.sqrt((matrix**2).sum(axis=0))
        size[size == 0] = 1.0
        matrix = np.concatenate([matrix / size, ridge**0.5 * np.eye(len(size))])
        before = np.array([(prior or {}).get(name, 0.0) for name in self.names]) * size * ridge**0.5
        found, _ = nnls(matrix, np.concatenate([target, before]))
        return dict(zip(self.names, (found / size).tolist(), strict=True))

    def ratios(self, costs: Features, doubt: float) -> dict[str, float]:
        """Measured over predicted of each circuit, the family counting as `doubt` equations."""
        predicted = self.matrix @ np.array([costs.get(name, 0.0) for name in self.names]) / self.scale
        measured, found = self.measured / self.scale, {}
        for circuit in sorted({*self.circuits.tolist()} - {""}):
            mine = (self.circuits == circuit) & (predicted > 0)
            if mine.any():
                weights, prior = self.weights[mine], doubt * predicted[mine].mean()
                found[circuit] = float((measured[mine] @ weights + prior) / (predicted[mine] @ weights + prior))
        return found


@dataclass
class Rows:
    """Equations of one family and one unit cost: features, what was measured, the scale an error is relative to, whose circuit it was, and
    how much the equation weighs."""

    features: list[Features] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    circuits: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, features: Features, measured: float, scale: float, circuit: str = "", weight: float = 1.0) -> None:
        self.features.append(features)
        self.measured.append(measured)
        self.scale.append(scale)
        self.circuits.append(circuit)
        self.weights.append(weight)

    def system(self, owner: int = 0) -> System:
        """All that was added, as measurement `owner` tells it."""
        names = tuple(sorted({name for row in self.features for name in row}))
        matrix = np.array([[row.get(name, 0.0) for name in names] for row in self.features]).reshape(len(self.features), len(names))
        measured, scale, weights = map(np.array, (self.measured, self.scale, self.weights))
        return System(names, matrix, measured, scale, weights, np.array(self.circuits), np.full(len(measured), owner))


def joined(many: Sequence[System]) -> System:
    """The equations of several systems together."""
    names = tuple(sorted({name for system in many for name in system.names}))
    place = {name: i for i, name in enumerate(names)}
    matrix, start = np.zeros((sum(len(system.measured) for system in many), len(names))), 0
    for system in many:
        stop = start + len(system.measured)
        matrix[start:stop, [place[name] for name in system.names]] = system.matrix
        start = stop
    columns = [[getattr(system, name) for system in many] for name in ("measured", "scale", "weights", "circuits", "owner")]
    return System(names, matrix, *map(np.concatenate, columns))


def dot(features: Features, costs: Features) -> float:
    return sum(value * costs.get(name, 0.0) for name, value in features.items())
