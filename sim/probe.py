"""One probe: a small complete accelerator, synthesised and run on a network trained on real digits, with training images as operands."""

import json
import random
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim import cache, tools
from gatewright.sim.accelerator import Measured, measure
from gatewright.sim.measurement import Measurement, describe
from gatewright.sim.network import system_verilog
from gatewright.sim.technology import Technology
from gatewright.sw import checkpoint
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.data import digits, encode, load
from gatewright.sw.layers import Workload
from gatewright.sw.mapping import Mapping, Tiling, mappings, no_mapping
from gatewright.sw.models import Architecture, workload
from gatewright.sw.program import lower
from gatewright.sw.schedule import tiling
from gatewright.sw.train import train

CLOCK_NS = 20.0
STREAMS = 64  # batches that run side by side
CANDIDATES = 4000  # mappings looked at for one layer
DRAWS = 24
FILE = "network.safetensors"
TOOLS = ("pyosys", "torch", "amaranth")
_HERE = Path(__file__).parent
_SOURCES = (
    "accelerator",
    "activity",
    "bits",
    "boolean",
    "cells",
    "compact",
    "delays",
    "energy_analysis",
    "energy_report",
    "flatten",
    "gates",
    "kernels",
    "levels",
    "liberty",
    "liberty_syntax",
    "measurement",
    "memories",
    "memory_table",
    "netlist",
    "probe",
    "reach",
    "synthesis",
    "tables",
    "technology",
)


class Probe(Noun):
    """One measurement to make: a configuration and a network that runs on it.

    `mapping`: the fastest of some mappings drawn with `seed` for each layer, or simply one of them. `streams` batches of `images` images,
    from the training part of the digits, are simulated.
    """

    name: str
    config: AcceleratorConfig
    architecture: Architecture
    recipe: Recipe = Recipe(epochs=4)
    mapping: Literal["fast", "drawn"] = "fast"
    seed: int = Field(default=0, ge=0)
    images: int = Field(default=1, ge=1)
    streams: int = Field(default=STREAMS, ge=1, le=512)


@dataclass(frozen=True)
class Result:
    """A measurement, and whether it came from the cache."""

    measurement: Measurement
    reused: bool


def choose(work: Workload, config: AcceleratorConfig, images: int, rule: Literal["fast", "drawn"], seed: int) -> tuple[Mapping, ...]:
    """A legal mapping for each layer, drawn with `seed`. Raises BadInput for a layer that has none."""

    def time(i: int, mapping: Mapping) -> int:
        return effort(tiling(work, config, mapping, images, i))

    chosen = []
    for i, layer in enumerate(work.layers):
        legal = list(islice(mappings(layer, config, images, work.context(i)), CANDIDATES))
        if not legal:
            raise BadInput(f"Layer {layer.name} has {no_mapping(layer, config, images, work.context(i))}")
        draws = random.Random(f"{seed}:{i}").sample(legal, min(DRAWS if rule == "fast" else 1, len(legal)))
        chosen.append(min(draws, key=partial(time, i)))
    return tuple(chosen)


def effort(tile: Tiling) -> int:
    """About how long a layer takes, in cycles: what the grid is given and what is loaded."""
    m, layer = tile.mapping, tile.layer
    issues = m.y * m.x * layer.pool_window**2 * m.channels * tile.reduction * layer.operator.steps
    loads = m.grid_n * m.grid_y * m.grid_x * tile.window_words + tile.weight_rows * tile.config.cols
    return prod(tile.tiles) * (issues + loads)


@lru_cache(maxsize=64)
def trained(architecture: Architecture, recipe: Recipe) -> Trained:
    """A network trained on the digits; cached."""
    name = cache.key(architecture=architecture, recipe=recipe, tools=tools.versions("torch"), sources=_trainers())
    made = cache.folder("probe_networks", name, lambda folder: checkpoint.save(train(architecture, digits(), recipe), folder / FILE))
    return checkpoint.load(made / FILE)


def mapped(probe: Probe) -> tuple[Mapping, ...]:
    """The mappings a probe's layers get. Raises BadInput, before anything is trained, for a layer that has none."""
    return choose(workload(probe.architecture), probe.config, probe.images, probe.mapping, probe.seed)


def run_probe(probe: Probe, technology: Technology, clock_ns: float = CLOCK_NS, network: Trained | None = None) -> Measured:
    """Train (or take `network`), lower, synthesise and simulate, with training images as operands; the gates' logits are checked."""
    chosen = mapped(probe)
    source = network or trained(probe.architecture, probe.recipe)
    program = lower(source.export(), probe.config, chosen, probe.images)
    data = load(source.dataset)
    images = data.train.take(slice(0, probe.images * probe.streams))
    operator = program.network.layers[0].layer.operator  # the first layer reads the image
    return measure(program, encode(operator, images.images, data.maximum), technology, clock_ns)


def measure_probe(probe: Probe, technology: Technology, clock_ns: float = CLOCK_NS, network: Trained | None = None) -> Result:
    """The measurement of a probe, from the cache if nothing that it rests on has changed. A given `network` is always run."""
    if network is not None:
        return Result(Measurement(**_fields(probe, technology, clock_ns, network)), reused=False)
    name = cache.key(
        probe=probe,
        verilog=cache.digest(system_verilog(probe.config).encode()),
        technology=technology.hash,
        clock_ns=clock_ns,
        tools=tools.versions(*TOOLS),
        sources=_digests(),
    )
    reused = cache.intact(cache.location() / "measurements" / name)
    fields = cache.value("measurements", name, lambda: _fields(probe, technology, clock_ns, None))
    return Result(Measurement(**fields), reused)


def _fields(probe: Probe, technology: Technology, clock_ns: float, network: Trained | None) -> AbstractMapping[str, Any]:
    measured = run_probe(probe, technology, clock_ns, network)
    trained_on = network.dataset if network else "digits"
    operands = f"a network trained on {trained_on}, {probe.images * probe.streams} of its training images"
    return json.loads(describe(measured, probe.name, probe.architecture, operands, tools.versions(*TOOLS)).to_json())


@lru_cache(maxsize=1)
def _trainers() -> tuple[str, ...]:
    """Of the sources a trained network rests on."""
    return tuple(cache.digest(path) for path in sorted((_HERE.parent / "sw").rglob("*.py")))


@lru_cache(maxsize=1)
def _digests() -> tuple[str, ...]:
    """Of the sources a measurement rests on, beside the Verilog."""
    files = [_HERE / f"{name}.py" for name in _SOURCES] + sorted(_HERE.rglob("*.hpp"))
    return (*(cache.digest(path) for path in files), *_trainers())
