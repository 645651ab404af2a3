"""Whole networks on RTL by cocotb: slower than the C++ harness, and written apart from it."""

import json
import tempfile
from pathlib import Path

import numpy as np

from gatewright.sim import bench
from gatewright.sim.network import TOP, system_verilog
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program

BENCH = "gatewright.sim.cocotb_bench"


def simulate(program: Program, codes: np.ndarray, verilog: str | None = None, quick: bool = False) -> tuple[np.ndarray, np.ndarray]:
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
        bench.run(verilog or system_verilog(program.config), TOP, BENCH, folder, environment={"GATEWRIGHT_JOB": str(folder)}, quick=quick)
        results = np.load(folder / "results.npy")
    last = len(program.network.layers) - 1
    return np.concatenate([program.unpack_output(row[1:], last) for row in results]), results[:, 0].astype(np.int64)
