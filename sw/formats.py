"""The files MNIST, Fashion-MNIST and CIFAR-10 are published in, read with every count checked."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from gatewright.hw.errors import BadInput, Missing

CIFAR_RECORD = 1 + 3 * 32 * 32
Labelled = tuple[np.ndarray, np.ndarray]
"""Images uint8 [N, C, H, W] and labels int64 [N]."""


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


def idx(folder: Path, prefix: str, source: str) -> Labelled:
    """One part of an MNIST-like set, `prefix` being train or t10k, from its two files (raw or gzipped)."""
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte", source), 3)
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte", source), 1)
    return _paired(images[:, None], labels, folder)


def cifar10(folder: Path, names: tuple[str, ...], source: str) -> Labelled:
    """Several files of CIFAR-10's binary version: records of a label and the red, green and blue planes."""
    parts = []
    for name in names:
        path = _find(folder, name, source)
        content = _read(path)
        if not content or len(content) % CIFAR_RECORD:
            raise BadInput(
                f"{path}: CIFAR-10's binary files are whole records of {CIFAR_RECORD} bytes; got {len(content)} bytes. Download it again."
            )
        parts.append(np.frombuffer(content, dtype=np.uint8).reshape(-1, CIFAR_RECORD))
    records = np.concatenate(parts)
    return _paired(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0], folder)


def _find(folder: Path, name: str, source: str) -> Path:
    """The file, or its gzipped form."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise Missing(f"{name} (or {name}.gz) is not in {folder}. Get it from {source} and put it there.")


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path}: not a whole gzip file ({error}). Download it again.") from None


def _paired(images: np.ndarray, labels: np.ndarray, folder: Path) -> Labelled:
    if len(images) != len(labels):
        raise BadInput(f"{folder}: every image has a label; got {len(images)} images and {len(labels)} labels.")
    if labels.size and labels.max() > 9:
        raise BadInput(f"{folder}: labels go from 0 to 9; got {labels.max()}.")
    return images, labels.astype(np.int64)
