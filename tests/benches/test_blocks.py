"""Every block of the accelerator against its cycle-level bench, by cocotb. Whole systems are in test_system.py."""

from pathlib import Path

import pytest

from gatewright.hw.verilog import emit
from gatewright.sim import bench
from tests.benches.blocks import BLOCKS, TOP

NAMES = [pytest.param(name, marks=[pytest.mark.thorough] if block.variant else []) for name, block in BLOCKS.items() if not block.design]


@pytest.mark.parametrize("name", NAMES)
def test_block(name: str, tmp_path: Path) -> None:
    block = BLOCKS[name]
    bench.run(emit(block.build(), TOP), TOP, block.module, tmp_path, environment=block.environment(name), quick=True)
