"""Whole networks on generated RTL: a verilated system, its external memory and host in C++, programs and images from files."""

import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import Mismatch
from gatewright.hw.system import System
from gatewright.hw.verilog import emit
from gatewright.sim import fast_verilog, verilator
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program

TOP = "gatewright"
HARNESS = Path(__file__).parent / "harness"


@dataclass(frozen=True)
class Run:
    """What a simulation gave: layer outputs [N, K, h, w] by layer, and each batch's cycles from start to idle."""

    outputs: dict[int, np.ndarray]
    cycles: np.ndarray
    words_read: int
    words_written: int


@lru_cache(maxsize=32)
def system_verilog(config: AcceleratorConfig) -> str:
    """The Verilog of a configuration's complete system."""
    return emit(System(config), TOP)


def build(verilog: str, quick: bool = False) -> Path:
    """A program that runs jobs on this system's Verilog; cached. `quick` compiles in half the time what then runs at half the speed."""
    files = {"memory.hpp": (HARNESS / "memory.hpp").read_text(), "rules.vlt": fast_verilog.RULES}
    harness = (HARNESS / "network.cpp").read_text()
    options = ("--x-initial", "unique", *(("--output-split", "0") if quick else ()), "rules.vlt")
    text = fast_verilog.simulated(verilog, TOP)
    return verilator.build(text, fast_verilog.TOP, harness, files=files, optimise="-O0" if quick else "-O2", options=options)


def simulate(
    program: Program,
    codes: np.ndarray,
    *,
    verilog: str | None = None,
    stall_seed: int = 0,
    all_layers: bool = False,
    quick: bool = False,
) -> Run:
    """Run images through the RTL, `schedule.images` at a time.

    codes: [N, C, H, W] activation codes, N a multiple of the program's images. `verilog` replaces the generated RTL (mutants).
    `all_layers` looks at every map after the run, of a program whose maps are `apart`. With `stall_seed` external memory pauses at random;
    `quick` is as for `build`. Raises Mismatch if the accelerator does not finish.
    """
    schedule = program.schedule
    executable = build(verilog or system_verilog(program.config), quick)
    batches = codes.reshape(-1, schedule.images, *codes.shape[1:])
    inputs = [program.pack_input(batch) for batch in batches]
    layers = range(len(program.network.layers))
    regions = {i: schedule.maps[schedule.workload.target(i)] for i in (layers if all_layers else layers[-1:])}
    output_at = min(region.address for region in regions.values())
    output_words = max(region.address + region.words for region in regions.values()) - output_at
    limit = 16 * timing(schedule).cycles + 10_000
    header = [
        program.config.operand_bits,
        program.config.memory_interval,
        stall_seed,
        limit,
        program.entry_words,
        schedule.memory_words,
        len(program.image),
        schedule.maps[0].address,
        schedule.maps[0].words,
        output_at,
        output_words,
        len(batches),
    ]
    with tempfile.TemporaryDirectory() as folder:
        job, result = Path(folder) / "job", Path(folder) / "result"
        np.concatenate([np.array(header, dtype=np.uint64), program.image, *inputs]).tofile(job)
        done = subprocess.run([executable, job, result], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Mismatch(f"The simulated accelerator failed: {done.stderr.strip() or f'exit status {done.returncode}'}.")
        words = np.fromfile(result, dtype=np.uint64)
    body = words[:-2].reshape(len(batches), 1 + output_words)
    outputs = {}
    for i, region in regions.items():
        start = 1 + region.address - output_at
        parts = [program.unpack_output(batch[start : start + region.words], i) for batch in body]
        outputs[i] = np.concatenate(parts)
    return Run(outputs, body[:, 0].astype(np.int64), int(words[-2]), int(words[-1]))
