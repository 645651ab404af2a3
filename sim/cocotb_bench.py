"""The cocotb side of whole-network verification: a second, independent host and external memory, in Python, driving every cycle.

Runs inside the simulator; gatewright.sim.cocotb_network starts it with a job file. The memory keeps the declaration of sw/cycles.py.
"""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

RUN = 2  # the host's command, see hw/system.py


class ExternalMemory:
    """One read burst at a time, one word every `interval` cycles, writes apart."""

    def __init__(self, words: np.ndarray, interval: int) -> None:
        self.words = [int(word) for word in words]
        self.interval = interval
        self.address = self.left = self.read_wait = self.write_wait = 0

    def drive(self, dut: Any) -> None:
        """Inputs of the cycle to come."""
        valid = self.left > 0 and self.read_wait == 0
        dut.request_ready.value = int(self.left == 0)
        dut.data_valid.value = int(valid)
        dut.data.value = self.words[self.address] if valid else 0
        dut.write_ready.value = int(self.write_wait == 0)

    def observe(self, dut: Any) -> None:
        """The cycle is settled: what its clock edge will do."""
        self.read_wait, self.write_wait = max(0, self.read_wait - 1), max(0, self.write_wait - 1)
        if int(dut.data_valid.value) and int(dut.data_ready.value):
            self.address, self.left, self.read_wait = self.address + 1, self.left - 1, self.interval - 1
        if int(dut.request_ready.value) and int(dut.request_valid.value):
            self.address, self.left = int(dut.request_address.value), int(dut.request_length.value)
            self.read_wait = self.interval - 1
        if int(dut.write_ready.value) and int(dut.write_valid.value):
            self.words[int(dut.write_address.value)] = int(dut.write_data.value)
            self.write_wait = self.interval - 1


async def step(dut: Any, memory: ExternalMemory) -> dict[str, int]:
    """One clock cycle; what the host port showed in it."""
    memory.drive(dut)
    await FallingEdge(dut.clk)
    memory.observe(dut)
    seen = {name: int(getattr(dut, name).value) for name in ("in_ready", "out_valid", "out_data")}
    await RisingEdge(dut.clk)
    return seen


@cocotb.test()
async def network(dut: Any) -> None:
    """Every batch of the job: its images into memory, RUN, the answer's cycles, the results out of memory."""
    folder = Path(os.environ["GATEWRIGHT_JOB"])
    facts = json.loads((folder / "job.json").read_text())
    memory = ExternalMemory(np.load(folder / "memory.npy"), facts["interval"])
    results = []
    for name in ("in_valid", "in_data", "out_ready"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    await RisingEdge(dut.clk)
    for _ in range(2):
        await step(dut, memory)
    dut.rst.value = 0
    command = [RUN | facts["entry_words"] << 8, *([0] if facts["operand_bits"] == 32 else [])]
    for batch in np.load(folder / "inputs.npy"):
        memory.words[facts["input"] : facts["input"] + len(batch)] = [int(word) for word in batch]
        for word in command:
            dut.in_valid.value, dut.in_data.value = 1, word
            while not (await step(dut, memory))["in_ready"]:
                pass
        dut.in_valid.value = 0
        dut.out_ready.value = 1
        for _ in range(facts["limit"]):
            seen = await step(dut, memory)
            if seen["out_valid"]:
                break
        else:
            raise AssertionError(f"no answer within {facts['limit']} cycles")
        dut.out_ready.value = 0
        results.append([seen["out_data"], *memory.words[facts["output"] : facts["output"] + facts["output_words"]]])
    np.save(folder / "results.npy", np.array(results, dtype=np.uint64))
