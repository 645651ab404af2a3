"""On-chip and external memory of a schedule: exact accesses times the cited cost of the technology's memories."""

from dataclasses import dataclass
from functools import lru_cache

from gatewright.hw.channel import SCALE_BITS
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import Opcode
from gatewright.sim.memories import DRAM, Memories
from gatewright.sw.counts import Counts
from gatewright.sw.schedule import Schedule

NW_NS_PJ = 1e-6  # 1 nW for 1 ns

Accesses = dict[str, tuple[int, int]]  # reads and writes by memory


@dataclass(frozen=True)
class Buffer:
    """A logical memory: `number` equal copies of `depth` words of `width` bits."""

    name: str
    depth: int
    width: int
    number: int = 1


@lru_cache(maxsize=4096)
def buffers(config: AcceleratorConfig) -> tuple[Buffer, ...]:
    """The memories of an accelerator; as hw/accelerator.py makes them."""
    return (
        Buffer("weights", config.weight_words, config.operand_bits * config.cols),
        Buffer("activations", config.activation_words, config.operand_bits, config.rows),
        Buffer("outputs", config.output_words, config.output_bits),
        Buffer("biases", config.parameter_words, config.accumulator_bits * config.cols),
        Buffer("scales", config.parameter_words, SCALE_BITS * config.cols),
    )


def accesses(schedule: Schedule, counts: tuple[Counts, ...]) -> tuple[Accesses, ...]:
    """Reads and writes of every buffer in each layer, over all images; the rows' activation buffers together.

    A write of one column's part of a word counts as a write, as the macro's clock edge does.
    """
    loaded = [{Opcode.LOAD_WEIGHTS: 0, Opcode.LOAD_PARAMETERS: 0} for _ in counts]
    for instruction in schedule.instructions:
        if instruction.opcode in loaded[0]:
            loaded[instruction.layer][instruction.opcode] += instruction.fields["length"]
    halves = 64 // schedule.config.operand_bits  # a channel's parameters take two words of 32 bits, one for each memory
    result = []
    for n, words in zip(counts, loaded, strict=True):
        parameters = words[Opcode.LOAD_PARAMETERS] // halves
        result.append(
            {
                "weights": (n.weight_reads, words[Opcode.LOAD_WEIGHTS]),
                "activations": (n.activation_reads * schedule.config.rows, n.activation_writes),
                "outputs": (n.stored_words, n.output_writes),
                "biases": (n.parameter_reads, parameters),
                "scales": (n.parameter_reads, parameters),
            }
        )
    return tuple(result)


def energy_pj(config: AcceleratorConfig, layer: Accesses, cycles: int, clock_ns: float, priced: Memories) -> float:
    """Energy of all on-chip memories in a layer, at a technology's prices: accesses, idle clock edges, leakage."""
    total = 0.0
    for buffer in buffers(config):
        cost, (reads, writes) = priced.macro_for(buffer.depth, buffer.width), layer[buffer.name]
        standing = buffer.number * cycles * (cost.idle_pj + cost.leakage_nw * clock_ns * NW_NS_PJ)
        total += reads * cost.read_pj + writes * cost.write_pj + standing
    return total


def area_um2(config: AcceleratorConfig, priced: Memories) -> float:
    """Area of all on-chip memories in a technology."""
    return sum(buffer.number * priced.macro_for(buffer.depth, buffer.width).area_um2 for buffer in buffers(config))


def external_words(counts: tuple[Counts, ...]) -> int:
    """Words moved from and to external memory."""
    return sum(n.instruction_words + n.linear_words + n.image_words + n.stored_words for n in counts)


def external_pj(config: AcceleratorConfig, counts: tuple[Counts, ...]) -> float:
    return external_words(counts) * config.operand_bits * DRAM.pj_per_bit
