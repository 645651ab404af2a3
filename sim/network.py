"""Whole networks on generated RTL: a verilated system, its external memory and host in C++, programs and images from files."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.system import System
from gatewright.hw.verilog import emit
from gatewright.sim import fast_verilog, verilator
from gatewright.sw.cycles import timing
from gatewright.sw.memory_map import Region
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
    return simulate_in_turn([(program, codes)], verilog=verilog, stall_seed=stall_seed, all_layers=all_layers, quick=quick)[0]


def simulate_in_turn(
    jobs: Sequence[tuple[Program, np.ndarray]],
    *,
    verilog: str | None = None,
    stall_seed: int = 0,
    all_layers: bool = False,
    quick: bool = False,
) -> list[Run]:
    """Run programs of one configuration, each with its images, one after the other on one accelerator that is reset only before the first.

    Between two programs the host turns external memory into the next one's. As `simulate`; raises BadInput for several configurations.
    """
    configs = {program.config for program, _ in jobs}
    if len(configs) != 1:
        raise BadInput(f"One accelerator runs programs that were lowered to it; these are for {len(configs)} configurations.")
    executable = build(verilog or system_verilog(configs.pop()), quick)
    packed = [_Job.of(*job, stall_seed, all_layers) for job in jobs]
    with tempfile.TemporaryDirectory() as folder:
        files = [(Path(folder) / f"job{i}", Path(folder) / f"result{i}") for i in range(len(packed))]
        for job, (path, _) in zip(packed, files, strict=True):
            job.words.tofile(path)
        done = subprocess.run([executable, *(path for pair in files for path in pair)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Mismatch(f"The simulated accelerator failed: {done.stderr.strip() or f'exit status {done.returncode}'}.")
        return [job.read(np.fromfile(result, dtype=np.uint64)) for job, (_, result) in zip(packed, files, strict=True)]


@dataclass(frozen=True, eq=False)
class _Job:
    """A program with its images as the harness reads them, and the regions of memory it answers with, by layer."""

    program: Program
    words: np.ndarray
    batches: int
    regions: dict[int, Region]

    @classmethod
    def of(cls, program: Program, codes: np.ndarray, stall_seed: int, all_layers: bool) -> "_Job":
        schedule = program.schedule
        batches = codes.reshape(-1, schedule.images, *codes.shape[1:])
        inputs = [program.pack_input(batch) for batch in batches]
        layers = range(len(program.network.layers))
        regions = {i: schedule.maps[schedule.workload.target(i)] for i in (layers if all_layers else layers[-1:])}
        output_at, output_words = _span(regions)
        header = [
            program.config.operand_bits,
            program.config.memory_interval,
            stall_seed,
            16 * timing(schedule).cycles + 10_000,
            program.entry_words,
            schedule.memory_words,
            len(program.image),
            schedule.maps[0].address,
            schedule.maps[0].words,
            output_at,
            output_words,
            len(batches),
        ]
        words = np.concatenate([np.array(header, dtype=np.uint64), program.image, *inputs])
        return cls(program, words, len(batches), regions)

    def read(self, words: np.ndarray) -> Run:
        """What the harness answered."""
        output_at, output_words = _span(self.regions)
        body = words[:-2].reshape(self.batches, 1 + output_words)
        outputs = {}
        for i, region in self.regions.items():
            start = 1 + region.address - output_at
            outputs[i] = np.concatenate([self.program.unpack_output(batch[start : start + region.words], i) for batch in body])
        return Run(outputs, body[:, 0].astype(np.int64), int(words[-2]), int(words[-1]))


def _span(regions: dict[int, Region]) -> tuple[int, int]:
    """First address and words of the memory that holds all regions."""
    first = min(region.address for region in regions.values())
    return first, max(region.address + region.words for region in regions.values()) - first
