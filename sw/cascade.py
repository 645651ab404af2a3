"""Two-pass classification: a cheap network sees every image, an accurate one those between whose greatest logits the margin is small.

Decisions come from integer logits, the golden model's, hence the circuits': the host that takes the greatest logit of an image also
takes the second greatest. Logits of one network have one scale for all classes and images, so one threshold serves them all.
"""

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw import golden
from gatewright.sw.accuracy import BATCH, Accuracy, wilson
from gatewright.sw.data import Split, encode
from gatewright.sw.integer import IntegerNetwork


class Passes(Noun):
    """What a threshold gives on some images: `second` of them, whose margin is below it, went through the second network too."""

    threshold: int
    second: int
    accuracy: Accuracy

    @property
    def part(self) -> float:
        """The part of the images that went through both networks."""
        return self.second / self.accuracy.n


def logits(network: IntegerNetwork, split: Split, maximum: int) -> np.ndarray:
    """The golden model's logits, int64 [N, classes]."""
    operator = network.layers[0].layer.operator
    parts = [split.images[start : start + BATCH] for start in range(0, len(split), BATCH)]
    return np.concatenate([golden.forward(network, encode(operator, part, maximum))[-1].reshape(len(part), -1) for part in parts])


def margins(first: np.ndarray) -> np.ndarray:
    """The greatest logit less the second greatest, int64 [N], of logits [N, classes]."""
    ordered = np.sort(first, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def classify(first: np.ndarray, second: np.ndarray, threshold: int) -> np.ndarray:
    """The class of each image, int64 [N], from both networks' logits [N, classes]: the second's where the first's margin is below."""
    return np.where(margins(first) < threshold, second.argmax(axis=1), first.argmax(axis=1))


def passes(first: np.ndarray, second: np.ndarray, labels: np.ndarray, threshold: int) -> Passes:
    """What a threshold gives, from both networks' logits [N, classes] of the same images and their labels [N]."""
    right = int((classify(first, second, threshold) == labels).sum())
    return Passes(threshold=threshold, second=int((margins(first) < threshold).sum()), accuracy=wilson(right, len(labels)))


def choose(first: np.ndarray, second: np.ndarray, labels: np.ndarray, wanted: float | None = None) -> Passes:
    """The least threshold, hence the least expected energy, that reaches an accuracy on these images: by default the second network's.

    Of the thresholds that treat these images alike it is the least. Raises BadInput where no threshold reaches what is wanted.
    """
    found = margins(first)
    thresholds = np.concatenate([[0], np.unique(found) + 1])
    order = np.argsort(found, kind="stable")
    before, after = (logits.argmax(axis=1) == labels for logits in (first, second))
    gains = np.cumsum((after.astype(np.int64) - before)[order])  # more images right, the k + 1 least clear ones gone on
    counts = np.searchsorted(found[order], thresholds)  # how many go on
    right = before.sum() + np.concatenate([[0], gains])[counts]
    least = int(after.sum()) if wanted is None else wanted * len(labels)
    enough = np.flatnonzero(right >= least - 1e-9)
    if not len(enough):
        raise BadInput(
            f"Of all thresholds the best gives {right.max() / len(labels):.4f} on these {len(labels)} images; {wanted:.4f} is wanted. "
            "Take a second network that is more accurate, or want less."
        )
    return passes(first, second, labels, int(thresholds[enough[0]]))
