"""`gatewright train`: what a file may say, a run folder, and going on."""

import json
from pathlib import Path

import pytest

from gatewright.cli import main
from gatewright.cli.common import RUN_CONFIG
from gatewright.cli.train import experiment_from
from gatewright.hw.config import integer, xnor
from gatewright.sw import experiment as experiments
from gatewright.sw.checkpoint import Recipe, load
from gatewright.sw.experiment import Experiment, Record

EXAMPLE = Path(__file__).parents[1] / "examples" / "train.toml"
GOOD = '[network]\nfamily = "mlp"\nwidths = [8]\noperators = ["int8"]\n[training]\nepochs = 2\nbatch = 100\n'
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("small.toml")
    path.write_text(GOOD)
    return path


def test_a_training_from_file_to_folder(config: Path, capsys: Capture) -> None:
    assert main.main(["train", str(config), "--json", "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert "Run runs/small-1" in err
    assert result["run"] == "runs/small-1"
    assert result["command"] == "gatewright train small.toml --seed 7"
    assert (result["n"], result["seed"], result["epochs"], len(result["history"])) == (500, 7, 2, 2)
    assert result["interval"][0] < result["accuracy"] < result["interval"][1]
    trained = load(Path(result["network"]))
    assert (trained.recipe.seed, trained.recipe.batch, trained.recipe.device) == (7, 100, "auto")
    record = Record.from_json(Path("runs/small-1/record.json").read_text())
    assert record.test.value == result["accuracy"]
    assert Path("runs/small-1/config.toml").read_text() == GOOD
    assert main.main(["train", str(config), "--seed", "7", "--resume", "small-1", "--quiet"]) == 0  # finished: only told again
    out, err = capsys.readouterr()
    assert f"{100 * result['accuracy']:.1f}% (n = 500" in out
    assert err == ""
    assert main.main(["train", str(config), "--resume", "small-1"]) == 2
    err = capsys.readouterr().err
    assert "runs/small-1 is a training with [training] seed = 7, and now it is 0: it goes on as it began." in err
    assert "leave out --resume" in err


def test_interrupted(config: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments.Training, "epoch", stop)
    assert main.main(["train", str(config)]) == 130
    assert "Go on with: gatewright train small.toml --resume runs/small-1" in capsys.readouterr().err


def test_the_example() -> None:
    import tomllib

    experiment, folder = experiment_from(tomllib.loads(EXAMPLE.read_text()), str(EXAMPLE), None)
    assert folder is None
    assert experiment.architecture.operators == (integer(8), xnor(), integer(8))
    assert experiment.recipe == Recipe(epochs=20, device="auto")  # the other values in the file are the defaults
    assert experiment.validation == Experiment.model_fields["validation"].default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[net]\n", "small.toml: net is not a known table; known are data, network, training."),
        ("[training]\n", "small.toml has no [network] table; it needs one with family and operators"),
        ("network = 3\n", "small.toml: network must be a table; got 3."),
        ("[accelerator]\n[target]\n", "small.toml is a search's configuration, for `gatewright explore small.toml`"),
        (GOOD + "epoch = 3\n", "Recipe: epoch: is not a known key; check its spelling."),
        (GOOD + "warm_up = 2\n", "Recipe: warm_up must be less than the 2 epochs; got 2."),
        (GOOD.replace('"int8"', '"int9q"'), "There is no operator named 'int9q'."),
        (GOOD.replace('["int8"]', '"int8"'), "[network] operators must be a list of names, such as ['int8', 'xnor']; got 'int8'."),
        (GOOD + '[data]\ndataset = "svhn"\n', "dataset must be one of digits, mnist, fashion_mnist, cifar10; got 'svhn'."),
        (
            GOOD.replace("family", "channels = 3\nfamily"),
            "digits has images of (1, 8, 8) (C, H, W) in 10 classes; the network takes (3, 8, 8)",
        ),
    ],
)
def test_bad_files(config: Path, capsys: Capture, text: str, message: str) -> None:
    config.write_text(text)
    assert main.main(["train", str(config)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


@pytest.fixture
def run(config: Path) -> str:
    """The folder of a training in which nothing was trained yet."""
    folder = Path("runs/small-1")
    folder.mkdir(parents=True)
    (folder / RUN_CONFIG).write_text(GOOD)
    return str(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "RUN"], "RUN is a run of `gatewright train`, which has a network and no accelerator, hence no energies and no page"),
        (["report", "RUN"], "`gatewright generate RUN --accelerator FILE` gives it one, and `gatewright verify RUN` proves it."),
        (["explain", "small.toml"], "small.toml has no [accelerator] table: it is a training's configuration, for `gatewright train`."),
        (["explore", "small.toml"], "small.toml is a training's configuration"),
        (["generate", "RUN"], "has no program yet: `gatewright generate RUN --accelerator FILE` makes one."),
        (["verify", "RUN"], "has no program yet: `gatewright generate RUN --accelerator FILE` makes one."),
        (["board", "run", "RUN", "--simulate"], "has no program yet: `gatewright generate RUN --accelerator FILE` makes one."),
        (["generate", "RUN", "--accelerator", "small.toml"], "small.toml has no [accelerator] table"),
        (["generate", "RUN", "--accelerator", str(EXAMPLE.with_name("grid16.toml"))], "RUN holds no network.safetensors"),
        (["generate", "runs/none", "--accelerator", "small.toml"], "There is no file or run folder runs/none"),
    ],
)
def test_other_commands_know_a_training(run: str, capsys: Capture, arguments: list[str], message: str) -> None:
    assert main.main([argument.replace("RUN", run) for argument in arguments]) == 2
    err = capsys.readouterr().err
    assert message.replace("RUN", run) in err
    assert err.count("\n") == 1  # no progress before it


def test_only_a_training_is_resumed(run: str, capsys: Capture) -> None:
    Path(run, RUN_CONFIG).write_text('[network]\nfamilies = ["vgg"]\n')
    assert main.main(["train", "small.toml", "--resume", run]) == 2
    assert f"{run} is a run of `gatewright explore`, not of a training. Leave out --resume" in capsys.readouterr().err


def test_kernels_poolings_and_activations_of_a_vgg() -> None:
    table = {"family": "vgg", "widths": [4, 6], "operators": ["int8s"], "pool_after": [0, 1], "kernels": [5, 1]}
    table |= {"pooling": ["max", "average"], "activations": ["relu", "clamp"]}
    network = experiment_from({"network": table}, "here", None)[0].architecture
    assert network.convolutions == ((4, 5, "max", True), (6, 1, "average", False))
    assert network.operators == (integer(8, signed=True),)
