"""The search space: a configuration's choices as Optuna distributions, and a choice as a network on an accelerator."""

from collections.abc import Iterable
from itertools import product
from math import prod

import numpy as np
from optuna.distributions import CategoricalDistribution

from gatewright.dse import layered
from gatewright.dse.config import RunConfig
from gatewright.dse.layered import Params
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.layers import Workload
from gatewright.sw.models import Architecture, workload
from gatewright.sw.operators import arithmetic

AXES = ("rows", "cols", "operand_bits", "accumulator_depth", "pipeline_stages")
BUFFERS = ("activation_words", "weight_words", "output_words", "parameter_words")
BITS_LEAST, BITS_MOST = 12, 32  # of an accumulator
UNIT = 1  # the bits of the weight 1 in integers


def distributions(config: RunConfig, shape: tuple[int, int, int], classes: int) -> dict[str, CategoricalDistribution]:
    """Every choice that makes a network, by name. Choices of other families, and of layers beyond a network's depth, mean nothing.

    shape: channels, height and width of the images. Raises BadInput as `layered.choices`.
    """
    network = config.network
    choices: layered.Choices = {"family": network.families}
    if network.free:
        choices |= _free_choices(config)
    for family in network.layered:
        choices |= layered.choices(config, family, shape, classes)
    return {name: CategoricalDistribution(tuple(dict.fromkeys(values))) for name, values in choices.items()}


def _free_choices(config: RunConfig) -> layered.Choices:
    """Of networks with any number of layers."""
    network, operators, deepest = config.network, config.operators, max(config.network.depths)
    choices: layered.Choices = {"depth": network.depths}
    choices |= {f"width{i}": network.widths for i in range(deepest)}
    choices |= {f"operator{i}": operators.of("hidden" if i else "first") for i in range(deepest)}
    return choices | {"operator_last": operators.of("last"), "poolings": network.poolings, "pooling": network.pooling}


def size(config: RunConfig, shape: tuple[int, int, int], classes: int) -> int:
    """How many combinations of network and accelerator there are; some are equal or impossible."""
    networks = 0
    if free := {*config.network.free}:
        networks += len(free) * prod(len({*values}) for values in _free_choices(config).values())
    for family in config.network.layered:
        networks += prod(len(values) for values in layered.choices(config, family, shape, classes).values())
    return networks * prod(len(getattr(config.accelerator, name)) for name in AXES)


def architecture(config: RunConfig, params: Params, shape: tuple[int, int, int], classes: int) -> Architecture:
    """The network of a choice. Raises BadInput, naming the rule, for an impossible one.

    shape: channels, height and width of the images.
    """
    if params["family"] in config.network.layered:
        return layered.architecture(config, params, shape, classes)
    depth = int(params["depth"])
    convolutional = params["family"] == "vgg" and depth > 0
    poolings = int(params["poolings"]) if convolutional else 0
    if poolings > depth:
        raise BadInput(f"{poolings} poolings need as many convolutions; the network has {depth}.")
    names = [str(params[f"operator{i}"]) for i in range(depth)] + [str(params["operator_last"])]
    if not depth and names[0] not in config.operators.of("first"):
        raise BadInput(f"A network of one layer reads the image with {names[0]}, which is no choice for the first layer.")
    return Architecture(
        family="vgg" if convolutional else "mlp",
        channels=shape[0],
        height=shape[1],
        width=shape[2],
        classes=classes,
        widths=tuple(int(params[f"width{i}"]) for i in range(depth)),
        operators=tuple(operator_named(name) for name in names),
        pool_after=tuple(range(poolings)),
        pooling=params["pooling"] if poolings else "max",
    )


def accelerators(config: RunConfig, network: Architecture) -> list[AcceleratorConfig]:
    """Every accelerator of the space, with exactly the operators and the post-processing that a network needs, in a fixed order.

    Buffers that are chosen automatically have the largest size allowed.
    """
    space, work = config.accelerator, workload(network)
    found = []
    for values in product(*(getattr(space, name) for name in AXES)):
        base = AcceleratorConfig(
            **dict(zip(AXES, values, strict=True)),
            **buffer_words(config),
            operators=operators(layer.operator for layer in work.layers),
            memory_interval=space.memory_interval,
            pooling=any(layer.pooling for layer in work.layers),
        )
        bits = accumulator_bits(work, base) if space.accumulator_bits == "auto" else space.accumulator_bits
        found.append(base.replace(accumulator_bits=bits))
    return found


def buffer_words(config: RunConfig) -> dict[str, int]:
    """The buffers of a configuration, or where they are chosen automatically the largest allowed."""
    space = config.accelerator
    return dict.fromkeys(BUFFERS, space.buffer_words_max) if space.buffers == "auto" else dict(space.buffers.model_dump())


def operators(wanted: Iterable[Operator]) -> tuple[Operator, ...]:
    """Those operators a grid needs for all of `wanted`, by name: of stochastic ones that differ in length only, the longest."""
    longest: dict[Operator, Operator] = {}
    for operator in wanted:
        shortens = operator.kind == "stochastic" and operator.source != "counter"
        alike = operator.replace(stream_length=operator.width * 8) if shortens else operator
        longest[alike] = max(longest.get(alike, operator), operator, key=lambda o: o.stream_length or 0)
    return tuple(sorted(longest.values(), key=lambda o: o.name))


def accumulator_bits(work: Workload, config: AcceleratorConfig) -> int:
    """Bits that hold every sum that any weights and any input can give, with a bias as large as the sum."""
    most = 1
    for layer in work.layers:
        tables, lanes = arithmetic(layer.operator).tables, config.lanes(layer.operator)
        idle = -layer.C % lanes if layer.groups == 1 else 0  # of layers with groups, idle lanes add nothing
        product = int(np.abs(tables[..., UNIT] if layer.unit_weights else tables).max())
        most = max(most, layer.R * layer.S * (layer.group_channels + idle) * product)
    bits = most.bit_length() + 2
    if bits > BITS_MOST:
        raise BadInput(f"Sums of {work.name} reach {most}, beyond accumulators of {BITS_MOST} bits. Choose fewer bits or channels.")
    return max(BITS_LEAST, bits)
