"""From data to a record: an interrupted experiment ends as an uninterrupted one, and the test images are read once, at the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sw import experiment as experiments
from gatewright.sw import golden
from gatewright.sw.checkpoint import Epoch, Recipe, load, load_position
from gatewright.sw.data import Split, digits, encode
from gatewright.sw.experiment import NETWORK, Experiment, run
from gatewright.sw.models import Architecture

SMALL = Experiment(
    architecture=Architecture(family="mlp", channels=1, height=8, width=8, widths=(8,), operators=(integer(8),)), recipe=Recipe(epochs=2)
)


def test_an_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted() -> Split:
        read.append(len(epochs))
        return digits().test()

    monkeypatch.setattr(experiments, "load", lambda *arguments: replace(digits(), read_test=counted))
    steps: list[tuple[str, int]] = []
    epochs: list[Epoch] = []
    record = run(SMALL, tmp_path / "whole", phase=lambda name, total: lambda: steps.append((name, total)), progress=epochs.append)
    assert read == [2]  # after both epochs
    assert steps == [("Training", 64)] * 64 + [("Testing", 2)] * 2
    assert (record.history, record.test.n, record.validation.n) == (tuple(epochs), 500, 300)
    network, position = load_position(tmp_path / "whole" / NETWORK)
    assert position == {}
    test = digits().test()
    assert record.test.value == (golden.classify(network.export(), encode(integer(8), test.images, 16)) == test.labels).mean()
    assert record.validation.value == epochs[-1].validation
    assert run(SMALL, tmp_path / "whole") == record
    assert len(read) == 1  # what is finished is not tested again

    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SMALL, tmp_path / "stopped", progress=stop)
    assert len(read) == 1
    again = run(SMALL, tmp_path / "stopped")
    assert again.replace(seconds=0) == record.replace(seconds=0)
    assert load(tmp_path / "stopped" / NETWORK).network.state_dict().keys() == network.network.state_dict().keys()
    with pytest.raises(BadInput, match="holds a finished run of another experiment"):
        run(SMALL.replace(recipe=Recipe(epochs=3)), tmp_path / "whole")
