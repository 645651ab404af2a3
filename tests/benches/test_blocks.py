"""Every block of the accelerator against its cycle-level bench, by cocotb."""

from pathlib import Path

import pytest

from gatewright.hw.verilog import emit
from gatewright.sim import bench
from tests.benches.blocks import BLOCKS, TOP


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str, tmp_path: Path) -> None:
    block = BLOCKS[name]
    verilog = emit(block.build(), TOP)
    assert bench.run(verilog, TOP, f"tests.benches.{block.bench}_bench", tmp_path, environment={"BENCH_BLOCK": name}, quick=True)
