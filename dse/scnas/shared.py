"""The super-network of a plan: one set of weights that estimates the accuracy of every network that a search may draw."""

from pathlib import Path
from random import Random

from gatewright.dse.evaluate import Source
from gatewright.dse.scnas.methods import drawn, together
from gatewright.dse.scnas.plan import Plan
from gatewright.sw.models import Architecture
from gatewright.sw.supernet import Span, save, train_super


def share(plan: Plan, source: Source, path: Path) -> None:
    """Train the super-network into a file, unless it is there. Runs in a worker."""
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

    save(train_super(span, draw, images, plan.shared, plan.sample), path)
