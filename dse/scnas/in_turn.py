"""A cascade's two programs in turn on its one accelerator: every image on Verilog, and the energy of both on gates."""

import numpy as np

from gatewright.dse.prove import Verified
from gatewright.dse.scnas.cascade import Cascade, expected
from gatewright.hw.errors import BadInput
from gatewright.sim.accelerator import measure, netlist_of
from gatewright.sim.metrics import Metrics
from gatewright.sim.network import simulate_in_turn
from gatewright.sim.technology import Technology
from gatewright.sw.cascade import logits, margins
from gatewright.sw.cycles import timing
from gatewright.sw.data import Split, encode
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.program import Program, lower

Pair = tuple[IntegerNetwork, IntegerNetwork]


def programs(found: Cascade, pair: Pair) -> tuple[Program, Program]:
    """Both networks on the cascade's accelerator, one image a run."""
    first, second = pair
    return lower(first, found.config, found.first.mappings), lower(second, found.config, found.second.mappings)


def on_rtl(found: Cascade, pair: Pair, split: Split, maximum: int, verilog: str | None = None) -> Verified:
    """Every image on the cascade's Verilog (or `verilog`), reset once: the first network's program, and the second's where it goes on.

    An image is wrong where any logit of any pass differs from the golden model's. Cycles are those of all images together.
    """
    both, codes = programs(found, pair), _codes(pair, split, maximum)
    golden = [logits(network, split, maximum) for network in pair]
    on = margins(golden[0]) < found.threshold
    turns = [(n, k) for n in range(len(split)) for k in (0, 1) if k == 0 or on[n]]
    runs = simulate_in_turn([(both[k], codes[k][n : n + 1]) for n, k in turns], verilog=verilog)
    wrong, cycles = set[int](), 0
    for (n, k), run in zip(turns, runs, strict=True):
        given = run.outputs[len(pair[k].layers) - 1].reshape(-1)
        cycles += int(run.cycles.sum())
        if not np.array_equal(given, golden[k][n]):
            wrong.add(n)
    predicted = sum(timing(both[k].schedule).cycles for _, k in turns)
    return Verified(images=len(split), mismatches=len(wrong), cycles_predicted=predicted, cycles_simulated=(cycles,))


def on_gates(found: Cascade, pair: Pair, split: Split, maximum: int, technology: Technology, clock_ns: float, most: int = 64) -> Metrics:
    """Mean cost of an image on the gates of the cascade's accelerator, as many going on as of the test images.

    The first program runs the first `most` images of `split`, the second the first `most` of those that go on, side by side. Raises
    BadInput where none goes on, Mismatch where a gate's result differs from the golden model's, or a cycle from the prediction.
    """
    on = np.flatnonzero(margins(logits(pair[0], split, maximum)) < found.threshold)[:most]
    if not len(on):
        raise BadInput(f"None of {len(split)} images goes on to the second network; give more of them.")
    netlist = netlist_of(found.config, technology)
    seen = (split.take(slice(0, most)), split.take(on))
    one, two = (
        measure(program, _codes(pair, part, maximum)[k], technology, clock_ns, netlist).metrics
        for k, (program, part) in enumerate(zip(programs(found, pair), seen, strict=True))
    )
    return expected(one, two, found.test.part)


def _codes(pair: Pair, split: Split, maximum: int) -> list[np.ndarray]:
    """What each network takes."""
    return [encode(network.layers[0].layer.operator, split.images, maximum) for network in pair]
