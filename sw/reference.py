"""Reference accuracies: `python -m gatewright.sw.reference NAME...` trains networks of this list.

Every network of the small data sets has one operator throughout, but xnor, which stands between 8-bit ends; those on CIFAR-10 have signed
8-bit activations, and two mix operators.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from gatewright.hw.config import Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.hw.noun import Noun
from gatewright.sw.accuracy import Accuracy
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.experiment import Experiment, Record, run
from gatewright.sw.models import Architecture, layer_names

LABELS = {"digits": "digits", "mnist": "MNIST, first 3,000 test images", "cifar10": "CIFAR-10 (JPEG q75 copy)"}
START, END = "<!-- table: make accuracy -->\n", "<!-- end of table -->\n"

OPERATORS = (
    integer(8),
    integer(4),
    integer(2, 4),
    binary_weight(8),
    shift(5, 8),
    multiplication_free("l1"),
    multiplication_free("mfnet"),
    xnor(),
    stochastic(64),
    stochastic(64, "bipolar"),
)
SIGNED = (integer(8, signed=True), shift(4, 8, signed=True), binary_weight(8, signed=True))
DIGITS, MNIST, CIFAR10 = (
    {"channels": channels, "height": size, "width": size} for channels, size in ((1, 8), (1, 28), (3, 32))
)  # shapes of their images
SMALL = {
    "digits_mlp": ("digits", {"family": "mlp", "widths": (64, 32), **DIGITS}, Recipe(epochs=20)),
    "digits_vgg": ("digits", {"family": "vgg", "widths": (16, 32), "pool_after": (0, 1), **DIGITS}, Recipe(epochs=20)),
    "mnist_mlp": ("mnist", {"family": "mlp", "widths": (128, 64), **MNIST}, Recipe(epochs=3, batch=128, learning_rate=0.01)),
    "mnist_lenet5": ("mnist", {"family": "lenet5", **MNIST}, Recipe(epochs=2, batch=128, learning_rate=0.01)),
}
AUGMENTED = Recipe(epochs=4, batch=128, learning_rate=0.005, margin=4, mirror=True, precision="bfloat16")
LARGE = {
    "cifar10_resnet8": ({"family": "resnet8", **CIFAR10}, AUGMENTED),
    "cifar10_shufflenetv2": (
        {"family": "shufflenetv2", "multiplier": 0.25, **CIFAR10},
        AUGMENTED.replace(epochs=2, learning_rate=0.015, warm_up=0.1),
    ),
}


def references() -> dict[str, Experiment]:
    """Every experiment by its name."""
    found = {}
    for name, (dataset, fields, recipe) in SMALL.items():
        for operator in OPERATORS:
            architecture = _throughout(fields, operator)
            found[f"{name}_{operator.name}"] = Experiment(dataset=dataset, architecture=architecture, recipe=recipe)
    for name, (fields, recipe) in LARGE.items():
        for operator in SIGNED:
            found[f"{name}_{operator.name}"] = Experiment(dataset="cifar10", architecture=_throughout(fields, operator), recipe=recipe)
        found[f"{name}_mixed"] = Experiment(dataset="cifar10", architecture=_mixed(fields), recipe=recipe)
    return found


def _throughout(fields: Mapping[str, object], operator: Operator) -> Architecture:
    """One operator in every layer; one-bit activations only between the first and the last layer."""
    made = Architecture(**fields, operators=(operator,) if operator != xnor() else (integer(8),))
    inner = len(layer_names(made)) - 2
    return made if operator != xnor() else made.replace(operators=(integer(8), *(xnor(),) * inner, integer(8)))


def _mixed(fields: Mapping[str, object]) -> Architecture:
    """Powers of two in the first of the later stages, binary weights in the last and the head, 8 bits elsewhere and in depthwise layers."""
    eight, powers, signs = SIGNED
    made = Architecture(**fields, operators=(eight,))
    early, late = ("stage1.", "stage3.") if made.family == "resnet8" else ("stage3.", "stage4.")

    def chosen(name: str) -> Operator:
        if "depthwise" in name or "shortcut" in name:
            return eight
        return powers if name.startswith(early) else signs if name.startswith((late, "head")) else eight

    return made.replace(operators=tuple(chosen(name) for name in layer_names(made)))


class Row(Noun):
    """A line of the table, as it is kept."""

    name: str
    data: str
    network: str
    test: Accuracy
    validation: Accuracy
    epochs: int
    seed: int
    seconds: float
    torch: str
    experiment: str


def row(name: str, record: Record) -> Row:
    made = record.experiment
    return Row(
        name=name,
        data=LABELS[made.dataset],
        network=made.architecture.name,
        test=record.test,
        validation=record.validation,
        epochs=made.recipe.epochs,
        seed=made.recipe.seed,
        seconds=record.seconds,
        torch=record.torch,
        experiment=made.content_hash,
    )


def table(rows: Mapping[str, Row]) -> str:
    """The table in Markdown, in the order of `references`."""
    lines = [
        "| data | network | test accuracy, 95% interval | n | epochs | seed | seconds | `make accuracy NAME=` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in references():
        if r := rows.get(name):
            accuracy = f"{100 * r.test.value:.1f}% ({100 * r.test.low:.1f}..{100 * r.test.high:.1f}%)"
            lines.append(f"| {r.data} | `{r.network}` | {accuracy} | {r.test.n:,} | {r.epochs} | {r.seed} | {r.seconds:,.0f} | `{name}` |")
    return "\n".join(lines) + "\n"


def read(path: Path) -> dict[str, Row]:
    """The rows that are kept, by name."""
    return {entry["name"]: Row(**entry) for entry in json.loads(path.read_text())}


def keep(rows: Mapping[str, Row], path: Path) -> None:
    """Write the rows, and the table into the Markdown file beside them."""
    listed = [rows[name].model_dump(mode="json") for name in references() if name in rows]
    path.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in listed) + "\n]\n")
    page = path.with_suffix(".md")
    before, _, rest = page.read_text().partition(START)
    page.write_text(before + START + table(rows) + END + rest.partition(END)[2])


def main(arguments: list[str] | None = None) -> int:
    """Train some of the references, or all, each in a folder of its name under --runs; what was finished there is only read."""
    parser = argparse.ArgumentParser(prog="python -m gatewright.sw.reference", description=__doc__)
    parser.add_argument("names", nargs="*", help="of the references; all of them if left out", metavar="NAME")
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"), help="folder of the networks (default: %(default)s)")
    parser.add_argument("--record", type=Path, help="keep the results in this file, and its table in the .md beside it")
    options = parser.parse_args(arguments)
    known = references()
    if unknown := sorted({*options.names} - {*known}):
        raise BadInput(f"{', '.join(unknown)} is no reference; they are {', '.join(known)}.")
    for name in options.names or known:
        started = time.perf_counter()
        record = run(known[name], options.runs / name, progress=lambda epoch: print(f"  {epoch}", flush=True))
        print(f"{name}: {record.test} ({time.perf_counter() - started:.0f} s)", flush=True)
        if options.record:
            kept = read(options.record) if options.record.exists() else {}
            keep(kept | {name: row(name, record)}, options.record)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GatewrightError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
