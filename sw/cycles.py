"""Cycles of a schedule under the declared external memory, by a recurrence over instructions that never steps cycles.

The declared memory takes a read request when its last burst is over, gives the first word `memory_interval` cycles later and
one every `memory_interval` cycles while the accelerator takes them; it takes a write every `memory_interval` cycles. Reads and
writes do not disturb each other. The latencies below are the circuits': hw/fetch.py, hw/sequencer.py, hw/drain.py, hw/post.py,
hw/store.py. Tests compare the result with simulation, cycle for cycle.
"""

from dataclasses import dataclass
from math import prod

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.instructions import BLOCK_LEVELS, LEVELS, Opcode, OutputMode
from gatewright.sw.schedule import Instruction, Schedule

TOKEN = 3  # from a block's last issue to its first possible drain beat, plus the pipeline stages
POST = 4  # from a drain beat to its write
START = 2  # from a COMPUTE's last word to its first issue


@dataclass(frozen=True)
class Timing:
    """Cycles from start to end, and when each instruction was dispatched and its engine free again."""

    cycles: int
    dispatched: tuple[int, ...]
    finished: tuple[int, ...]


def load_cycles(instruction: Instruction, config: AcceleratorConfig) -> int:
    """Cycles from the cycle after a load's wait to its last word, inclusive: a request, then words; padding costs one cycle a word."""
    f, interval = instruction.fields, config.memory_interval
    if instruction.opcode != Opcode.LOAD_ACTIVATIONS:
        return 1 + interval * f["length"]
    words = f["last_word"] + 1
    width, height = f["last_x"] + 1, f["last_y"] + 1
    inside = 1 + interval * f["row_words"] + (width - f["inside_x"]) * words if f["inside_x"] else width * words
    return (f["last_n"] + 1) * (f["inside_y"] * inside + (height - f["inside_y"]) * width * words)


def blocks(instruction: Instruction) -> tuple[int, int, int]:
    """Blocks of a COMPUTE, cycles to accumulate one, beats to drain one."""
    f = instruction.fields
    counts = [f[f"last{i}"] + 1 for i in range(LEVELS)]
    number, sums = prod(counts[:BLOCK_LEVELS]), counts[LEVELS - 1]
    cycles = prod(counts[BLOCK_LEVELS:]) * (f["last_step"] + 1)
    beats = sums * (f["last_row"] + 1) * (4 if f["mode"] == OutputMode.RAW else 1)
    return number, cycles, beats


def compute_cycles(instruction: Instruction, config: AcceleratorConfig) -> int:
    """Cycles from a COMPUTE's first issue until its engine is free.

    Block b is issued when block b-1 has been and block b-2 has drained; it drains when its sums are complete and block b-1
    has drained. The end of the last block is the longest path through these times: from one block to the next by issuing or by
    draining, whichever takes longer, with `jumps` from a block's end to the issue of the block after the next. A jump adds a
    block's latency and leaves out two steps, so the longest path has as many jumps as there can be, or none.
    """
    number, cycles, beats = blocks(instruction)
    latency, step, jumps = cycles - 1 + TOKEN + config.pipeline_stages + beats, max(cycles, beats), (number - 1) // 2
    return POST + latency + (number - 1) * step + max(0, jumps * (latency - 2 * step))


def timing(schedule: Schedule) -> Timing:
    """The whole program's cycles, from the cycle after `start` until the accelerator is idle, inclusive."""
    config, interval = schedule.config, schedule.config.memory_interval
    request, compute_free, store_free = 1, 0, 0  # cycle of the next request; first cycles at which the engines are idle
    dispatched, finished = [], []
    for instruction in schedule.instructions:
        words = instruction.memory_words(config)
        header = request + interval
        if instruction.opcode == Opcode.END:
            end = max(header + 1, compute_free, store_free) + 1
            dispatched.append(header)
            finished.append(end)
            break
        engine = {Opcode.COMPUTE: compute_free, Opcode.STORE: store_free}.get(instruction.opcode, 0)
        last = max(header + interval, engine) + interval * (words - 2)
        request = last + 1
        if instruction.opcode == Opcode.COMPUTE:
            compute_free = last + START + compute_cycles(instruction, config)
            done = compute_free
        elif instruction.opcode == Opcode.STORE:
            start = max(last + 1, compute_free)
            done = store_free = start + 3 + (instruction.facts["words"] - 1) * interval
        else:
            waited = max(last + 1, store_free * instruction.wait_store, compute_free * instruction.wait_compute)
            done = waited + load_cycles(instruction, config)
            request = done + 1
        dispatched.append(last)
        finished.append(done)
    return Timing(end, tuple(dispatched), tuple(finished))
