"""The super-network of a plan: one set of weights that estimates the accuracy of every network that a search may draw."""

from pathlib import Path
from random import Random

from gatewright.dse.evaluate import Source
from gatewright.dse.scnas.methods import drawn, together
from gatewright.dse.scnas.plan import Plan
from gatewright.sw.models import Architecture
from gatewright.sw.super_training import epochs_done, train_super
from gatewright.sw.supernet import Span, save

PART = ".part"  # of what is not finished


def share(plan: Plan, source: Source, path: Path) -> None:
    """Train the super-network into a file, unless it is there, from where an interrupted run stands. Runs in a worker."""
    if path.is_file():
        return
    images = source.load()
    span = Span(
        channels=images.shape[0],
        height=images.shape[1],
        width=images.shape[2],
        classes=images.classes,
        widths=tuple(max(widths) for widths in plan.widths),
        kernels=(max(plan.kernels),) * len(plan.widths),
        pool_after=plan.pool_after,
    )

    methods = together(plan, plan.fixed(*images.shape, images.classes))

    def draw(random: Random) -> Architecture:
        return drawn(methods, plan, random, images.shape, images.classes)

    save(train_super(span, draw, images, plan.shared, plan.sample, part=path.with_suffix(PART)), path)


def epochs(plan: Plan, path: Path) -> int:
    """How many of the super-network's epochs are behind it."""
    return plan.shared.epochs if path.is_file() else epochs_done(path.with_suffix(PART))
