"""From points to designs: networks trained to the end, priced with their own operands, accurate to the bit."""

from pathlib import Path

from gatewright.dse.evaluate import Source, known
from gatewright.dse.finalists import fit_accumulators
from gatewright.dse.scnas.methods import MAIN, PURE
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.price import bill, pricing
from gatewright.dse.scnas.result import Design, Kind, Search
from gatewright.dse.scnas.search import chosen
from gatewright.hw.config import floating
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.sw import checkpoint, float_network
from gatewright.sw import floating as fp
from gatewright.sw.accuracy import accuracy
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import Dataset
from gatewright.sw.models import Architecture
from gatewright.sw.train import Training


class Finalist(Noun):
    """A network to train to the end. `converted`: in floating point, and then put into its circuits as it is."""

    method: str
    label: str
    kind: Kind
    architecture: Architecture
    estimate: float | None = None
    converted: bool = False

    @property
    def trained_as(self) -> Architecture:
        """What training trains: finalists with the same share the file."""
        apart = self.converted or self.kind == "float"
        return self.architecture.replace(operators=(floating("fp32"),)) if apart else self.architecture

    def file(self, plan: Plan, folder: Path) -> Path:
        """The trained network."""
        return file_of(self.trained_as, plan.final, folder)


def finalists(plan: Plan, searches: list[Search], fixed: Architecture) -> list[Finalist]:
    """What is trained to the end: of each search its best for several exchange rates, and the fixed network in streams of one length."""
    found = []
    for search in searches:
        count = plan.finalists if search.method in MAIN else plan.others
        for point in chosen(search, count, plan.halvings):
            assert point.architecture is not None
            found.append(
                Finalist(
                    method=search.method,
                    label=search.label,
                    kind=search.kind,
                    architecture=point.architecture,
                    estimate=point.estimate,
                )
            )
    for names, converted, how in ((plan.converted, True, "converted"), (plan.pure, False, "trained")):
        for name in names:
            network = fixed.replace(operators=(operator_named(name),))
            label = f"pure SC, {how}, L = {network.operators[0].stream_length}"
            found.append(Finalist(method=PURE, label=label, kind="stochastic", architecture=network, converted=converted))
    return found


def fit(finalist: Finalist, plan: Plan, source: Source, folder: Path) -> None:
    """Train what a finalist needs, into its file, from where an interrupted run stands. Runs in a worker."""
    path, images = finalist.file(plan, folder), source.load()
    part = path.with_suffix(".part")
    if path.is_file():
        return
    if finalist.trained_as.operators[0].kind == "float":
        fp.save(fp.train_float(finalist.trained_as, images, plan.final, part=part), path)
        part.unlink(missing_ok=True)
        return
    training = Training(finalist.trained_as, images, plan.final)
    if part.is_file():
        training.go_on(part)
    while training.left:
        training.epoch()
        checkpoint.save(training.trained, part, training.position)
    checkpoint.save(training.trained, path)
    part.unlink(missing_ok=True)


def assess(finalist: Finalist, plan: Plan, source: Source, folder: Path) -> Design:
    """Fit the accumulators to a trained network's weights, price it, test it. Runs in a worker."""
    images = source.load()
    if finalist.kind == "float":
        return _floating(finalist, plan, images, folder)
    path = finalist.file(plan, folder)
    if finalist.converted:
        model = fp.converted(fp.load(path), finalist.architecture, images, plan.settled)
        path = file_of(finalist.architecture, plan.final, folder, converted=True)
        checkpoint.save(
            checkpoint.Trained(architecture=finalist.architecture, recipe=plan.final, dataset=images.name, network=model, history=()), path
        )
    integers = checkpoint.load(path).export()
    priced = bill(finalist.architecture, plan, pricing(plan))
    if priced.config is None:
        raise BadInput(f"{finalist.architecture.name} runs on none of the plan's accelerators: {priced.rule}")
    config = fit_accumulators(integers, priced.config)
    return Design(
        **_common(finalist),
        config=config,
        mappings=priced.mappings,
        metrics=known(integers, priced.replace(config=config), pricing(plan), images),
        validation=accuracy(integers, images.validation, images.maximum),
        test=accuracy(integers, images.test(), images.maximum),
    )


def file_of(architecture: Architecture, recipe: Recipe, folder: Path, *, converted: bool = False) -> Path:
    """Where a trained network lies."""
    return folder / f"{architecture.content_hash}-{recipe.content_hash}{'-converted' if converted else ''}.safetensors"


def _floating(finalist: Finalist, plan: Plan, images: Dataset, folder: Path) -> Design:
    network, number_format = fp.load(finalist.file(plan, folder)), finalist.architecture.operators[0].number_format
    assert number_format is not None
    priced = bill(finalist.architecture, plan, pricing(plan))
    assert priced.metrics is not None
    return Design(
        **_common(finalist),
        config=None,
        mappings=(),
        metrics=priced.metrics,
        validation=float_network.float_accuracy(network, images.validation, images.maximum, number_format),
        test=float_network.float_accuracy(network, images.test(), images.maximum, number_format),
    )


def _common(finalist: Finalist) -> dict[str, object]:
    names = ("method", "label", "kind", "architecture", "estimate", "converted")
    return {name: getattr(finalist, name) for name in names}
