"""The host stream, external memory and reset of complete accelerators, by cocotb."""

from pathlib import Path

import pytest

from gatewright.hw.errors import Mismatch
from gatewright.sim import bench
from gatewright.sim.network import TOP, system_verilog
from tests.benches.designs import CONFIGS

MODULE = "tests.benches.system_bench"


@pytest.mark.parametrize("name", CONFIGS)
def test_system(name: str, tmp_path: Path) -> None:
    ran = bench.run(system_verilog(CONFIGS[name]), TOP, MODULE, tmp_path, environment={"BENCH_DESIGN": name})
    assert len(ran) == 5


def test_the_bench_catches_a_wrong_system(tmp_path: Path) -> None:
    """A pipeline stage more than expected changes the cycles: the tests that compare them fail, and they alone."""
    with pytest.raises(Mismatch, match="cocotb: runs_back_to_back, reset_in_flight, an_unknown_command_does_nothing of"):
        bench.run(
            system_verilog(CONFIGS["64 bits"].replace(pipeline_stages=1)), TOP, MODULE, tmp_path, environment={"BENCH_DESIGN": "64 bits"}
        )
