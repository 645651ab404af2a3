"""The network on generated RTL against the golden model: every logit of every image, and the cycles against the prediction."""

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim import network
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program

Engine = Literal["verilator", "cocotb"]


@dataclass(frozen=True)
class Verification:
    """`mismatches` counts images with any wrong logit; cycles are of one run of the program."""

    engine: Engine
    images: int
    mismatches: int
    cycles_predicted: int
    cycles_simulated: tuple[int, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.images > 0 and self.mismatches == 0 and set(self.cycles_simulated) == {self.cycles_predicted}


def verify(program: Program, codes: np.ndarray, engine: Engine = "verilator", verilog: str | None = None) -> Verification:
    """Run activation codes [N, C, H, W] through the RTL (of `verilog`, or generated anew) and the golden model.

    A last incomplete run is filled up with repeated images, which are not counted. Raises BadInput for no images.
    """
    if not len(codes):
        raise BadInput("Verification needs at least one image; give --images 1 or more.")
    started = time.perf_counter()
    short = -len(codes) % program.schedule.images
    filled = np.concatenate([codes, np.resize(codes, (short, *codes.shape[1:]))]) if short else codes
    if engine == "cocotb":
        from gatewright.sim.cocotb_network import simulate  # cocotb is needed by this engine alone

        logits, cycles = simulate(program, filled, verilog)
    else:
        run = network.simulate(program, filled, verilog=verilog)
        logits, cycles = run.outputs[len(program.network.layers) - 1], run.cycles
    expected = golden.forward(program.network, codes)[-1]
    wrong = (logits[: len(codes)] != expected).reshape(len(codes), -1).any(axis=1)
    return Verification(
        engine,
        len(codes),
        int(wrong.sum()),
        timing(program.schedule).cycles,
        tuple(sorted({int(c) for c in cycles})),
        time.perf_counter() - started,
    )
