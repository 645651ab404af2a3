"""The two ways to run a network on RTL, written apart from each other, agree with the golden model and on cycles."""

import numpy as np

from gatewright.sim import cocotb_network
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from tests.benches.designs import CONFIGS, case


def test_cocotb_runs_networks_too() -> None:
    for name in CONFIGS:
        chosen = case(name)
        logits, cycles = cocotb_network.simulate(chosen.program, chosen.codes)
        np.testing.assert_array_equal(logits, golden.forward(chosen.program.network, chosen.codes)[-1])
        assert cycles.tolist() == [timing(chosen.program.schedule).cycles] * 2
