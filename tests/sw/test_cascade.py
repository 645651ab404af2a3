"""Thresholds of two-pass classification against brute force, and what a threshold is worth."""

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sw.cascade import choose, classify, margins, passes

CLASSES = 7


def draw(seed: int, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of a noisy and of a better network, and labels. Small integers: ties of logits and of margins are frequent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images)
    ideal = 6 * np.eye(CLASSES)[labels]
    noise = rng.normal(size=(2, images, CLASSES)) * np.array([3.5, 1.8])[:, None, None]
    first, second = np.rint(ideal + noise).astype(np.int64)
    return first, second, labels


def by_hand(first: np.ndarray, second: np.ndarray, labels: np.ndarray, threshold: int) -> tuple[int, int]:
    """How many images are right and how many go on, one image at a time."""
    right = on = 0
    for one, two, label in zip(first.tolist(), second.tolist(), labels.tolist(), strict=True):
        best = one.index(max(one))
        rest = one[:best] + one[best + 1 :]
        if one[best] - max(rest) < threshold:
            on += 1
            best = two.index(max(two))
        right += best == label
    return right, on


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0, 1, 3, 40])
def test_passes_are_those_of_one_image_after_the_other(seed: int, threshold: int) -> None:
    first, second, labels = draw(seed, 50)
    found = passes(first, second, labels, threshold)
    right, on = by_hand(first, second, labels, threshold)
    assert (found.accuracy.value, found.second, found.part) == (right / 50, on, on / 50)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("wanted", [None, 0.5, 0.75])
def test_the_threshold_is_the_least_that_reaches_what_is_wanted(seed: int, wanted: float | None) -> None:
    first, second, labels = draw(seed, 60)
    least = int((second.argmax(1) == labels).sum()) if wanted is None else wanted * 60
    every = [by_hand(first, second, labels, threshold) for threshold in range(60)]
    enough = [threshold for threshold, (right, _) in enumerate(every) if right >= least]
    found = choose(first, second, labels, wanted)
    assert found.threshold == enough[0]
    assert found.second == every[enough[0]][1] == min(every[threshold][1] for threshold in enough)


def test_the_extremes_are_each_network_alone() -> None:
    first, second, labels = draw(3, 80)
    np.testing.assert_array_equal(classify(first, second, 0), first.argmax(1))
    np.testing.assert_array_equal(classify(first, second, int(margins(first).max()) + 1), second.argmax(1))
    assert choose(second, second, labels).threshold == 0


def test_more_than_any_threshold_reaches_is_refused() -> None:
    first, second, labels = draw(1, 40)
    with pytest.raises(BadInput, match=r"Of all thresholds the best gives 0\.\d{4} on these 40 images; 1\.0100 is wanted"):
        choose(first, second, labels, 1.01)


def test_shuffled_margins_are_worth_nothing() -> None:
    """The negative control: as many images go on, but not those that the first network is unsure of."""
    first, second, labels = draw(9, 4000)
    found = choose(first, second, labels)
    assert 0.1 < found.part < 0.9
    on = np.random.default_rng(0).permutation(margins(first) < found.threshold)
    shuffled = (np.where(on, second.argmax(1), first.argmax(1)) == labels).mean()
    alone, better = (first.argmax(1) == labels).mean(), (second.argmax(1) == labels).mean()
    assert found.accuracy.value >= better > alone + 0.1
    assert abs(shuffled - (alone + found.part * (better - alone))) < 0.02  # as if coins decided
    assert shuffled < found.accuracy.value - 0.02
