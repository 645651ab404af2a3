"""Seeded random networks, mappings and programs, and which features of the accelerator a program uses."""

from collections import Counter
from dataclasses import dataclass
from math import ceil

import numpy as np

from gatewright.hw.config import SHIFT_MAX, AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import Opcode
from gatewright.sw.cycles import load_cycles, timing
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import IMAGE, Context, Layer, Workload
from gatewright.sw.mapping import Mapping, Tiling, mappings
from gatewright.sw.operators import arithmetic
from gatewright.sw.program import Program, check_accumulator, lower

TRIES = 2000


@dataclass(frozen=True)
class Case:
    """A program with random images, two batches of them."""

    seed: tuple[int, ...]
    program: Program
    codes: np.ndarray


def random_codes(rng: np.random.Generator, operator: Operator, shape: tuple[int, ...]) -> np.ndarray:
    """Activation codes over the operator's whole range."""
    low, high = operator.activation_range
    return rng.integers(low, high + 1, shape)


def random_weights(rng: np.random.Generator, operator: Operator, shape: tuple[int, ...]) -> np.ndarray:
    """Weight codes, the most negative two's complement number too where the operator has it."""
    if operator.weight_bits == 1:
        low, high = 0, 1
    elif operator.exponents is not None:
        low, high = -operator.exponents, operator.exponents - 1
    else:
        high = (1 << (operator.weight_bits - 1)) - 1
        low = -high if operator.coding == "sign_magnitude" else -high - 1
    return rng.integers(low, high + 1, shape).astype(np.int16)


def random_layer(rng: np.random.Generator, layer: Layer, after: Operator | None) -> IntegerLayer:
    """Weights and post-processing that spread the results over the next operator's range, with some beyond it."""
    weights = random_weights(rng, layer.operator, (layer.K, layer.group_channels, layer.R, layer.S))
    if layer.unit_weights:
        weights = np.ones_like(weights)
    table, terms = arithmetic(layer.operator).table, layer.group_channels * layer.R * layer.S
    mean, deviation = table.mean() * terms, table.std() * np.sqrt(terms) + 1
    bias = np.rint(rng.normal(-mean, deviation / 2, layer.K)).astype(np.int64)
    multiplier = rng.integers(1, 256, layer.K)
    low, high = after.activation_range if after else (0, 0)
    if rng.integers(2):
        low = 0  # ReLU
    shift = np.log2(deviation * multiplier * rng.choice([0.5, 1.5, 3], layer.K) / max(high, 1))
    return IntegerLayer(
        layer=layer,
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=np.clip(np.rint(shift), 1, SHIFT_MAX).astype(np.int64),
        mode="raw" if after is None else "sign" if after.activation_bits == 1 else "requantise",
        low=low if after and after.activation_bits > 1 else 0,
        high=high,
    )


def takes_groups(operator: Operator) -> bool:
    """Whether a weight code exists whose product with every activation is zero; lanes of other groups hold it."""
    kind = arithmetic(operator)
    return not kind.table[:, kind.unused_weight_bits].any()


def random_shape(
    rng: np.random.Generator, name: str, operator: Operator, config: AcceleratorConfig, image: tuple[int, int, int], pools: bool
) -> Layer:
    """A legal layer on a C x H x W image: any kernel, stride and padding, and where it `pools` any window and stride."""
    c, h, w = image
    for _ in range(TRIES):
        r, s = (int(rng.integers(1, min(size + 2, 4) + 1)) for size in (h, w))
        fields = {
            "R": r,
            "S": s,
            "stride": int(rng.choice([1, 1, 2, 3])),
            "padding": int(rng.integers(0, min(r, s))),
            "K": int(rng.integers(1, 2 * config.cols + 3)),
        }
        if takes_groups(operator) and rng.integers(3) == 0:
            fields["groups"] = int(rng.choice([c, *(n for n in range(1, c + 1) if c % n == 0)]))
            fields["K"] = fields["groups"] * int(rng.integers(1, 1 + max(1, (2 * config.cols + 2) // fields["groups"])))
        if pools and rng.integers(5) < 2:
            fields |= {
                "pooling": str(rng.choice(["max", "average"])),
                "pool_window": int(rng.integers(1, 4)),
                "pool_stride": int(rng.integers(1, 4)),
            }
        try:
            return Layer(name=name, operator=operator, C=c, H=h, W=w, **fields)
        except BadInput:
            continue
    raise AssertionError(f"no legal layer on {c} x {h} x {w}")


def random_mapping(rng: np.random.Generator, layer: Layer, config: AcceleratorConfig, images: int, context: Context) -> Mapping | None:
    """One of the mapper's mappings, or as often one drawn freely (tiles the mapper would not propose); None if there is none."""
    if rng.integers(2):
        groups = ceil(layer.K / config.cols)
        for _ in range(60):
            mapping = Mapping(
                grid_n=int(rng.integers(1, images + 1)),
                grid_y=int(rng.integers(1, config.rows + 1)),
                grid_x=int(rng.integers(1, config.rows + 1)),
                y=int(rng.integers(1, layer.out_h + 1)),
                x=int(rng.integers(1, layer.out_w + 1)),
                channels=int(rng.integers(1, groups + 1)),
                order=str(rng.choice(["channels_outside", "pixels_outside"])),
                inner=str(rng.choice(["none", "x", "channels"])),
            )
            if Tiling(layer, config, mapping, images, context).broken_rule() is None:
                return mapping
    legal = list(mappings(layer, config, images, context))
    return legal[int(rng.integers(len(legal)))] if legal else None


def random_case(config: AcceleratorConfig, *seed: int) -> Case:
    """A random network of one to three layers on a configuration, lowered with random mappings. Same seed, same case."""
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        images = int(rng.integers(1, 4))
        operators = [_shorter(rng, config.operators[int(rng.integers(len(config.operators)))]) for _ in range(rng.integers(1, 4))]
        lanes = config.lanes(operators[0])
        image = int(rng.choice([1, 3, max(1, lanes - 1), lanes + 1, 2 * lanes])), int(rng.integers(1, 8)), int(rng.integers(1, 8))
        shapes: list[Layer] = []
        for i, operator in enumerate(operators):
            pools = config.pooling and i + 1 < len(operators)
            shapes.append(random_shape(rng, f"layer{i}", operator, config, image, pools))
            image = shapes[-1].K, shapes[-1].out_h, shapes[-1].out_w
        case = assemble(rng, config, shapes, images, seed)
        if case:
            return case
    raise AssertionError(f"no program fits {config}")


def assemble(
    rng: np.random.Generator, config: AcceleratorConfig, shapes: list[Layer], images: int, seed: tuple[int, ...] = ()
) -> Case | None:
    """Random tensors and mappings for these layers; None where a layer has no mapping or a sum could overflow."""
    work = Workload(name="random", layers=tuple(shapes))
    chosen = [random_mapping(rng, shape, config, images, work.context(i)) for i, shape in enumerate(shapes)]
    network = IntegerNetwork(name="random", layers=tuple(random_layer(rng, shape, work.following(i)) for i, shape in enumerate(shapes)))
    try:
        for i in range(len(shapes)):
            check_accumulator(network, i, config)
    except BadInput:
        return None
    if None in chosen:
        return None
    program = lower(network, config, tuple(m for m in chosen if m), images)
    image, reader = work.maps[0], shapes[work.maps[0].readers[0]]
    return Case(seed, program, random_codes(rng, reader.operator, (2 * images, image.channels, image.height, image.width)))


def random_graph(config: AcceleratorConfig, *seed: int) -> Case:
    """A random network whose layers read any maps before them: sums, 1 x 1 layers of several maps, parts of maps in any order, maps
    that several layers write, maps that several read. All operators of `config` must have activations of one format."""
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        images, operators = int(rng.integers(1, 3)), config.operators
        h, w, layers = int(rng.integers(1, 6)), int(rng.integers(1, 6)), list[Layer]()
        maps = {IMAGE: [(int(rng.choice([1, 3, 5, 9])), h, w)]}
        for i in range(int(rng.integers(3, 7))):
            operator = operators[int(rng.integers(len(operators)))]
            layers.append(_reading(rng, f"layer{i}", operator, config, maps))
            shape = layers[-1].K, layers[-1].out_h, layers[-1].out_w
            beside = [name for name, parts in maps.items() if name != IMAGE and parts[0][1:] == shape[1:] and rng.integers(2)]
            unread = [name for name in beside if not any(name in layer.inputs for layer in layers)]
            if unread:
                layers[-1] = layers[-1].replace(output=unread[0])
            maps.setdefault(layers[-1].output or layers[-1].name, []).append(shape)
        layers = _live(layers)
        try:
            Workload(name="random", layers=tuple(layers))
        except BadInput:
            continue
        case = assemble(rng, config, layers, images, seed)
        if case:
            return case
    raise AssertionError(f"no graph fits {config}")


def _reading(
    rng: np.random.Generator, name: str, operator: Operator, config: AcceleratorConfig, maps: dict[str, list[tuple[int, int, int]]]
) -> Layer:
    """A layer that reads one or more of `maps` (each the shapes of its parts), some channels or all, in order or not."""
    joint = [name for name, parts in maps.items() if len(parts) > 1]
    recent = joint if joint and rng.integers(2) else list(maps)[-3:]
    first = recent[int(rng.integers(len(recent)))]
    alike = [m for m, parts in maps.items() if parts == maps[first] and m != first and rng.integers(4)]
    inputs = (first, *rng.permutation(alike)[: int(rng.choice([0, 1, 2, 2]))].tolist())
    parts, (_, h, w) = [part[0] for m in inputs for part in maps[m]], maps[first][0]
    total, each = sum(parts), sum(parts) // len(inputs)
    if len(inputs) == 2 and takes_groups(operator) and operator.kind == "int" and rng.integers(2):
        gather = tuple(c for k in range(each) for c in (k, each + k))
        return Layer(name=name, operator=operator, C=total, K=each, groups=each, H=h, W=w, inputs=inputs, gather=gather, unit_weights=True)
    gather = tuple(rng.permutation(total).tolist()) if rng.integers(2) else ()
    if gather and takes_groups(operator) and rng.integers(2):
        gather = gather[: int(rng.integers(1, total + 1))]
    channels = len(gather) or total
    if len(inputs) > 1:
        groups = channels if takes_groups(operator) and rng.integers(3) == 0 else 1
        outputs = groups if groups > 1 else int(rng.integers(1, 2 * config.cols + 3))
        fields = {"K": outputs, "groups": groups, "stride": int(rng.choice([1, 1, 2]))}
        return Layer(name=name, operator=operator, C=channels, H=h, W=w, inputs=inputs, gather=gather, **fields)
    if rng.integers(3):  # a map like the one it reads, so that both can be read side by side
        size = int(rng.choice([1, 3])) if min(h, w) > 1 else 1
        fields = {"R": size, "S": size, "padding": size // 2, "K": maps[first][0][0]}
        return Layer(name=name, operator=operator, C=channels, H=h, W=w, inputs=inputs, gather=gather, **fields)
    return random_shape(rng, name, operator, config, (channels, h, w), config.pooling).replace(inputs=inputs, gather=gather)


def _live(layers: list[Layer]) -> list[Layer]:
    """The layers that the last one, which gives raw results, depends on."""
    last = layers[-1].replace(output="", pooling=None, pool_window=1, pool_stride=1)
    kept, wanted = [last], {*last.inputs}
    for layer in reversed(layers[:-1]):
        if (layer.output or layer.name) in wanted:
            kept.append(layer)
            wanted |= {*layer.inputs}
    return kept[::-1]


def _shorter(rng: np.random.Generator, operator: Operator) -> Operator:
    """A stochastic operator at its length or a shorter one that the same circuit can play."""
    if operator.stream_length is None or operator.source == "counter":
        return operator
    lengths = [n for n in range(8, operator.stream_length + 1, operator.width) if n % operator.width == 0]
    return operator.replace(stream_length=int(rng.choice([*lengths, operator.stream_length])))


def features(program: Program) -> Counter[str]:
    """How many layers, tiles or instructions of a program use each feature."""
    found: Counter[str] = Counter()
    schedule = program.schedule
    for i, layer in enumerate(schedule.workload.layers):
        m, t = schedule.mappings[i], schedule.tiling(i)
        n, y, x, k = t.tiles
        found.update(
            {
                f"operator {layer.operator.kind}{' ' + layer.operator.coding if layer.operator.coding else ''}": 1,
                f"source {layer.operator.source}": layer.operator.source is not None,
                f"output {program.network.layers[i].mode}": 1,
                "signed clamp": program.network.layers[i].low < 0,
                "padding": layer.padding > 0,
                "stride 2 or more": layer.stride > 1,
                "stride beyond the kernel": layer.stride > min(layer.R, layer.S),
                "kernel not square": layer.R != layer.S,
                "max pooling": layer.pooling == "max",
                "average pooling": layer.pooling == "average",
                "overlapping pooling": layer.pool_stride < layer.pool_window,
                "pooling with gaps": layer.pooling is not None and layer.pool_stride > layer.pool_window,
                "ragged tiles of images": schedule.images % m.grid_n != 0,
                "ragged tiles of y": layer.out_h % (m.grid_y * m.y) != 0,
                "ragged tiles of x": layer.out_w % (m.grid_x * m.x) != 0,
                "ragged group of channels": layer.K % schedule.config.cols != 0,
                "ragged tiles of channels": t.channel_groups % m.channels != 0,
                "groups": layer.groups > 1,
                "depthwise": layer.groups == layer.C > 1,
                "words of a group alone": layer.groups > 1 and t.reach.words < t.words,
                "ragged lanes": layer.C % schedule.config.lanes(layer.operator) != 0,
                "several words of channels": t.words > 1,
                "several tiles": n * y * x * k > 1,
                "several tiles of channels": k > 1,
                "raw in several tiles of channels": t.output is None and k > 1,
                f"inner {m.inner}": 1,
                m.order.replace("_", " "): 1,
                "several images on the grid": m.grid_n > 1,
                "several maps read": len(t.inputs) > 1,
                "three maps read": len(t.inputs) > 2,
                "a map of several parts read": any(len(parts) > 1 for parts in t.inputs),
                "channels in another order": list(layer.gather) != sorted(layer.gather),
                "channels left unread": bool(layer.gather) and len(layer.gather) < sum(map(sum, t.inputs)),
                "a sum": layer.unit_weights,
                "a part of a map written": bool(t.context.before or t.context.after),
            }
        )
    found.update(
        {
            "several images": schedule.images > 1,
            "several layers": len(schedule.mappings) > 1,
            "full-buffer loads": sum(i.wait_compute for i in schedule.instructions),
            "loads while computing": overlaps(program),
        }
    )
    return found


def overlaps(program: Program) -> int:
    """Loads that move data in a cycle in which a COMPUTE runs, by the analytic times (which simulation confirms)."""
    schedule, times = program.schedule, timing(program.schedule)
    busy_until, count = 0, 0
    for instruction, finished in zip(schedule.instructions, times.finished, strict=True):
        if instruction.opcode == Opcode.COMPUTE:
            busy_until = finished
        elif instruction.opcode not in (Opcode.STORE, Opcode.END):
            count += finished - load_cycles(instruction, schedule.config) < busy_until
    return count
