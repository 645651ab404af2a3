"""Whole networks on their generated RTL: the compiled host and memory against cocotb's, which drive every cycle from Python."""

from dataclasses import dataclass, replace

import numpy as np

from gatewright.dse.bench.base import Benchmark, Row, equal, race
from gatewright.dse.bench.programs import images, program
from gatewright.hw.config import binary_weight, integer
from gatewright.hw.presets import INT8
from gatewright.sim import cocotb_network, network
from gatewright.sim.probe import choose
from gatewright.sw import models
from gatewright.sw.cycles import timing
from gatewright.sw.models import Architecture
from gatewright.sw.modules import export
from gatewright.sw.program import Program, lower

GOAL = 20  # times as fast as cocotb


@dataclass(frozen=True)
class Side:
    """A program and its images: all for the compiled host, the first `few` for cocotb: enough that its start is a small part."""

    name: str
    program: Program
    codes: np.ndarray
    few: int
    rounds: int


def digits(tiny: bool) -> Side:
    made, _ = program(tiny)
    return Side("digits", made, images(4 if tiny else 2_000), 2 if tiny else 60, 1 if tiny else 3)


def resnet8(tiny: bool) -> Side:
    """ResNet-8 with two operators and random weights on the 16 x 16 preset (tiny: a narrow one for small images on 2 x 2)."""
    signed, binary = integer(8, signed=True), binary_weight(8, signed=True)
    size = 8 if tiny else 32
    given = Architecture(
        family="resnet8", channels=3, height=size, width=size, classes=10, multiplier=0.25 if tiny else 1.0, operators=(signed,)
    )
    number = len(models.layer_names(given))
    architecture = given.replace(operators=tuple(binary if 0 < i < number - 1 and i % 2 else signed for i in range(number)))
    config = INT8.replace(operators=(signed, binary), rows=2 if tiny else 16, cols=2 if tiny else 16)
    chosen = choose(models.workload(architecture), config, 1, "fast", 0)
    made = lower(export(models.network(architecture, seed=1).eval()), config, chosen)
    codes = np.random.default_rng(2).integers(-128, 128, (1 if tiny else 8, 3, size, size))
    return Side(f"ResNet-8, {config.rows} x {config.cols} elements", made, codes, 1, 1 if tiny else 2)


def compare(side: Side, tiny: bool) -> tuple[list[Row], str]:
    """Rates of both hosts on one program, in cycles and in images, and what was compared."""
    few = side.codes[: side.few]
    fast = network.simulate(side.program, few, quick=tiny)
    logits, cycles = cocotb_network.simulate(side.program, few, quick=tiny)
    equal(f"logits of the two simulations of {side.name}", fast.outputs[len(side.program.network.layers) - 1], logits)
    equal(
        f"their cycles and those predicted for {side.name}", [fast.cycles, cycles], [[timing(side.program.schedule).cycles] * side.few] * 2
    )
    ours, theirs = f"{side.name}: Verilator, C++ host", f"{side.name}: Verilator, cocotb host"
    rows = race(
        "cycles/s",
        {
            ours: lambda: int(network.simulate(side.program, side.codes, quick=tiny).cycles.sum()),
            theirs: lambda: int(cocotb_network.simulate(side.program, few, quick=tiny)[1].sum()),
        },
        side.rounds,
        {ours: theirs},
    )
    in_images = [replace(row, value=row.value / cycles[0] * side.program.schedule.images, unit="images/s") for row in rows]
    ratio = rows[0].ratio or 0.0
    goal = Row(f"{GOAL} times cocotb", GOAL * rows[0].value / ratio, "cycles/s", ratio=GOAL / ratio, baseline=ours, origin="goal")
    return [*rows, *in_images, goal], f"{side.name} {side.few} images of {int(cycles[0]):,} cycles"


def run(tiny: bool) -> tuple[list[Row], str]:
    rows, same = zip(*(compare(make(tiny), tiny) for make in (digits, resnet8)), strict=True)
    return [row for part in rows for row in part], f"logits and cycles, as predicted: {'; '.join(same)}"


RTL = Benchmark("rtl", "Networks on their generated RTL, memory and host included", run)
