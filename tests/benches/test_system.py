"""The host stream, external memory and reset of complete accelerators, by cocotb."""

from pathlib import Path

import numpy as np
import pytest

from gatewright.hw.errors import Mismatch
from gatewright.sim import bench, cocotb_network
from gatewright.sim.network import TOP, system_verilog
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from tests.benches.designs import CONFIGS, case

MODULE = "tests.benches.system_bench"


@pytest.mark.parametrize("name", CONFIGS)
def test_system(name: str, tmp_path: Path) -> None:
    ran = bench.run(system_verilog(CONFIGS[name]), TOP, MODULE, tmp_path, environment={"BENCH_DESIGN": name}, quick=True)
    assert len(ran) == 6


def test_the_bench_catches_a_wrong_system(tmp_path: Path) -> None:
    """A pipeline stage more than expected changes the cycles: the tests that compare them fail, and they alone."""
    other = CONFIGS["64 bits"].replace(pipeline_stages=1)
    with pytest.raises(
        Mismatch, match="cocotb: runs_back_to_back, one_program_after_the_other, reset_in_flight, an_unknown_command_does_nothing of"
    ):
        bench.run(system_verilog(other), TOP, MODULE, tmp_path, environment={"BENCH_DESIGN": "64 bits"}, quick=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_whole_networks_by_cocotb(name: str) -> None:
    """The second way to run a network, written apart from the C++ harness: the golden model's logits, the predicted cycles."""
    chosen = case(name)
    logits, cycles = cocotb_network.simulate(chosen.program, chosen.codes, quick=True)
    np.testing.assert_array_equal(logits, golden.forward(chosen.program.network, chosen.codes)[-1])
    assert cycles.tolist() == [timing(chosen.program.schedule).cycles] * 2
