"""A schedule with its tensors: one object that the golden model, the RTL and a host driver read."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from gatewright.hw.config import MULTIPLIER_BITS, AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import WINDOW
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.mapping import Mapping, Tiling
from gatewright.sw.operators import arithmetic
from gatewright.sw.schedule import Block, Schedule, encode, schedule

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Program:
    """An integer network lowered to a configuration. `image` is external memory as the accelerator finds it, without the input."""

    network: IntegerNetwork
    schedule: Schedule

    @property
    def config(self) -> AcceleratorConfig:
        return self.schedule.config

    @property
    def entry_words(self) -> int:
        """Length of the first instruction, which the host names when it starts the program at address 0."""
        return self.schedule.instructions[0].memory_words(self.config)

    @cached_property
    def image(self) -> np.ndarray:
        """Program and constants as memory words (uint64, `operand_bits` used) from address 0 up to the feature maps."""
        bits = self.config.operand_bits
        out = np.zeros(self.schedule.constant_words, dtype=np.uint64)
        out[: self.schedule.program.words] = join(np.array(encode(self.schedule), dtype=np.uint64), bits)
        for block in self.schedule.blocks:
            out[block.region.address : block.region.address + block.region.words] = self._constant(block)
        return out

    def _constant(self, block: Block) -> np.ndarray:
        if block.kind == "windows":
            return np.array([WINDOW.encode({"n": n, "y": y, "x": x})[0] for n, y, x in block.table], dtype=np.uint64)
        layer = self.network.layers[block.layer]
        return (_weights if block.kind == "weights" else _parameters)(layer, self.schedule.tiling(block.layer), block)

    def pack_input(self, codes: np.ndarray) -> np.ndarray:
        """Images [N, C, H, W] (activation codes of the layers that read them, N as the program was scheduled) to memory words."""
        reader = self.schedule.workload.maps[0].readers[0]
        return pack_map(self.network.layers[reader].layer.operator, codes, self.config.operand_bits)

    def unpack_output(self, words: np.ndarray, i: int) -> np.ndarray:
        """Memory words of the map layer i writes to its results, int64 [N, K, out_h, out_w]."""
        layer = self.network.layers[i].layer
        tiling = self.schedule.tiling(i)
        shape = (self.schedule.images, layer.out_h, layer.out_w)
        first = tiling.words_before
        words = words.reshape(-1, tiling.pixel_words)[:, first : first + tiling.own_words].reshape(-1)
        if tiling.output is not None:
            fields = split(words, self.config.operand_bits, tiling.output_width).reshape(*shape, -1)[..., : layer.K]
            codes = fields.astype(np.int64)
            if tiling.output.activation_signed:
                half = 1 << (tiling.output_width - 1)
                codes = ((codes + half) & (2 * half - 1)) - half
        else:
            planes = split(words, self.config.operand_bits, 8).reshape(*shape, -1)[..., : tiling.channel_groups * 4 * self.config.cols]
            planes = planes.reshape(*shape, tiling.channel_groups, 4, self.config.cols).astype(np.int64)
            codes = (planes << np.arange(0, 32, 8)[:, None]).sum(axis=-2).reshape(*shape, -1)[..., : layer.K]
            codes = ((codes + (1 << 31)) & ((1 << 32) - 1)) - (1 << 31)
        return np.moveaxis(codes, -1, 1)

    def save(self, path: Path) -> None:
        """One safetensors file: the tensors, and everything else as JSON in its metadata, with a content hash."""
        tensors = {
            f"{i}.{name}": np.ascontiguousarray(getattr(layer, name))
            for i, layer in enumerate(self.network.layers)
            for name in ("weights", "bias", "multiplier", "shift")
        }
        facts = {
            "format": FORMAT,
            "name": self.network.name,
            "workload": json.loads(self.schedule.workload.to_json()),
            "config": json.loads(self.config.to_json()),
            "mappings": [json.loads(m.to_json()) for m in self.schedule.mappings],
            "images": self.schedule.images,
            "reuse": self.schedule.reuse,
            "posts": [[layer.mode, layer.low, layer.high] for layer in self.network.layers],
        }
        text = json.dumps(facts, sort_keys=True)
        data = save_tensors(tensors, {"program": text, "sha256": _digest(text, tensors)})
        temporary = path.with_name(path.name + ".part")
        temporary.write_bytes(data)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Program":
        """Raises BadInput for a file that is missing, damaged (its hash differs) or of another format."""
        try:
            data = path.read_bytes()
            size = int.from_bytes(data[:8], "little")
            metadata = json.loads(data[8 : 8 + size])["__metadata__"]
            tensors = load_tensors(data)
            text = metadata["program"]
        except FileNotFoundError:
            raise BadInput(f"There is no program {path}. `gatewright explore` writes one in each run's folder.") from None
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            why = error.strerror if isinstance(error, OSError) else "its header or its tensors cannot be read"
            raise BadInput(f"{path} is not a program file, or is damaged: {why}. Run `gatewright explore` again, or use a copy.") from None
        if _digest(text, tensors) != metadata.get("sha256"):
            raise BadInput(
                f"{path} is damaged: its content does not match the hash stored in it. Run `gatewright explore` again, or use a copy."
            )
        facts = json.loads(text)
        if facts["format"] != FORMAT:
            raise BadInput(f"{path} has program format {facts['format']}; this version reads {FORMAT}. Generate it again.")
        workload = Workload(**facts["workload"])
        layers = tuple(
            IntegerLayer(
                layer=layer,
                **{name: tensors[f"{i}.{name}"] for name in ("weights", "bias", "multiplier", "shift")},
                mode=post[0],
                low=post[1],
                high=post[2],
            )
            for i, (layer, post) in enumerate(zip(workload.layers, facts["posts"], strict=True))
        )
        network = IntegerNetwork(name=facts["name"], layers=layers)
        mappings = tuple(Mapping(**m) for m in facts["mappings"])
        return lower(network, AcceleratorConfig(**facts["config"]), mappings, facts["images"], facts["reuse"])

    def apart(self) -> "Program":
        """The same program with every feature map in a place of its own, so that all are there to be looked at after a run."""
        return lower(self.network, self.config, self.schedule.mappings, self.schedule.images, reuse=False)


def lower(
    network: IntegerNetwork, config: AcceleratorConfig, mappings: tuple[Mapping, ...], images: int = 1, reuse: bool = True
) -> Program:
    """A network on a configuration. Raises BadInput where a sum could overflow the accumulator or a rule is broken."""
    clamps = tuple((layer.low, layer.high) for layer in network.layers)
    program = Program(network, schedule(network.workload, config, mappings, images, clamps, reuse))
    for i, layer in enumerate(network.layers):
        if layer.mode == "requantise" and not layer.low <= 0 <= layer.high:
            raise BadInput(f"Layer {layer.layer.name}: its clamp {layer.low}..{layer.high} must hold 0, the result of idle columns.")
        check_accumulator(network, i, config)
    return program


def check_accumulator(network: IntegerNetwork, i: int, config: AcceleratorConfig) -> None:
    """The greatest sum any input can give layer i, with the bias, must fit; so must the bias alone."""
    layer = network.layers[i]
    kind = arithmetic(layer.layer.operator)
    bits = kind.weight_bits(layer.weights).reshape(layer.layer.K, -1)  # [K, terms]
    low, high = (np.minimum(kind.tables.min((0, 1)), 0)[bits].sum(axis=1), np.maximum(kind.tables.max((0, 1)), 0)[bits].sum(axis=1))
    unused, limit = _unused(layer.layer, config, network.workload.context(i).inputs), 1 << (config.accumulator_bits - 1)
    bias = layer.bias - unused
    least = int((low + min(unused, 0) + np.minimum(bias, 0)).min())
    most = int((high + max(unused, 0) + np.maximum(bias, 0)).max())
    if least < -limit or most >= limit:
        raise BadInput(
            f"Layer {layer.layer.name}: sums between {least} and {most} do not fit accumulators of {config.accumulator_bits} bits. "
            f"Give the accelerator at least {max(-least, most).bit_length() + 1} accumulator_bits, or the layer fewer inputs or bits."
        )


def _unused(shape: Layer, config: AcceleratorConfig, inputs: tuple[tuple[int, ...], ...]) -> int:
    """What the lanes beyond the channels add to every sum: of each part of a map that the layer reads, those of its last word."""
    kind, lanes = arithmetic(shape.operator), config.lanes(shape.operator)
    if shape.groups > 1:
        return 0  # grouped layers need an unused weight that adds nothing
    return shape.R * shape.S * sum(kind.unused_products(-channels % lanes) for parts in inputs for channels in parts)


def _weights(layer: IntegerLayer, tiling: Tiling, block: Block) -> np.ndarray:
    """Words in loading order: channel group, kernel row (or map read) and column, channel word, column of the grid."""
    shape, kind, cols, lanes, reach = layer.layer, arithmetic(layer.layer.operator), tiling.config.cols, tiling.lanes, tiling.reach
    channels = np.arange(block.first * cols, min((block.first + block.groups) * cols, shape.K))
    several = len(tiling.inputs) > 1
    rows = shape.R * len(tiling.inputs)  # only 1 x 1 kernels read several maps
    dense = np.full((len(channels), rows, reach.words * lanes, shape.S), kind.unused_weight_bits, dtype=np.uint64)
    inputs = tiling.lanes_of.reshape(shape.groups, -1)[channels // (shape.K // shape.groups)]  # [k, c] over the words of all maps
    source, place = np.divmod(inputs, tiling.words * lanes)
    place = place - (np.array(reach.firsts)[channels // cols] * lanes)[:, None]  # counted from the column group's first word
    packed = kind.pack_weights(layer.weights[channels])  # k, c, r, s
    for r in range(shape.R):
        dense[np.arange(len(channels))[:, None], source if several else r, place] = packed[:, :, r]
    by_lane = dense.reshape(len(channels), rows, reach.words, lanes, shape.S).transpose(0, 1, 4, 2, 3)  # k, r, s, word, lane
    words = (by_lane << (np.arange(lanes, dtype=np.uint64) * np.uint64(shape.operator.weight_width))).sum(axis=-1, dtype=np.uint64)
    grouped = words.reshape(block.groups, len(channels) // block.groups, -1)
    return grouped.transpose(0, 2, 1).reshape(-1)


def _parameters(layer: IntegerLayer, tiling: Tiling, block: Block) -> np.ndarray:
    """Bias, multiplier and shift of each channel, zeros beyond the last: the result there is 0, whatever its column multiplies."""
    config = tiling.config
    first, count = block.first * config.cols, block.groups * config.cols
    last = min(first + count, layer.layer.K)
    bias, scale = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    bias[: last - first] = layer.bias[first:last] - _unused(layer.layer, config, tiling.inputs)
    if layer.mode == "requantise":
        scale[: last - first] = layer.multiplier[first:last] | layer.shift[first:last] << MULTIPLIER_BITS
    if layer.mode == "sign":
        scale[: last - first] = 1 << MULTIPLIER_BITS  # any shift but 0
    words = np.stack([bias & 0xFFFFFFFF, scale], axis=1).reshape(-1).astype(np.uint64)
    return join(words, config.operand_bits)


def pack_map(operator: Operator, codes: np.ndarray, operand_bits: int) -> np.ndarray:
    """A feature map [N, C, H, W] of activation codes as memory words, pixel after pixel, channels in lanes, zero bits beyond."""
    lanes = operand_bits // operator.width
    bits = arithmetic(operator).pack_activations(codes).astype(np.uint64)
    bits = np.pad(bits, ((0, 0), (0, -codes.shape[1] % lanes), (0, 0), (0, 0)))
    n, c, h, w = bits.shape
    by_lane = bits.reshape(n, c // lanes, lanes, h, w).transpose(0, 3, 4, 1, 2)
    return (by_lane << (np.arange(lanes, dtype=np.uint64) * np.uint64(operator.width))).sum(axis=-1, dtype=np.uint64).reshape(-1)


def join(words: np.ndarray, operand_bits: int) -> np.ndarray:
    """32-bit words as memory words, the first one lowest."""
    if operand_bits == 32:
        return words
    pairs = words.reshape(-1, 2)
    return pairs[:, 0] | pairs[:, 1] << np.uint64(32)


def split(words: np.ndarray, operand_bits: int, width: int) -> np.ndarray:
    """Memory words as fields of `width` bits, lowest first, uint64 [words * operand_bits / width]."""
    places = np.arange(0, operand_bits, width, dtype=np.uint64)
    return ((words[:, None] >> places) & np.uint64((1 << width) - 1)).reshape(-1)


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode() + str(tensors[name].dtype).encode() + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
