"""Whole networks: the golden model and PyTorch, predicted cycles and simulated ones."""

from collections.abc import Callable

import numpy as np
import torch

from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.hw.config import AcceleratorConfig, binary_weight, integer
from gatewright.sim import network
from gatewright.sim.probe import choose
from gatewright.sw import golden, models
from gatewright.sw.cycles import timing
from gatewright.sw.models import Architecture
from gatewright.sw.modules import QuantisedNetwork, export
from gatewright.sw.program import Program, lower

ROUNDS = 3
I4, B8 = integer(4), binary_weight(8)


def program(tiny: bool) -> tuple[Program, QuantisedNetwork]:
    """A network for handwritten digits as `make explore` finds it, with random weights: rates do not depend on them."""
    architecture = Architecture(
        family="vgg", channels=1, height=8, width=8, widths=(2 if tiny else 8,), operators=(I4, B8), pool_after=(0,)
    )
    size = 1 if tiny else 4
    config = AcceleratorConfig(rows=size, cols=size, operators=(I4, B8), accumulator_bits=16)
    made = models.network(architecture, seed=1).eval()
    chosen = choose(models.workload(architecture), config, 1, "fast", 0)
    return lower(export(made), config, chosen), made


def images(number: int) -> np.ndarray:
    """Random activation codes [number, 1, 8, 8]."""
    return np.random.default_rng(2).integers(0, 16, (number, 1, 8, 8))


def run_golden(tiny: bool) -> tuple[list[Row], str]:
    made, torch_network = program(tiny)
    codes = images(4 if tiny else 2_000)
    tensor = torch.from_numpy(codes).float()
    equal(
        "logits of golden model and PyTorch", golden.forward(made.network, codes)[-1].reshape(len(codes), -1), infer(torch_network, tensor)
    )
    sides: dict[str, Callable[[], float]] = {
        "golden model": lambda: len(golden.forward(made.network, codes)[-1]),
        "PyTorch, trainable": lambda: len(infer(torch_network, tensor)),
    }
    rows = race("images/s", sides, 1 if tiny else ROUNDS + 2, {"golden model": "PyTorch, trainable"}, 0.0 if tiny else 0.3)
    return rows, f"logits of {len(codes):,} images, PyTorch on {torch.get_num_threads()} threads"


@torch.no_grad()
def infer(network: QuantisedNetwork, codes: torch.Tensor) -> np.ndarray:
    """Logits as integers [N, classes]."""
    return network(codes).long().numpy()


def run_cycles(tiny: bool) -> tuple[list[Row], str]:
    made, _ = program(tiny)
    many, times = images(4 if tiny else 2_000), 5 if tiny else 300
    simulated = network.simulate(made, many[:2], quick=tiny)
    equal("predicted and simulated cycles", np.full(2, timing(made.schedule).cycles), simulated.cycles)
    sides: dict[str, Callable[[], float]] = {
        "cycle model": lambda: sum(timing(made.schedule).cycles for _ in range(times)),
        "RTL under Verilator": lambda: int(network.simulate(made, many, quick=tiny).cycles.sum()),
    }
    rows = race("cycles/s", sides, 1 if tiny else ROUNDS, {"cycle model": "RTL under Verilator"}, 0.0 if tiny else 0.3)
    return rows, f"{timing(made.schedule).cycles:,} cycles of {len(made.schedule.instructions)} instructions, predicted and simulated"


GOLDEN = Benchmark("golden", "The same network in integers", run_golden)
CYCLES = Benchmark("cycles", "Its cycles, predicted without stepping and simulated", run_cycles)
