"""Data sets from their publishers' formats (tiny files written here), splits, and what is said of missing or damaged files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from gatewright.hw.config import integer, stochastic, xnor
from gatewright.hw.errors import BadInput, Missing
from gatewright.sw.data import encode, load, stratified


def write_idx(path: Path, array: np.ndarray, compress: bool) -> None:
    content = struct.pack(">I", 0x0800 | array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path = path.with_name(path.name + ".gz") if compress else path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content) if compress else content)


def write_mnist(folder: Path, compress: bool, train: int = 60, test: int = 7) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    written = {}
    for prefix, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images, compress)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels, compress)
        written[prefix] = images, labels
    return written


def write_cifar(folder: Path) -> np.ndarray:
    folder.mkdir()
    rng = np.random.default_rng(0)
    records = rng.integers(0, 256, (60, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(60) % 10
    for n in range(5):
        (folder / f"data_batch_{n + 1}.bin").write_bytes(records[10 * n : 10 * n + 10].tobytes())
    (folder / "test_batch.bin").write_bytes(records[50:].tobytes())
    return records


def test_digits_are_split_for_good() -> None:
    dataset = load("digits")
    test = dataset.test()
    assert dataset.shape == (1, 8, 8)
    assert (len(dataset.train), len(dataset.validation), len(test)) == (997, 300, 500)
    assert int(dataset.train.images.max()) == dataset.maximum == 16
    for part in (dataset.train, dataset.validation, test):
        counts = np.bincount(part.labels)
        assert counts.max() - counts.min() <= 0.03 * len(part)
    # Pinned: the split may never drift, for accuracies of different versions are compared on it.
    fingerprints = [int((part.labels * np.arange(1, len(part) + 1)).sum()) for part in (dataset.train, dataset.validation, test)]
    assert fingerprints == [2240233, 202490, 565437]


def test_digits_are_disjoint_and_whole() -> None:
    dataset = load("digits")
    parts = [dataset.train, dataset.validation, dataset.test()]
    assert sum(int(part.images.astype(np.int64).sum()) for part in parts) == 561718


def test_stratified_parts_are_disjoint_and_proportional() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    parts = stratified(labels, (60, 25, 15), seed=3)
    assert np.unique(np.concatenate(parts)).size == 100
    for part, counts in zip(parts, ([30, 18, 12], [12.5, 7.5, 5], [7.5, 4.5, 3]), strict=True):
        assert np.abs(np.bincount(labels[part]) - counts).max() <= 1
    with pytest.raises(BadInput, match="need 101 images; there are 100"):
        stratified(labels, (101,))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(("name", "subfolder"), [("mnist", "mnist"), ("fashion_mnist", "fashion-mnist")])
def test_mnist_files(tmp_path: Path, name: str, subfolder: str, compress: bool) -> None:
    written = write_mnist(tmp_path / subfolder, compress)
    dataset = load(name, tmp_path, validation=20)
    assert dataset.shape == (1, 28, 28)
    assert dataset.maximum == 255
    assert (len(dataset.train), len(dataset.validation)) == (40, 20)
    np.testing.assert_array_equal(np.bincount(dataset.validation.labels), np.full(10, 2))
    np.testing.assert_array_equal(dataset.test().images[:, 0], written["t10k"][0])
    np.testing.assert_array_equal(dataset.test().labels, written["t10k"][1])
    together = {image.tobytes() for part in (dataset.train, dataset.validation) for image in part.images}
    assert together == {image.tobytes() for image in written["train"][0]}


def test_cifar_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = write_cifar(tmp_path / "cifar-10-batches-bin")
    monkeypatch.setenv("GATEWRIGHT_DATA", str(tmp_path))
    dataset = load("cifar10", validation=10)
    assert dataset.shape == (3, 32, 32)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test())) == (40, 10, 10)
    assert dataset.test().images[3, 1, 2, 5] == records[53, 1 + 1024 + 2 * 32 + 5]  # the second plane is green, rows first


def test_the_validation_split_is_the_same_every_time(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", True)
    first, second = load("mnist", tmp_path, 20), load("mnist", tmp_path, 20)
    np.testing.assert_array_equal(first.validation.images, second.validation.images)


def test_test_images_are_read_only_when_asked(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", False)
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte").unlink()
    dataset = load("mnist", tmp_path, 20)
    with pytest.raises(Missing, match="t10k-images-idx3-ubyte"):
        dataset.test()


def test_missing_files_name_file_folder_and_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Missing) as caught:
        load("cifar10", tmp_path)
    for part in ("data_batch_1.bin", str(tmp_path / "cifar-10-batches-bin"), "https://www.cs.toronto.edu/~kriz/cifar.html"):
        assert part in str(caught.value)
    assert caught.value.exit_status == 3
    monkeypatch.delenv("GATEWRIGHT_DATA", raising=False)
    with pytest.raises(Missing, match="set GATEWRIGHT_DATA to the folder that holds mnist/"):
        load("mnist")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BadInput, match="dataset must be one of digits, mnist, fashion_mnist, cifar10; got 'imagenet'"):
        load("imagenet")


def test_too_large_a_validation_part_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", False)
    with pytest.raises(BadInput, match="validation must be from 1 to 59, less than the training images; got 5000"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "has 47056 bytes; got 47055"),
        (lambda content: content + b"x", "has 47056 bytes; got 47057"),
        (lambda content: b"\0\0\x08\x01" + content[4:], "starts with 0x00000803; got 0x00000801"),
        (lambda content: b"", "starts with 0x00000803; got 0x"),
    ],
    ids=["truncated", "too long", "magic", "empty"],
)
def test_damaged_idx_files(tmp_path: Path, damage, message: str) -> None:
    write_mnist(tmp_path / "mnist", False)
    path = tmp_path / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=message):
        load("mnist", tmp_path)


def test_damaged_gzip_files(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", True)
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    for content in (path.read_bytes()[:-100], b"plain"):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="not a whole gzip file"):
            load("mnist", tmp_path)


def test_damaged_pairs(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", False)
    path = tmp_path / "mnist" / "train-labels-idx1-ubyte"
    write_idx(path, np.zeros(59, dtype=np.uint8), False)
    with pytest.raises(BadInput, match="60 images and 59 labels"):
        load("mnist", tmp_path)
    write_idx(path, np.full(60, 10, dtype=np.uint8), False)
    with pytest.raises(BadInput, match="labels go from 0 to 9; got 10"):
        load("mnist", tmp_path)


def test_damaged_cifar_files(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin")
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadInput, match="whole records of 3073 bytes; got 30725 bytes"):
        load("cifar10", tmp_path)


def test_encoding() -> None:
    pixels = np.array([0, 1, 7, 8, 15, 16], dtype=np.uint8)
    assert encode(integer(8), pixels, 16).tolist() == [0, 16, 112, 128, 239, 255]
    assert encode(integer(4, 2), pixels, 16).tolist() == [0, 0, 1, 2, 3, 3]
    assert encode(xnor(), pixels, 16).tolist() == [0, 0, 0, 1, 1, 1]
    assert encode(stochastic(64, "bipolar"), pixels, 16).tolist() == [0, 8, 56, 64, 119, 127]
    everything = np.arange(256, dtype=np.uint8)
    assert encode(integer(8), everything, 255).tolist() == list(range(256))
    with pytest.raises(BadInput, match="pixels go from 0 to 16; got 17"):
        encode(integer(8), np.array([17], dtype=np.uint8), 16)
