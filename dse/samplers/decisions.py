"""Parameters as decisions: every distribution of Optuna as a bounded number of tokens, and back.

Choices and grids (integers, floats with a step) of few values have a token for each value. Longer grids and continuous floats are cut into
bins, equally wide on the distribution's own scale, linear or logarithmic; a token then stands for all values of its bin.
"""

import math
from bisect import bisect_right

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalChoiceType, CategoricalDistribution, FloatDistribution, IntDistribution


class Decision:
    """A parameter of at most `bins` tokens, unless it is categorical. `count`: how many it has."""

    def __init__(self, distribution: BaseDistribution, bins: int) -> None:
        self.distribution = distribution
        self._edges: list[int] | list[float]  # of bins: on a grid, of places, the last one outside; else of values
        if isinstance(distribution, CategoricalDistribution):
            self._edges = list(range(len(distribution.choices) + 1))
        elif isinstance(distribution, FloatDistribution) and distribution.step is None:
            self._edges = _spread(distribution.low, distribution.high, distribution.log, bins)
        elif isinstance(distribution, IntDistribution) and distribution.log:
            self._edges = _spread_places(distribution.low, distribution.high, bins)
        elif isinstance(distribution, IntDistribution | FloatDistribution):
            places = round((distribution.high - distribution.low) / (distribution.step or 1)) + 1
            count = min(bins, places)
            self._edges = [token * places // count for token in range(count + 1)]
        else:
            raise TypeError(f"A controller knows no distribution {type(distribution).__name__}")
        self.count = len(self._edges) - 1

    def token(self, value: CategoricalChoiceType) -> int:
        """The token that stands for a value."""
        place = self.distribution.to_internal_repr(value)
        if isinstance(self.distribution, IntDistribution):
            place = (round(place) - self.distribution.low) // self.distribution.step
        elif isinstance(self.distribution, FloatDistribution) and self.distribution.step is not None:
            place = round((place - self.distribution.low) / self.distribution.step)
        return min(bisect_right(self._edges, place) - 1, self.count - 1)

    def value(self, token: int, draw: np.random.Generator) -> CategoricalChoiceType:
        """A value of the token's bin, all of them equally likely (on a logarithmic scale, if it is one of floats)."""
        low, high = self._edges[token], self._edges[token + 1]
        given = self.distribution
        if isinstance(given, FloatDistribution) and given.step is None:
            share = draw.random()
            value = low * (high / low) ** share if given.log else low + share * (high - low)
            inside = high if token == self.count - 1 else math.nextafter(high, low)
            return min(max(float(value), low), inside)
        place = int(draw.integers(int(low), int(high)))
        if isinstance(given, IntDistribution):
            return given.low + place * given.step
        if isinstance(given, FloatDistribution):
            return min(given.low + place * (given.step or 0.0), given.high)
        return given.to_external_repr(place)


def _spread(low: float, high: float, log: bool, bins: int) -> list[float]:
    """Edges of bins between two floats, fewer where they are so near that no float lies between."""
    if log:
        between = [low * (high / low) ** (token / bins) for token in range(1, bins)]
    else:
        between = [low + (high - low) * (token / bins) for token in range(1, bins)]
    return [low, *sorted({edge for edge in between if low < edge < high}), high]


def _spread_places(low: int, high: int, bins: int) -> list[int]:
    """Edges of bins of integers, equal on a logarithmic scale, except that every bin holds at least one: places counted from `low`."""
    places = high - low + 1
    count = min(bins, places)
    edges = [0]
    for token in range(1, count):
        edge = round(low * ((high + 1) / low) ** (token / count)) - low
        edges.append(min(max(edge, edges[-1] + 1), places - (count - token)))
    return [*edges, places]
