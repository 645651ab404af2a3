"""How often a network is right, as its integers give it, with the interval that the number of images allows."""

import math
from collections.abc import Callable

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw import golden
from gatewright.sw.data import Split, encode
from gatewright.sw.integer import IntegerNetwork

Z = 1.959964  # 95% of a normal distribution lie within so many deviations
BATCH = 250  # images at a time, so that memory stays small


class Accuracy(Noun):
    """Part of `n` images classified rightly, with the 95% Wilson score interval `low`..`high`."""

    value: float
    n: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f}% (n = {self.n}, 95% interval {100 * self.low:.1f}..{100 * self.high:.1f}%)"


def wilson(right: int, n: int) -> Accuracy:
    """The score interval of `right` successes in `n` (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    if not 0 <= right <= n or n < 1:
        raise BadInput(f"an accuracy needs 0 <= right <= n and n >= 1; got {right} of {n}.")
    z = Z
    centre = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return Accuracy(value=right / n, n=n, low=max(0.0, centre - half), high=min(1.0, centre + half))


def below(one: Accuracy, other: Accuracy) -> bool:
    """Whether an accuracy is below another by more than chance explains, at 95%: the z test of two proportions (lenient where
    both are of the same images)."""
    both = (one.value * one.n + other.value * other.n) / (one.n + other.n)
    deviation = math.sqrt(both * (1 - both) * (1 / one.n + 1 / other.n))
    return other.value - one.value > Z * deviation


def accuracy(integers: IntegerNetwork, split: Split, maximum: int, advance: Callable[[], None] | None = None) -> Accuracy:
    """Accuracy of the golden model on images, the only kind that is reported. advance: called after every `BATCH` of images."""
    right = 0
    for start in range(0, len(split), BATCH):
        part = split.take(slice(start, start + BATCH))
        codes = encode(integers.layers[0].layer.operator, part.images, maximum)
        right += int((golden.classify(integers, codes) == part.labels).sum())
        if advance:
            advance()
    return wilson(right, len(split))
