"""Images are verified in parts on every core: every image is counted once, whatever is wrong with it. The simulator is a stand-in."""

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput
from gatewright.sim import verification
from gatewright.sim.network import Run
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from gatewright.sw.layers import Layer
from gatewright.sw.program import Program
from tests.generators import assemble

CONFIG = AcceleratorConfig(rows=2, cols=2, operators=(integer(4),))


@pytest.fixture
def program() -> Program:
    """Three images a run."""
    case = assemble(np.random.default_rng(1), CONFIG, [Layer(name="only", operator=integer(4), C=3, K=5)], images=3)
    assert case
    return case.program


@pytest.mark.parametrize("number", [1, 3, 4, 50])
@pytest.mark.parametrize("cores", [1, 2])
def test_every_image_is_counted_once(program: Program, number: int, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(2).integers(0, 16, (number, 3, 1, 1))
    spoilt = {0, number // 2, number - 1}
    predicted = timing(program.schedule).cycles
    seen: list[int] = []

    def simulate(given: Program, part: np.ndarray, verilog: str | None) -> Run:
        assert len(part) % 3 == 0
        logits = golden.forward(given.network, part)[-1].copy()
        for i in spoilt:
            logits[(part == codes[i]).all(axis=(1, 2, 3)), 0] += 1
        return Run({0: logits}, np.full(len(part) // 3, predicted), 0, 0)

    monkeypatch.setattr(verification.network, "simulate", simulate)
    monkeypatch.setattr(verification.os, "cpu_count", lambda: cores)
    result = verification.verify(program, codes, progress=seen.append)
    same = {i for i in range(number) if any((codes[i] == codes[k]).all() for k in spoilt)}
    assert (result.images, result.mismatches, sum(seen)) == (number, len(same), number)
    assert result.cycles_simulated == (predicted,)
    assert not result.passed
    spoilt.clear()
    assert verification.verify(program, codes).passed


def test_other_cycles_are_a_failure(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def simulate(given: Program, part: np.ndarray, verilog: str | None) -> Run:
        return Run({0: golden.forward(given.network, part)[-1]}, np.full(len(part) // 3, 1), 0, 0)

    monkeypatch.setattr(verification.network, "simulate", simulate)
    result = verification.verify(program, np.zeros((6, 3, 1, 1), dtype=np.int64))
    assert (result.mismatches, result.passed) == (0, False)


def test_no_images_are_refused(program: Program) -> None:
    with pytest.raises(BadInput, match="needs at least one image"):
        verification.verify(program, np.zeros((0, 3, 1, 1), dtype=np.int64))
