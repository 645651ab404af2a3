"""A trained network with what made it, in memory and on disk; and where a training stands, so that it can go on."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor
from torch.optim import Optimizer

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.models import Architecture, network
from gatewright.sw.modules import QuantisedNetwork, export

HEADER = 8  # bytes of a safetensors file that say how long its header is
POSITION = "training."  # names of the tensors that say where a training stands


class Epoch(Noun):
    """What one pass over the training images gave: mean loss, and part of the validation images that the integers classify rightly."""

    epoch: int
    loss: float
    validation: float


class Practice(Noun):
    """How a network is trained, for however many epochs: Adam in batches of `batch`, with a rate that falls to zero along a cosine.

    The rate rises linearly over the first `warm_up` epochs. Training images are moved by up to `margin` pixels, and with `mirror` every
    second one is mirrored. precision: of convolutions in training; bfloat16 holds 8-bit codes exactly and rounds their sums. Evaluation is
    exact either way. device: "auto" is a CUDA device where there is one.
    """

    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.02, gt=0)
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
    warm_up: float = Field(default=0.0, ge=0)
    margin: int = Field(default=0, ge=0)
    mirror: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "cpu"


class Recipe(Practice):
    """A practice for `epochs` passes over the training images."""

    epochs: int = Field(default=15, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        if self.warm_up >= self.epochs:
            raise ValueError(f"warm_up must be less than the {self.epochs} epochs; got {self.warm_up:g}")
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained network with what made it."""

    architecture: Architecture
    recipe: Recipe
    dataset: str
    network: QuantisedNetwork
    history: tuple[Epoch, ...]

    def export(self) -> IntegerNetwork:
        """The network in integers."""
        return export(self.network)


def save(trained: Trained, path: Path, position: Mapping[str, Tensor] | None = None) -> None:
    """Write weights and statistics as safetensors, with what made them as JSON in its header; whole or not at all.

    position: tensors from which an unfinished training goes on (`Training.position`).
    """
    record = {
        "architecture": trained.architecture.to_json(),
        "recipe": trained.recipe.to_json(),
        "dataset": trained.dataset,
        "history": json.dumps([epoch.model_dump() for epoch in trained.history]),
    }
    write(path, record, dict(trained.network.state_dict()) | {POSITION + name: tensor for name, tensor in (position or {}).items()})


def write(path: Path, record: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file with a record and a hash of all of it; equal content is equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    whole(path, _sorted(serialised(tensors, {**record, "sha256": _digest(record, tensors)})))


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What `write` wrote. Raises BadInput for any other file, and for a damaged one."""
    try:
        with safe_open(path, framework="pt") as file:
            record = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        if record.pop("sha256") != _digest(record, tensors):
            raise BadInput(f"{path} is damaged: its content does not match the hash stored in it. Train again, or use a copy.")
    except (SafetensorError, KeyError, OSError) as error:
        raise BadInput(f"{path}: not a network that Gatewright trained ({error}).") from None
    return record, tensors


def whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a file of this name is replaced."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _sorted(data: bytes) -> bytes:
    """The same file, its metadata sorted: the library leaves their order to chance, and equal networks are to be equal files."""
    end = HEADER + int.from_bytes(data[:HEADER], "little")
    header = json.loads(data[HEADER:end])
    metadata = {"__metadata__": dict(sorted(header["__metadata__"].items()))}
    text = json.dumps(metadata | {name: header[name] for name in header if name not in metadata}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % HEADER)  # tensors begin at a multiple of it
    return len(text).to_bytes(HEADER, "little") + text + data[end:]


def load(path: Path) -> Trained:
    """Read what `save` wrote, in evaluation mode. Raises BadInput for any other file, and for a damaged one."""
    return load_position(path)[0]


def load_position(path: Path) -> tuple[Trained, dict[str, Tensor]]:
    """The same with the position, which is empty where none was saved."""
    record, tensors = read(path)
    try:
        architecture = Architecture.from_json(record["architecture"])
        model = network(architecture)
        position = {name.removeprefix(POSITION): tensors.pop(name) for name in [*tensors] if name.startswith(POSITION)}
        model.load_state_dict(tensors)
        model.eval()
        history = tuple(Epoch(**epoch) for epoch in json.loads(record["history"]))
        recipe, dataset = Recipe.from_json(record["recipe"]), record["dataset"]
    except (KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path}: not a network that Gatewright trained ({error}).") from None
    return Trained(architecture=architecture, recipe=recipe, dataset=dataset, network=model, history=history), position


def check_same(path: Path, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """Raises BadInput that names the first thing by which the training of a file is another than the wanted one."""
    for name in wanted:
        if wanted[name] != there[name]:
            raise BadInput(
                f"{path} is of a training with another {name}: {there[name]}; this one has {wanted[name]}. Give it a file of its own."
            )


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors, named by parameter: a part of a training's position."""
    return {f"optimiser.{i}.{name}": tensor for i, state in optimiser.state_dict()["state"].items() for name, tensor in state.items()}


def set_moments(optimiser: Optimizer, position: Mapping[str, Tensor]) -> None:
    """Give an optimiser the tensors of a position, on the devices of its parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in position.items():
        if key.startswith("optimiser."):
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _digest(record: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
