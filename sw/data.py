"""Images to train and test on: scikit-learn's digits, and MNIST, Fashion-MNIST and CIFAR-10 in their publishers' own files."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput, Missing
from gatewright.sw.formats import Labelled, cifar10, idx

SPLIT_SEED = 20260101  # fixed for good: a split is part of a data set's definition


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """images: uint8 [N, C, H, W]; labels: int64 [N]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray | slice) -> "Split":
        """Some of the images, in the order of `indices`."""
        return Split(images=self.images[indices], labels=self.labels[indices])


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Training and validation images; the test images are read only when `test()` asks for them.

    maximum: the greatest value a pixel can have.
    """

    name: str
    classes: int
    maximum: int
    train: Split
    validation: Split
    read_test: Callable[[], Split] = field(repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def test(self) -> Split:
        """The test images, once the network is final."""
        return self.read_test()


def encode(operator: Operator, images: np.ndarray, maximum: int) -> np.ndarray:
    """Images uint8 of any shape as activation codes of a first layer, int16: pixel / maximum of the greatest code, rounded.

    One bit is 1 from half of the maximum upwards. Signed formats use the codes from zero up, so that padding stays black.
    """
    if images.size and images.max() > maximum:
        raise BadInput(f"pixels go from 0 to {maximum}; got {images.max()}.")
    top = operator.activation_range[1]
    codes = (2 * np.arange(maximum + 1) * top + maximum) // (2 * maximum)
    return codes.astype(np.int16)[images]


def stratified(labels: np.ndarray, sizes: tuple[int, ...], seed: int = SPLIT_SEED) -> list[np.ndarray]:
    """Disjoint index sets of the given sizes, each with the classes in proportion (to within one image a class), sorted."""
    if sum(sizes) > len(labels):
        raise BadInput(f"the parts {sizes} need {sum(sizes)} images; there are {len(labels)}.")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    # Sorting every image by its rank within its class, as a fraction, interleaves the classes evenly: any run of it is stratified.
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    order = np.argsort(position, kind="stable")
    ends = np.cumsum(sizes)
    return [np.sort(order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def digits() -> Dataset:
    """Handwritten digits, 8 x 8, pixels 0..16, shipped with scikit-learn: 997 to train, 300 to validate, 500 to test."""
    from sklearn.datasets import load_digits  # a second to import, needed here only

    pixels, labels = load_digits(return_X_y=True)
    whole = Split(images=pixels.astype(np.uint8).reshape(-1, 1, 8, 8), labels=labels.astype(np.int64))
    train, validation, test = stratified(whole.labels, (997, 300, 500))
    return Dataset(
        name="digits",
        classes=10,
        maximum=16,
        train=whole.take(train),
        validation=whole.take(validation),
        read_test=lambda: whole.take(test),
    )


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set read from files: its folder below the data folder, where it comes from, and how its two parts are read."""

    folder: str
    source: str
    train: Callable[[Path, str], Labelled]
    test: Callable[[Path, str], Labelled]


def _idx_set(folder: str, source: str) -> Published:
    return Published(
        folder=folder,
        source=source,
        train=lambda place, source: idx(place, "train", source),
        test=lambda place, source: idx(place, "t10k", source),
    )


PUBLISHED = {
    "mnist": _idx_set("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
    "fashion_mnist": _idx_set(
        "fashion-mnist", "https://github.com/zalandoresearch/fashion-mnist or the Debian package dataset-fashion-mnist"
    ),
    "cifar10": Published(
        folder="cifar-10-batches-bin",
        source="https://www.cs.toronto.edu/~kriz/cifar.html (CIFAR-10 binary version)",
        train=lambda place, source: cifar10(place, tuple(f"data_batch_{n}.bin" for n in range(1, 6)), source),
        test=lambda place, source: cifar10(place, ("test_batch.bin",), source),
    ),
}

NAMES = ("digits", *PUBLISHED)


def load(name: str, folder: str | Path | None = None, validation: int = 5000) -> Dataset:
    """A data set by name, one of `NAMES`. Published sets are read from `folder` (default: the environment's GATEWRIGHT_DATA).

    validation: how many training images of a published set are set aside, drawn stratified with a fixed seed.
    Raises Missing where a file is not there and BadInput where one is malformed.
    """
    if name == "digits":
        return digits()
    if name not in PUBLISHED:
        raise BadInput(f"dataset must be one of {', '.join(NAMES)}; got {name!r}.")
    published = PUBLISHED[name]
    root = folder or os.environ.get("GATEWRIGHT_DATA")
    if not root:
        raise Missing(
            f"{name} is read from files in a data folder, and none is named: set GATEWRIGHT_DATA to the folder that holds "
            f"{published.folder}/. The files come from {published.source}."
        )
    place = Path(root) / published.folder
    whole = _split(published.train(place, published.source))
    if not 0 < validation < len(whole):
        raise BadInput(f"{name}: validation must be from 1 to {len(whole) - 1}, less than the training images; got {validation}.")
    train, held_out = stratified(whole.labels, (len(whole) - validation, validation))
    return Dataset(
        name=name,
        classes=10,
        maximum=255,
        train=whole.take(train),
        validation=whole.take(held_out),
        read_test=lambda: _split(published.test(place, published.source)),
    )


def _split(part: Labelled) -> Split:
    return Split(images=part[0], labels=part[1])
