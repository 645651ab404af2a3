"""A trained network with what made it, in memory and on disk."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.models import Architecture, network
from gatewright.sw.modules import QuantisedNetwork, export


class Epoch(Noun):
    """What one pass over the training images gave: mean loss, and part of the validation images that the integers classify rightly."""

    epoch: int
    loss: float
    validation: float


class Recipe(Noun):
    """How a network is trained: Adam with a cosine from `learning_rate` to zero, `epochs` passes in batches of `batch`."""

    epochs: int = Field(default=15, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.02, gt=0)
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)


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


def save(trained: Trained, path: Path) -> None:
    """Write weights and statistics as safetensors, with what made them as JSON in its header; whole or not at all."""
    record = {
        "architecture": trained.architecture.to_json(),
        "recipe": trained.recipe.to_json(),
        "dataset": trained.dataset,
        "history": json.dumps([epoch.model_dump() for epoch in trained.history]),
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(dict(trained.network.state_dict()), partial, metadata=record)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> Trained:
    """Read what `save` wrote, in evaluation mode. Raises BadInput for any other file."""
    try:
        with safe_open(path, framework="pt") as file:
            record = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        architecture = Architecture.from_json(record["architecture"])
        model = network(architecture)
        model.load_state_dict(state)
        model.eval()
        history = tuple(Epoch(**epoch) for epoch in json.loads(record["history"]))
        recipe, dataset = Recipe.from_json(record["recipe"]), record["dataset"]
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError, OSError) as error:
        raise BadInput(f"{path}: not a network that Gatewright trained ({error}).") from None
    return Trained(architecture=architecture, recipe=recipe, dataset=dataset, network=model, history=history)
