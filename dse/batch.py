"""Many points (layer, mapping, accelerator) at once: energy and cycles by the closed forms, at millions of points a second.

A `Batch` holds problems, each a layer in its place on a configuration with its unit costs; its points are mappings of these problems.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gatewright.dse import memories
from gatewright.dse.closed_form import legality, points
from gatewright.dse.closed_form.numbers import NUMBERS, TERMS
from gatewright.dse.closed_form.records import FIELDS, INNERS, MAPPED, MAPPING, ORDERS, PROBLEM
from gatewright.dse.cost import CostModel, Floats
from gatewright.dse.work import BASIS, Work
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import LAYOUTS, Opcode
from gatewright.sw.counts import Counts, busy
from gatewright.sw.cycles import POST, START, TOKEN
from gatewright.sw.layers import Context, Layer
from gatewright.sw.limits import ADDRESSES, COUNTS, LONGEST_LOAD, map_words
from gatewright.sw.mapping import Mapping, Tiling, channel_choices, tile_sizes

Integers = NDArray[np.integer]
SWITCHES = BASIS.index("switches")
COUNTED = {f.name for f in fields(Counts)} - {"products", "slots", "busy"}
MOST_CHUNK = 1 << 16  # points that a thread takes at a time


def problem(layer: Layer, config: AcceleratorConfig, images: int, context: Context) -> np.ndarray:
    """A layer in its place as one record [1] of `PROBLEM`. Raises BadInput for an operator that the grid lacks."""
    config.path(layer.operator)
    one, many = (Tiling(layer, config, Mapping(channels=channels), images, context) for channels in (1, 2))
    values = {name: getattr(layer, name) for name in ("K", "R", "S", "H", "W", "stride", "padding", "pool_window", "pool_stride")}
    values |= {name: getattr(layer, name) for name in ("out_h", "out_w")}
    values |= {name: getattr(config, name) for name in ("rows", "cols", "operand_bits", "activation_words", "weight_words")}
    values |= {name: getattr(config, name) for name in ("parameter_words", "output_words", "output_bits", "block_capacity")}
    values |= {name: getattr(one, name) for name in ("kernel_rows", "words", "channel_groups", "output_width", "group_span")}
    values |= {f"{name}_words": LAYOUTS[opcode].memory_words(config.operand_bits) for name, opcode in INSTRUCTIONS.items()}
    values |= reader(layer, config, context.output)
    values |= {
        "sources": len(one.inputs),
        "pools": layer.pooling is not None,
        "images": images,
        "reduction_one": one.reduction,
        "reduction_many": many.reduction,
        "reach_words_one": one.reach.words,
        "reach_words_many": many.reach.words,
        "reach_stride_one": one.reach.stride,
        "reach_stride_many": many.reach.stride,
        "steps": layer.operator.steps,
        "raw": context.output is None,
        "mappable": one.layer_rule() is None,
        "products": layer.products * images,
        "busy": busy(one) * images,
        "lanes": config.lanes(layer.operator),
        "longest_load": LONGEST_LOAD,
        "counts": COUNTS,
        "addresses": ADDRESSES,
        "map_words": map_words(one),
        "pixel_words": one.pixel_words,
        "interval": config.memory_interval,
        "start": START,
        "token": TOKEN + config.pipeline_stages,
        "post": POST,
    }
    return np.array([tuple(values[name] for name in FIELDS)], dtype=PROBLEM)


INSTRUCTIONS = {
    "linear": Opcode.LOAD_WEIGHTS,
    "image": Opcode.LOAD_ACTIVATIONS,
    "compute": Opcode.COMPUTE,
    "store": Opcode.STORE,
}


def reader(layer: Layer, config: AcceleratorConfig, following: Operator | None) -> dict[str, int]:
    """What `dse.mapper.alone` puts behind a layer: one pixel of one channel with all of the layer's channels."""
    if following is None:
        return dict.fromkeys(("reader_weights", "reader_parameters", "reader_waits"), 0)
    weights = -(-layer.K // config.lanes(following))
    return {
        "reader_weights": weights,
        "reader_parameters": config.cols * 64 // config.operand_bits,
        "reader_waits": weights > config.weight_words // 2,
    }


@lru_cache(maxsize=4096)
def _linear(work: Work) -> Floats:
    """How the basis follows from the terms, [TERMS, BASIS], for layers whose work differs from this one's in counts only.

    From the basis itself: one event of each kind, without useful products and with nothing but useful ones.
    """
    table = np.zeros((len(TERMS), len(BASIS)))
    for i, name in enumerate(TERMS):
        event = {"slots": 1, "products": int(name.startswith("useful_"))}
        counted = name.removeprefix("useful_")
        if counted in COUNTED:
            table[i] = replace(work, counts=Counts(**(event | {counted: 1}))).basis
        if name != counted:
            table[i] -= table[TERMS.index(counted)]
    table[:, SWITCHES] = 0.0
    table[TERMS.index("switches"), SWITCHES] = 1.0
    return table


@lru_cache(maxsize=4096)
def _memories(config: AcceleratorConfig, model: CostModel, clock_ns: float) -> Floats:
    """Energy of the on-chip memories in pJ for one event of each of the terms; see `dse.memories.accesses`."""
    names = dict.fromkeys(("weights", "activations", "outputs", "biases", "scales"), (0, 0))
    one: dict[str, dict[str, tuple[int, int]]] = {
        "weight_reads": {"weights": (1, 0)},
        "weight_writes": {"weights": (0, 1)},
        "activation_reads": {"activations": (config.rows, 0)},
        "activation_writes": {"activations": (0, 1)},
        "stored_words": {"outputs": (1, 0)},
        "output_writes": {"outputs": (0, 1)},
        "parameter_reads": {"biases": (1, 0), "scales": (1, 0)},
        "parameter_writes": {"biases": (0, 1), "scales": (0, 1)},
    }
    found = np.zeros(len(TERMS))
    for i, name in enumerate(TERMS):
        found[i] = memories.energy_pj(config, names | one.get(name, {}), int(name == "cycles"), clock_ns, model.memories)
    return found


class Batch:
    """Problems with their unit costs. A point is the number of a problem and a row of integers as `row_of` makes it of a mapping."""

    def __init__(self, model: CostModel, images: int = 1, clock_ns: float = 20.0, memories: float = 0.0) -> None:
        """As `dse.mapper.Mapper`."""
        self.model, self.images, self.clock_ns, self.memories = model, images, clock_ns, memories
        self._problems: list[np.ndarray] = []
        self._costs: list[Floats] = []

    def add(self, layer: Layer, config: AcceleratorConfig, context: Context) -> int:
        """The number of a problem. Raises BadInput for an operator that the grid lacks or that has no price."""
        self._problems.append(problem(layer, config, self.images, context))
        self._costs.append(self.unit_costs(layer, config, context))
        return len(self._problems) - 1

    def unit_costs(self, layer: Layer, config: AcceleratorConfig, context: Context) -> Floats:
        """Energy in pJ for one of each of the `TERMS`. Raises BadInput if a cycle would give energy back: then fewer are no bound."""
        work = Work.of(layer, Counts(), config, context)
        found = _linear(work) @ self.model.weights(config, work, self.clock_ns)
        if self.memories:
            found += self.memories * _memories(config, self.model, self.clock_ns)
        if found[0] < 0:
            raise BadInput(f"In this cost model a cycle costs {found[0]:.3g} pJ, less than nothing. Calibrate with more measurements.")
        return found

    @property
    def problems(self) -> np.ndarray:
        return np.concatenate(self._problems)

    def evaluate(self, which: Integers, mappings: Integers, exact: bool = True, threads: int = 1) -> tuple[Floats, Integers]:
        """Energy in pJ and cycles of points [n] and [n, 8]: of layers alone, for all images. Every mapping must be legal.

        Without `exact` cycles are a lower bound, and energies those of as many cycles.
        """
        problems, costs, n = self.problems, np.stack(self._costs), len(which)
        which, mappings = np.ascontiguousarray(which, np.int32), np.ascontiguousarray(mappings, np.int16)
        energies, times = np.empty(n), np.empty(n, np.int64)
        size = min(MOST_CHUNK, max(1, -(-n // threads)))
        parts = [slice(start, start + size) for start in range(0, n, size)]

        def run(part: slice) -> None:
            points.evaluate(problems, which[part], mappings[part], costs, exact, energies[part], times[part])

        if threads == 1 or len(parts) < 2:
            for part in parts:
                run(part)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run, parts))
        return energies, times

    def numbers(self, which: Integers, mappings: Integers) -> Integers:
        """The exact `NUMBERS` of points, [n, numbers]."""
        found = np.empty((len(which), len(NUMBERS)), np.int64)
        points.tabulate(self.problems, np.ascontiguousarray(which, np.int32), np.ascontiguousarray(mappings, np.int16), found)
        return found

    def legal(self, number: int) -> Integers:
        """Every legal mapping of a problem, in the order of `sw.mapping.mappings`: rows [mappings, 8]."""
        p = self._problems[number]
        y_sizes, x_sizes = (sizes(int(extent[0]), int(p["rows"][0])) for extent in (p["out_h"], p["out_w"]))
        choices = np.array(channel_choices(int(p["channel_groups"][0])))
        none = np.empty((0, 8), np.int16)
        found = np.empty((legality.enumerate_legal(p[0], y_sizes, x_sizes, choices, none, False), 8), np.int16)
        legality.enumerate_legal(p[0], y_sizes, x_sizes, choices, found, True)
        return found

    def is_legal(self, number: int, mapping: Mapping) -> bool:
        """Whether a problem has no rule against a mapping."""
        return bool(legality.legal(self._problems[number][0], np.array([tuple(row_of(mapping))], MAPPED)[0]))


@lru_cache(maxsize=1024)
def sizes(extent: int, rows: int) -> Integers:
    """`tile_sizes` of each grid size from 1 to `rows`, [rows + 1, n], zeros behind them."""
    lists = [tile_sizes(extent, grid) if grid else [] for grid in range(rows + 1)]
    table = np.zeros((rows + 1, max(map(len, lists))), np.int64)
    for line, values in zip(table, lists, strict=True):
        line[: len(values)] = values
    return table


def row_of(mapping: Mapping) -> list[int]:
    """A mapping as a row of integers."""
    values = [getattr(mapping, name) for name in MAPPING[:-2]]
    return [*values, ORDERS.index(mapping.order), INNERS.index(mapping.inner)]


def mapping_of(row: Sequence[int] | Integers) -> Mapping:
    """The mapping of a row of integers."""
    values = dict(zip(MAPPING, map(int, row), strict=True))
    return Mapping(**values | {"order": ORDERS[values["order"]], "inner": INNERS[values["inner"]]})
