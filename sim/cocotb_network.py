"""Whole networks on RTL by cocotb: slower than the C++ harness, and written apart from it."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cocotb_tools.runner import VerilatorControlFile, get_runner

from gatewright.hw.errors import Mismatch
from gatewright.sim import cache, tools
from gatewright.sim.network import TOP, system_verilog
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program


def simulate(program: Program, codes: np.ndarray, verilog: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, K, 1, 1] of activation codes [N, C, H, W] (N a multiple of the program's images) and each run's cycles."""
    schedule = program.schedule
    batches = codes.reshape(-1, schedule.images, *codes.shape[1:])
    memory = np.zeros(schedule.memory_words, dtype=np.uint64)
    memory[: len(program.image)] = program.image
    facts = {
        "operand_bits": program.config.operand_bits,
        "interval": program.config.memory_interval,
        "entry_words": program.entry_words,
        "limit": 2 * timing(schedule).cycles + 1000,
        "input": schedule.maps[0].address,
        "output": schedule.maps[-1].address,
        "output_words": schedule.maps[-1].words,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(facts))
        np.save(folder / "memory.npy", memory)
        np.save(folder / "inputs.npy", np.stack([program.pack_input(batch) for batch in batches]))
        _run(verilog or system_verilog(program.config), folder)
        results = np.load(folder / "results.npy")
    last = len(program.network.layers) - 1
    return np.concatenate([program.unpack_output(row[1:], last) for row in results]), results[:, 0].astype(np.int64)


def _run(verilog: str, job: Path) -> None:
    """Build the design for cocotb (cached) and run the bench on a job."""
    options = ["--no-public-flat-rw", "-Wno-fatal", "-O3"]
    name = cache.key(verilog=verilog, options=options, bench="cocotb", tools=tools.versions("verilator", "g++", "cocotb"))

    def make(folder: Path) -> None:
        (folder / "design.v").write_text(verilog)
        (folder / "public.vlt").write_text(f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "*"\n')
        sources = [str(folder / "design.v"), VerilatorControlFile(folder / "public.vlt")]
        with _environment():
            get_runner("verilator").build(
                sources=sources,
                build_args=options,
                hdl_toplevel=TOP,
                build_dir=folder / "build",
                log_file=folder / "build.log",
                always=True,
            )

    built = cache.folder("cocotb", name, make)
    with _environment():
        get_runner("verilator").test(
            test_module="gatewright.sim.cocotb_bench",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=built / "build",
            test_dir=job,
            results_xml=str(job / "results.xml"),
            log_file=job / "test.log",
            extra_env={"GATEWRIGHT_JOB": str(job), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    if not (job / "results.npy").exists():
        raise Mismatch(f"The cocotb bench failed: {_last_lines(job / 'test.log')}")


@contextmanager
def _environment() -> Iterator[None]:
    """cocotb's runner looks its tools up in this process's environment: ours for its time."""
    before = dict(os.environ)
    os.environ.update(tools.verilator_environment())
    os.environ["MAKEFLAGS"] += " OPT_FAST=-O2"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _last_lines(path: Path) -> str:
    return " ".join(path.read_text().splitlines()[-3:]) if path.exists() else "there is no log."
