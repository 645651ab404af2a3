"""What the accelerator does, without tensors: the instructions of a workload on a configuration.

Exact counts (sw/counts.py) and cycles (sw/cycles.py) derive from a schedule alone; a program is a schedule plus tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import ADDRESS_BITS, BLOCK_LEVELS, BUFFER_BITS, HEADER, LAYOUTS, LEVELS, WINDOW_UNUSED, Opcode, OutputMode
from gatewright.sw.layers import Workload
from gatewright.sw.loops import clip, deltas_of, loops_of
from gatewright.sw.mapping import Mapping, Tiling
from gatewright.sw.memory_map import Region, place_maps


@dataclass(frozen=True)
class Instruction:
    """One instruction with its fields, the layer it serves, and what it moves or computes."""

    opcode: Opcode
    layer: int
    fields: dict[str, int]
    wait_store: bool = False
    wait_compute: bool = False
    facts: dict[str, int] = field(default_factory=dict)

    def memory_words(self, config: AcceleratorConfig) -> int:
        return LAYOUTS[self.opcode].memory_words(config.operand_bits)


@dataclass(frozen=True)
class Block:
    """Constant data a load reads: which part of a layer's tensors, and where it lies."""

    kind: str  # "weights", "parameters" or "windows"
    layer: int
    first: int  # first channel group, or for windows the number of the table
    groups: int
    region: Region
    table: tuple[tuple[int, int, int], ...] = ()  # windows: (n, y, x) of each grid row


@dataclass(frozen=True)
class Schedule:
    """Instructions in program order with the memory map: program, constant blocks, feature maps (a region for each of the workload's).

    `reuse`: maps whose lives do not overlap may lie in one place, so that after a run only the last is sure to be whole.
    """

    workload: Workload
    config: AcceleratorConfig
    mappings: tuple[Mapping, ...]
    images: int
    instructions: tuple[Instruction, ...]
    blocks: tuple[Block, ...]
    maps: tuple[Region, ...]
    program: Region
    reuse: bool = True

    def tiling(self, i: int) -> Tiling:
        return tiling(self.workload, self.config, self.mappings[i], self.images, i)

    @property
    def constant_words(self) -> int:
        """Memory of program and constants, before the feature maps."""
        return self.program.words + sum(block.region.words for block in self.blocks)

    @property
    def memory_words(self) -> int:
        """External memory the program needs, in words."""
        return max(region.address + region.words for region in self.maps)


def tiling(workload: Workload, config: AcceleratorConfig, mapping: Mapping, images: int, i: int) -> Tiling:
    """Layer i's tiling; its results go out in the format of the layers that read them."""
    return Tiling(workload.layers[i], config, mapping, images, workload.context(i))


Clamps = tuple[tuple[int, int], ...]


def schedule(
    workload: Workload,
    config: AcceleratorConfig,
    mappings: tuple[Mapping, ...],
    images: int = 1,
    clamps: Clamps | None = None,
    reuse: bool = True,
) -> Schedule:
    """Cut every layer into tiles and write the instructions.

    Results are raw (32-bit) after the last layer, signs before one-bit layers, else requantised and clamped: to `clamps`, or
    by default to the activations of the layers that read them, none negative after ReLU. `reuse`: see `Schedule`. Raises BadInput for a
    mapping that breaks a rule, an operator the grid lacks, or too large a program.
    """
    if len(mappings) != len(workload.layers):
        raise BadInput(f"{workload.name} has {len(workload.layers)} layers but {len(mappings)} mappings were given; give one each.")
    clamps = clamps or tuple(default_clamp(workload, i) for i in range(len(mappings)))
    builder = _Builder(workload, config, mappings, images, clamps, reuse)
    for i in range(len(workload.layers)):
        builder.layer(i)
    return builder.finish()


def default_clamp(workload: Workload, i: int) -> tuple[int, int]:
    """The least and greatest activation of the layers that read the results; none is negative after ReLU."""
    after = workload.following(i)
    if after is None:
        return 0, 0
    low, high = after.activation_range
    return (0 if workload.layers[i].relu else low), high


class _Builder:
    """Writes instructions with addresses relative to each region, then places the regions."""

    def __init__(
        self, workload: Workload, config: AcceleratorConfig, mappings: tuple[Mapping, ...], images: int, clamps: Clamps, reuse: bool
    ) -> None:
        self.workload, self.config, self.mappings, self.images, self.clamps = workload, config, mappings, images, clamps
        self.reuse = reuse
        self.tilings = [tiling(workload, config, m, images, i).check() for i, m in enumerate(mappings)]
        self.instructions: list[tuple[Instruction, tuple[str, Any] | None]] = []
        self.blocks: dict[tuple[Any, ...], list[Any]] = {}
        self.halves = {"weights": 0, "parameters": 0, "activations": 0, "outputs": 0}
        self.full = {"weights": False, "activations": False}
        self.windows: tuple[tuple[int, int, int], ...] = ()
        self.stored: Callable[[], None] = lambda: None  # writes the last tile's STORE

    def emit(self, opcode: Opcode, layer: int, fields: dict[str, int], anchor: tuple[str, Any] | None = None, **options: Any) -> None:
        """`anchor` names the region whose start is added to the field `address` in the end."""
        self.instructions.append((Instruction(opcode, layer, fields, **options), anchor))

    def half(self, buffer: str, size: int, needed: int) -> tuple[int, bool]:
        """Base address for the next load and whether it must wait for the grid: only half-sized loads overlap with computing."""
        if needed > size // 2:
            self.full[buffer] = True
            return 0, True
        wait, self.full[buffer] = self.full.get(buffer, False), False
        self.halves[buffer] ^= 1
        return self.halves[buffer] * (size // 2), wait

    def layer(self, i: int) -> None:
        """All tiles of one layer, in the mapping's order."""
        t = self.tilings[i]
        pixel_tiles = [(n, y, x) for n in range(t.tiles[0]) for y in range(t.tiles[1]) for x in range(t.tiles[2])]
        channel_tiles = list(range(t.tiles[3]))
        outside = t.mapping.order == "channels_outside"
        pairs = [(p, k) for k in channel_tiles for p in pixel_tiles] if outside else [(p, k) for p in pixel_tiles for k in channel_tiles]
        at: dict[str, Any] = {"pixels": None, "channels": None}
        bases = {"weights": 0, "parameters": 0, "activations": 0}
        for pixels, channels in pairs:
            start = len(self.instructions)
            if at["channels"] != channels:
                bases["weights"] = self.load_weights(i, t, channels)
                bases["parameters"] = self.load_parameters(i, t, channels)
            if at["pixels"] != pixels:
                bases["activations"] = self.load_activations(i, t, pixels, first=at["pixels"] is None)
            at = {"pixels": pixels, "channels": channels}
            self.store_among(start)
            self.stored = self.compute(i, t, pixels, channels, bases)

    def store_among(self, start: int) -> None:
        """Put the store of the tile before among the loads since `start`: behind those that need not wait, for it would hold them up
        while the store before it writes, and in front of the first that waits for the grid or for stores."""
        loads = self.instructions[start:]
        place = next((k for k, (load, _) in enumerate(loads) if load.wait_compute or load.wait_store), len(loads))
        del self.instructions[start + place :]
        self.stored()
        self.instructions += loads[place:]

    def resident(self, t: Tiling, channels: int) -> tuple[int, int]:
        """First channel group of a tile and how many groups it has."""
        first = channels * t.mapping.channels
        return first, min(t.mapping.channels, t.channel_groups - first)

    def constant(self, key: tuple[Any, ...], words: int, table: tuple[tuple[int, int, int], ...] = ()) -> None:
        self.blocks.setdefault(key, [words, table])

    def load_weights(self, i: int, t: Tiling, channels: int) -> int:
        """Full column groups in one load, a ragged last group in another that leaves the idle columns alone."""
        first, groups = self.resident(t, channels)
        base, wait = self.half("weights", self.config.weight_words, t.weight_rows)
        ragged = t.layer.K % self.config.cols if first + groups == t.channel_groups else 0
        full = groups - 1 if ragged else groups
        place = base
        for count, columns, start in ((full, self.config.cols, first), (1 if ragged else 0, ragged, first + full)):
            if count:
                words = count * t.reduction * columns
                key = ("weights", i, start, count)
                self.constant(key, words)
                fields = {"address": 0, "length": words, "base": place, "last_bank": columns - 1}
                self.emit(Opcode.LOAD_WEIGHTS, i, fields, ("block", key), wait_compute=wait)
                place += count * t.reduction
        return base

    def load_parameters(self, i: int, t: Tiling, channels: int) -> int:
        first, groups = self.resident(t, channels)
        base, wait = self.half("parameters", self.config.parameter_words, groups)
        words = groups * self.config.cols * (64 // self.config.operand_bits)
        key = ("parameters", i, first, groups)
        self.constant(key, words)
        fields = {"address": 0, "length": words, "base": base, "last_bank": self.config.cols - 1}
        self.emit(Opcode.LOAD_PARAMETERS, i, fields, ("block", key), wait_compute=wait)
        return base

    def used(self, t: Tiling, pixels: tuple[int, int, int]) -> tuple[int, int, int]:
        """Images and grid rows over y and x that a tile has work for."""
        m, (n, y, x) = t.mapping, pixels
        return (
            min(m.grid_n, self.images - n * m.grid_n),
            min(m.grid_y, ceil((t.layer.out_h - y * m.grid_y * m.y) / m.y)),
            min(m.grid_x, ceil((t.layer.out_w - x * m.grid_x * m.x) / m.x)),
        )

    def load_activations(self, i: int, t: Tiling, pixels: tuple[int, int, int], first: bool) -> int:
        """The tile's input with its padding, map after map, and before it the windows if the grid rows' roles have changed."""
        layer, m = t.layer, t.mapping
        rows_n, rows_y, rows_x = self.used(t, pixels)
        pitch_y, pitch_x = (size * layer.pool_stride * layer.stride for size in (m.y, m.x))
        table = tuple((n, y * pitch_y, x * pitch_x) for n in range(rows_n) for y in range(rows_y) for x in range(rows_x))
        self.load_windows(i, table)
        base, wait = self.half("activations", self.config.activation_words, t.window_words)
        window_y, window_x = t.window
        size_y, size_x = (rows_y - 1) * pitch_y + window_y, (rows_x - 1) * pitch_x + window_x
        top, start_y, inside_y = clip(pixels[1] * m.grid_y * pitch_y - layer.padding, size_y, layer.H)
        left, start_x, inside_x = clip(pixels[2] * m.grid_x * pitch_x - layer.padding, size_x, layer.W)
        image_words = layer.H * layer.W * t.words
        fields = {
            "address": pixels[0] * m.grid_n * image_words + (start_y * layer.W + start_x) * t.words,
            "n_stride": image_words,
            "y_stride": layer.W * t.words,
            "base": base,
            "row_words": inside_x * t.words,
            "last_n": rows_n - 1,
            "last_y": size_y - 1,
            "top": top,
            "inside_y": inside_y,
            "last_x": size_x - 1,
            "left": left,
            "inside_x": inside_x,
            "last_word": t.words - 1,
            "window_y": window_y,
            "window_x": window_x,
        }
        facts = {"rows": len(table)}
        for number, source in enumerate(self.workload.sources(i)):
            waits = {"wait_store": first and i > 0, "wait_compute": wait} if number == 0 else {}
            placed = fields | {"base": base + number * t.block}
            self.emit(Opcode.LOAD_ACTIVATIONS, i, placed, ("map", source), **waits, facts=facts)
        return base

    def load_windows(self, i: int, table: tuple[tuple[int, int, int], ...]) -> None:
        """Windows of the rows in use; rows used before but not now get an image number that never comes."""
        idle = max(0, len(self.windows) - len(table))
        full = table + ((WINDOW_UNUSED, 0, 0),) * idle
        if table == self.windows:
            return
        self.windows = table
        key = ("windows", full)
        self.constant(key, len(full), full)
        fields = {"address": 0, "length": len(full), "base": 0, "last_bank": len(full) - 1}
        self.emit(Opcode.LOAD_WINDOWS, i, fields, ("block", key))

    def compute(self, i: int, t: Tiling, pixels: tuple[int, int, int], channels: int, bases: dict[str, int]) -> Callable[[], None]:
        """One tile's sums; returns what writes the instruction that stores them."""
        used, (first, groups) = self.used(t, pixels), self.resident(t, channels)
        rows = used[0] * used[1] * used[2]
        per_row = self.config.output_bits // self.config.cols
        output_base, _ = self.half("outputs", self.config.output_words, 0)
        layer = t.layer
        loops = loops_of(t, groups, per_row)
        strides = {name: [loop[name] for loop in loops] for name in ("count", "activation", "weight", "output", "parameter")}
        deltas = {name: deltas_of(strides["count"], strides[name]) for name in ("activation", "weight")}
        # The drain walks the block loops alone; a loop inside the reduction has its own stride.
        block_deltas = {name: deltas_of(strides["count"][:BLOCK_LEVELS], strides[name][:BLOCK_LEVELS]) for name in ("output", "parameter")}
        output = t.output
        low, high = self.clamps[i]
        mode = OutputMode.RAW if output is None else OutputMode.SIGN if output.activation_bits == 1 else OutputMode.REQUANTISE
        fields = {
            "operator": self.config.path(layer.operator),
            "mode": mode,
            "container": (t.output_width - 1).bit_length(),
            "pool_average": layer.pooling == "average",
            "pool_shift": (layer.pool_window**2 - 1).bit_length() if layer.pooling == "average" else 0,
            "accumulate": 0,
            "drain": 1,
            "low": low,
            "high": high,
            "last_row": rows - 1,
            "last_step": layer.operator.steps - 1,
            "activation_base": bases["activations"] + t.reach.firsts[first],
            "weight_base": bases["weights"],
            "output_base": output_base * per_row % (1 << BUFFER_BITS),
            "parameter_base": bases["parameters"],
            "output_stride_a": loops[-1]["output"] % (1 << BUFFER_BITS),
            "parameter_stride_a": loops[-1]["parameter"],
            "output_stride_row": t.mapping.y * t.mapping.x * t.pixel_rows * per_row % (1 << BUFFER_BITS),
        }
        fields |= {f"last{j}": loop["count"] - 1 for j, loop in enumerate(loops)}
        for name in ("activation", "weight"):
            fields |= {f"{name}_delta{j}": deltas[name][j] % (1 << BUFFER_BITS) for j in range(LEVELS)}
        for name in ("output", "parameter"):
            fields |= {f"{name}_delta{j}": block_deltas[name][j] % (1 << BUFFER_BITS) for j in range(BLOCK_LEVELS)}
        self.emit(Opcode.COMPUTE, i, fields, facts={"rows": rows, "groups": groups, "first_group": first})
        return partial(self.store, i, t, pixels, used, first, groups, output_base)

    def store(
        self, i: int, t: Tiling, pixels: tuple[int, int, int], used: tuple[int, int, int], first: int, groups: int, output_base: int
    ) -> None:
        """One tile's results, resident channels only, to their places among all channels."""
        layer, m, bits = t.layer, t.mapping, self.config.operand_bits
        channels = groups * self.config.cols * 4 if t.output is None else min(groups * self.config.cols, layer.K - first * self.config.cols)
        words = ceil(channels * t.output_width / bits)
        skipped = first * t.group_span * self.config.cols // bits
        pitch_x, pitch_y = t.pixel_words, layer.out_w * t.pixel_words
        n0, y0, x0 = pixels[0] * m.grid_n, pixels[1] * m.grid_y * m.y, pixels[2] * m.grid_x * m.x
        fields = {
            "address": n0 * layer.out_h * pitch_y + y0 * pitch_y + x0 * pitch_x + t.words_before + skipped,
            "address_n": layer.out_h * pitch_y,
            "address_tile_y": m.y * pitch_y,
            "address_tile_x": m.x * pitch_x,
            "address_y": pitch_y,
            "address_x": pitch_x,
            "base": output_base,
            "buffer_row": m.y * m.x * t.pixel_rows,
            "buffer_y": m.x * t.pixel_rows,
            "buffer_x": t.pixel_rows,
            "last_n": used[0] - 1,
            "last_tile_y": used[1] - 1,
            "last_tile_x": used[2] - 1,
            "last_y": m.y - 1,
            "last_x": m.x - 1,
            "last_word": words - 1,
            "end_y": min(layer.out_h - y0, used[1] * m.y) - 1,
            "end_x": min(layer.out_w - x0, used[2] * m.x) - 1,
        }
        pixels_stored = used[0] * (fields["end_y"] + 1) * (fields["end_x"] + 1)
        self.emit(Opcode.STORE, i, fields, ("map", self.workload.target(i)), facts={"words": pixels_stored * words})

    def finish(self) -> Schedule:
        """Place program, constants and feature maps one after the other and add the starts to the addresses."""
        self.stored()
        self.emit(Opcode.END, len(self.tilings) - 1, {})
        length = sum(instruction.memory_words(self.config) for instruction, _ in self.instructions)
        program = Region(0, length)
        place, blocks = length, dict[tuple[Any, ...], Block]()
        for key, (words, table) in self.blocks.items():
            kind = key[0]
            layer, start, groups = (key[1], key[2], key[3]) if kind != "windows" else (0, len(blocks), 1)
            blocks[key] = Block(kind, layer, start, groups, Region(place, words), table)
            place += words
        maps = place_maps(self.workload, self.tilings, place, self.reuse)
        place = max(region.address + region.words for region in maps)
        if place >= 1 << ADDRESS_BITS:
            raise BadInput(f"{self.workload.name} needs {place} memory words; addresses reach {1 << ADDRESS_BITS}. Reduce the batch.")
        placed = []
        for instruction, anchor in self.instructions:
            fields = dict(instruction.fields)
            if anchor:
                fields["address"] += (blocks[anchor[1]].region if anchor[0] == "block" else maps[anchor[1]]).address
            self.check_fields(instruction, fields)
            placed.append(
                Instruction(
                    instruction.opcode, instruction.layer, fields, instruction.wait_store, instruction.wait_compute, instruction.facts
                )
            )
        return Schedule(
            self.workload, self.config, self.mappings, self.images, tuple(placed), tuple(blocks.values()), maps, program, self.reuse
        )

    def check_fields(self, instruction: Instruction, fields: dict[str, int]) -> None:
        for name, (_, _, bits) in LAYOUTS[instruction.opcode].places.items():
            if not -(1 << (bits - 1)) <= fields[name] < 1 << bits:
                layer = self.workload.layers[instruction.layer].name
                raise BadInput(
                    f"Layer {layer}: {instruction.opcode.name} field {name} = {fields[name]} exceeds its {bits} bits. Choose smaller tiles."
                )


def encode(schedule: Schedule) -> list[int]:
    """The program region as 32-bit words, in memory order."""
    per = schedule.config.operand_bits // 32
    out: list[int] = []
    lengths = [instruction.memory_words(schedule.config) for instruction in schedule.instructions]
    for i, instruction in enumerate(schedule.instructions):
        header = {
            "opcode": int(instruction.opcode),
            "next_words": lengths[i + 1] if i + 1 < len(lengths) else 0,
            "wait_store": int(instruction.wait_store),
            "wait_compute": int(instruction.wait_compute),
        }
        words = HEADER.encode(header) + [0] * (per - 1) + LAYOUTS[instruction.opcode].encode(instruction.fields)
        out += words + [0] * (lengths[i] * per - len(words))
    return out
