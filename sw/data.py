"""Images to train and test on: scikit-learn's digits, and MNIST, Fashion-MNIST and CIFAR-10 in their publishers' own files."""

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput, Missing

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
    """Images uint8 of any shape as activation codes of a first layer, int64: pixel / maximum of the greatest code, rounded.

    One bit is 1 from half of the maximum upwards. Signed formats use the codes from zero up, so that padding stays black.
    """
    top = operator.activation_range[1]
    return (2 * images.astype(np.int64) * top + maximum) // (2 * maximum)


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


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of unsigned bytes (LeCun's format, gzipped if it is named .gz), uint8 of `dimensions` dimensions."""
    content = _read(path)
    magic = 0x0800 | dimensions
    header = 4 + 4 * dimensions
    if len(content) < header or struct.unpack(">I", content[:4])[0] != magic:
        raise BadInput(f"{path}: an IDX file of {dimensions} dimensions starts with {magic:#010x}; got 0x{content[:4].hex()}.")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected = header + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise BadInput(f"{path}: a file of shape {shape} has {expected} bytes; got {len(content)}. Download it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def idx_split(folder: Path, prefix: str, source: str) -> Split:
    """The images and labels of one part of an MNIST-like set, `prefix` being train or t10k."""
    images = read_idx(_find(folder, [f"{prefix}-images-idx3-ubyte", f"{prefix}-images-idx3-ubyte.gz"], source), 3)
    labels = read_idx(_find(folder, [f"{prefix}-labels-idx1-ubyte", f"{prefix}-labels-idx1-ubyte.gz"], source), 1)
    return _paired(images[:, None], labels, folder)


CIFAR_RECORD = 1 + 3 * 32 * 32


def read_cifar(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 3, 32, 32] and labels of one file of CIFAR-10's binary version."""
    content = _read(path)
    if not content or len(content) % CIFAR_RECORD:
        raise BadInput(f"{path}: CIFAR-10's binary files are whole records of {CIFAR_RECORD} bytes; got {len(content)} bytes.")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, CIFAR_RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def cifar_split(folder: Path, names: list[str], source: str) -> Split:
    """The images and labels of several files of CIFAR-10's binary version."""
    parts = [read_cifar(_find(folder, [name], source)) for name in names]
    return _paired(np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts]), folder)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set read from files: its folder below the data folder, where it comes from, and how a part of it is read."""

    folder: str
    source: str
    validation: int
    train: Callable[[Path, str], Split]
    test: Callable[[Path, str], Split]


def _train_idx(folder: Path, source: str) -> Split:
    return idx_split(folder, "train", source)


def _test_idx(folder: Path, source: str) -> Split:
    return idx_split(folder, "t10k", source)


PUBLISHED = {
    "mnist": Published(
        folder="mnist", source="https://ossci-datasets.s3.amazonaws.com/mnist/", validation=5000, train=_train_idx, test=_test_idx
    ),
    "fashion_mnist": Published(
        folder="fashion-mnist",
        source="https://github.com/zalandoresearch/fashion-mnist, or the Debian package dataset-fashion-mnist",
        validation=5000,
        train=_train_idx,
        test=_test_idx,
    ),
    "cifar10": Published(
        folder="cifar-10-batches-bin",
        source="https://www.cs.toronto.edu/~kriz/cifar.html (CIFAR-10 binary version)",
        validation=5000,
        train=lambda folder, source: cifar_split(folder, [f"data_batch_{n}.bin" for n in range(1, 6)], source),
        test=lambda folder, source: cifar_split(folder, ["test_batch.bin"], source),
    ),
}

NAMES = ("digits", *PUBLISHED)


def load(name: str, folder: str | Path | None = None, validation: int | None = None) -> Dataset:
    """A data set by name, one of `NAMES`. Published sets are read from `folder` (default: the environment's GATEWRIGHT_DATA).

    validation: how many training images are set aside, drawn stratified with a fixed seed (default 5000).
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
            f"{name} is read from a data folder, and none is named: set GATEWRIGHT_DATA to the folder that holds "
            f"{published.folder}/. It comes from {published.source}."
        )
    place = Path(root) / published.folder
    whole = published.train(place, published.source)
    kept = published.validation if validation is None else validation
    chosen, held_out = stratified(whole.labels, (len(whole) - kept, kept)) if len(whole) > kept else _too_few(name, len(whole), kept)
    return Dataset(
        name=name,
        classes=10,
        maximum=255,
        train=whole.take(chosen),
        validation=whole.take(held_out),
        read_test=lambda: published.test(place, published.source),
    )


def _too_few(name: str, images: int, validation: int) -> list[np.ndarray]:
    raise BadInput(f"{name}: validation must be less than the {images} training images; got {validation}.")


def _find(folder: Path, names: list[str], source: str) -> Path:
    """The first of the files that exists."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise Missing(f"{' or '.join(names)} is not in {folder}. Download it from {source} and put it there.")


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path}: not a whole gzip file ({error}). Download it again.") from None


def _paired(images: np.ndarray, labels: np.ndarray, folder: Path) -> Split:
    if len(images) != len(labels):
        raise BadInput(f"{folder}: every image has a label; got {len(images)} images and {len(labels)} labels.")
    if labels.size and labels.max() > 9:
        raise BadInput(f"{folder}: labels go from 0 to 9; got {labels.max()}.")
    return Split(images=images, labels=labels.astype(np.int64))
