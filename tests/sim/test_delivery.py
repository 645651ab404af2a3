"""What is delivered is what the program gives, and a changed file is noticed."""

import json
from pathlib import Path

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import Mismatch
from gatewright.sim.delivery import IMAGE, MANIFEST, check, deliver
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer
from gatewright.sw.mapping import Mapping
from gatewright.sw.program import Program, lower


@pytest.fixture(scope="module")
def program() -> Program:
    shape = Layer(name="fc", operator=integer(4), C=5, K=3)
    weights = np.random.default_rng(0).integers(-7, 8, (3, 5, 1, 1)).astype(np.int16)
    zeros = np.zeros(3, dtype=np.int64)
    layer = IntegerLayer(layer=shape, weights=weights, bias=zeros, multiplier=zeros, shift=zeros, mode="raw")
    config = AcceleratorConfig(rows=1, cols=2, operand_bits=32, operators=(integer(4),))
    return lower(IntegerNetwork(name="one", layers=(layer,)), config, (Mapping(channels=2),))


def test_memory_hex_is_the_image_word_for_word(program: Program, tmp_path: Path) -> None:
    deliver(tmp_path, program.config, program)
    check(tmp_path, program)
    words = [int(line, 16) for line in (tmp_path / IMAGE).read_text().split()]
    assert words == program.image.tolist()
    assert json.loads((tmp_path / MANIFEST).read_text())["input"]["address"] == program.schedule.maps[0].address >= len(words)


@pytest.mark.parametrize("name", [IMAGE, MANIFEST])
def test_a_changed_or_missing_file_is_noticed(program: Program, tmp_path: Path, name: str) -> None:
    deliver(tmp_path, program.config, program)
    path = tmp_path / name
    text = path.read_text()
    path.write_text(text[:-2] + ("0" if text[-2] != "0" else "1") + text[-1])
    with pytest.raises(Mismatch, match="not what the program beside it gives"):
        check(tmp_path, program)
    path.unlink()
    with pytest.raises(Mismatch, match="is missing"):
        check(tmp_path, program)
