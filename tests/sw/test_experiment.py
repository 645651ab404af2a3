"""From data to a record: an interrupted experiment ends as an uninterrupted one, and the test images are read once, at the end."""

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.hw.config import integer, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw import experiment as experiments
from gatewright.sw import golden
from gatewright.sw.checkpoint import Epoch, Recipe, load, load_position
from gatewright.sw.data import Split, digits, encode
from gatewright.sw.experiment import EXPERIMENT, NETWORK, RECORD, Experiment, run
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
    assert (tmp_path / "stopped" / NETWORK).read_bytes() == (tmp_path / "whole" / NETWORK).read_bytes()
    assert not [file.name for file in (tmp_path / "whole").iterdir() if file.name not in (EXPERIMENT, NETWORK, RECORD)]


OTHERS = [
    (SMALL.replace(recipe=Recipe(epochs=3)), r"\[training\] epochs = 2, and now it is 3: it goes on as it began"),
    (SMALL.replace(validation=4000), r"\[data\] validation = 5000, and now it is 4000"),
    (SMALL.replace(architecture=SMALL.architecture.replace(operators=(xnor(),))), r'\[network\] operators = \["int8"\], and .* \["xnor"\]'),
]


@pytest.mark.parametrize(("other", "message"), OTHERS)
def test_another_experiment_does_not_go_on(tmp_path: Path, other: Experiment, message: str) -> None:
    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SMALL, tmp_path, progress=stop)
    for _ in "interrupted", "finished":
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(BadInput, match=f"{message}.*leave out --resume"):
            run(other, tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        run(SMALL, tmp_path)


def test_a_network_without_its_experiment_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / NETWORK).write_bytes(b"")
    with pytest.raises(BadInput, match="has no experiment.json beside it"):
        run(SMALL, tmp_path)
