"""The network on generated RTL against the golden model: every logit of every image, and the cycles against the prediction."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.hw.errors import BadInput
from gatewright.sim import network
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from gatewright.sw.program import Program

Engine = Literal["verilator", "cocotb"]
PARTS = 4  # of the images, for each core: as many runs of the simulator, and reports of progress


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


def verify(
    program: Program,
    codes: np.ndarray,
    engine: Engine = "verilator",
    verilog: str | None = None,
    progress: Callable[[int], None] = lambda images: None,
) -> Verification:
    """Run activation codes [N, C, H, W] through the RTL (of `verilog`, or generated anew) and the golden model.

    A last incomplete run is filled up with repeated images, which are not counted. One simulator runs on every core; `progress` hears how
    many images each one was done with. Raises BadInput for no images.
    """
    if not len(codes):
        raise BadInput("Verification needs at least one image; give --images 1 or more.")
    started = time.perf_counter()
    wrong, simulated = 0, set[int]()
    for part, logits, cycles in _parts(program, codes, engine, verilog):
        expected = golden.forward(program.network, part)[-1]
        wrong += int((logits[: len(part)] != expected).reshape(len(part), -1).any(axis=1).sum())
        simulated |= {int(c) for c in cycles}
        progress(len(part))
    seconds = time.perf_counter() - started
    return Verification(engine, len(codes), wrong, timing(program.schedule).cycles, tuple(sorted(simulated)), seconds)


Part = tuple[np.ndarray, np.ndarray, np.ndarray]


def _parts(program: Program, codes: np.ndarray, engine: Engine, verilog: str | None) -> Iterator[Part]:
    """Images, their logits [N or more, K, 1, 1] and the cycles of each run, in some equal parts. The first part builds the simulator."""
    cores, images = os.cpu_count() or 1, program.schedule.images
    parts = 1 if engine == "cocotb" else PARTS * cores  # Python starts anew with every run of cocotb
    size = -(-len(codes) // (images * parts)) * images

    def run(start: int) -> Part:
        part = codes[start : start + size]
        short = -len(part) % images
        filled = np.concatenate([part, np.resize(part, (short, *part.shape[1:]))]) if short else part
        if engine == "cocotb":
            from gatewright.sim.cocotb_network import simulate  # cocotb is needed by this engine alone

            return part, *simulate(program, filled, verilog)
        done = network.simulate(program, filled, verilog=verilog)
        return part, done.outputs[len(program.network.layers) - 1], done.cycles

    yield run(0)
    with ThreadPoolExecutor(cores) as pool:
        yield from pool.map(run, range(size, len(codes), size))
