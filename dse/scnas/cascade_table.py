"""What two-pass classification saves on handwritten digits, as the tables of docs/scnas.md.

    python -m gatewright.dse.scnas.cascade_table FOLDER docs/scnas.md

trains the networks of `CIRCUITS` and `WIDTHS` in a folder, where they are not there yet, and puts the tables into the page, or prints them.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from gatewright.dse.calibration_table import table
from gatewright.dse.scnas.cascade import Cascade, Member, best, cascade, member
from gatewright.dse.scnas.finalists import file_of
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.price import bill, pricing
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sim.metrics import Metrics
from gatewright.sw import checkpoint
from gatewright.sw.accuracy import Accuracy, wilson
from gatewright.sw.cascade import logits
from gatewright.sw.checkpoint import Trained
from gatewright.sw.data import Dataset, Split, digits
from gatewright.sw.models import Architecture
from gatewright.sw.shorten import shortened
from gatewright.sw.stochastic.measure import publish
from gatewright.sw.train import train

BEGIN, END = "<!-- cascades: begin -->\n", "<!-- cascades: end -->"
STREAMS = "sc_sign_magnitude_sobol"
CIRCUITS: dict[str, tuple[tuple[str, ...], ...]] = {
    "integers": (("int2x4",), ("int3",), ("int4",), ("int8",), ("int4", "xnor", "int4")),
    "streams": (
        *((f"{STREAMS}{name}",) for name in ("8_8", "16_8", "32_8", "8_4")),
        (f"{STREAMS}8_8", "xnor", f"{STREAMS}8_8"),
    ),
}
WIDTHS = ((4, 8), (8, 16), (12, 24), (16, 32))
DIVISORS = (2, 4)  # of streams that end early with the same weights
WANTED = (0.95, 0.97, 0.98, 0.985, 0.99)  # of the validation images
LEAST = 8  # bits of a stream that ends early
PLAN = QUICK.replace(images=1)  # whether an image goes on is seen before the next one
HOW = pricing(PLAN)


def trained(folder: Path, widths: tuple[int, int], names: Sequence[str], images: Dataset) -> Trained:
    """A network of the quick plan, from its file if it has one."""
    fixed = PLAN.fixed(*images.shape, images.classes)
    architecture = fixed.replace(widths=widths, operators=tuple(operator_named(name) for name in names))
    path = file_of(architecture, PLAN.final, folder)
    if not path.is_file():
        checkpoint.save(train(architecture, images, PLAN.final), path)
    return checkpoint.load(path)


def shorter(long: Trained, images: Dataset) -> list[Trained]:
    """The same weights on streams that end early."""
    lengths = {operator.stream_length for operator in long.architecture.operators}
    return [shortened(long, by, images) for by in DIVISORS if all(length and length // by >= LEAST for length in lengths)]


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of each kind of circuit, of streams also those that end early; `same`: each of these before its full length."""

    images: Dataset
    pools: dict[str, list[Member]]
    same: list[tuple[Member, Member]]

    @classmethod
    def of(cls, folder: Path) -> "Networks":
        """All of `CIRCUITS` and `WIDTHS`."""
        images, found = digits(), cls(digits(), {"INT8": []}, [])
        for pool, circuits in CIRCUITS.items():
            found.pools[pool] = []
            for names, widths in product(circuits, WIDTHS):
                network = trained(folder, widths, names, images)
                long, *early = (_priced(item, images) for item in (network, *shorter(network, images)))
                found.pools[pool] += [long, *early]
                found.pools["INT8"] += [long] if names == ("int8",) else []
                found.same.extend((short, long) for short in early)
        return found

    def rows(self, wanted: float, pool: str) -> list[tuple[str, ...]]:
        """The cheapest network alone and the cheapest cascade that reach an accuracy on validation images."""
        members, images = self.pools[pool], self.images
        enough = [m for m in members if _accuracy(m, images.validation, images.maximum).value >= wanted]
        rows = [self.alone(min(enough, key=lambda m: m.metrics.energy_pj))] if enough else []
        with suppress(BadInput):  # nothing reaches it, or a network alone whatever comes second
            rows.append(self.joined(best(members, images, HOW, PLAN.buffer_words_max, wanted)))
        return [(f"{wanted:.1%}", pool, *row) for row in rows]

    def alone(self, one: Member) -> tuple[str, ...]:
        """Cells of a network."""
        validation, test = (_accuracy(one, split, self.images.maximum) for split in (self.images.validation, self.images.test()))
        return (self.name(one.architecture, one.metrics), "", *_costs(validation, test, one.metrics))

    def joined(self, found: Cascade) -> tuple[str, ...]:
        """Cells of a cascade."""
        names = " then ".join(self.name(stage.architecture, stage.alone) for stage in (found.first, found.second))
        return (names, f"{found.test.part:.1%}", *_costs(found.validation.accuracy, found.test.accuracy, found.metrics))

    def name(self, architecture: Architecture, alone: Metrics) -> str:
        """Widths and circuits, and of streams that end early how long they were in training."""
        text = f"{'-'.join(map(str, architecture.widths))} {_circuits(architecture)}"
        origin = [long for short, long in self.same if (short.architecture, short.metrics) == (architecture, alone)]
        return text + "".join(f" of {_circuits(long.architecture)}" for long in origin)


def _circuits(architecture: Architecture) -> str:
    return "/".join(operator.name.replace(STREAMS, "L") for operator in architecture.operators)


def _priced(network: Trained, images: Dataset) -> Member:
    return member(network, bill(network.architecture, PLAN, HOW), HOW, images)


def tables(folder: Path) -> str:
    """Both tables, Markdown."""
    found = Networks.of(folder)
    rows = [row for wanted in WANTED for pool in found.pools for row in found.rows(wanted, pool)]
    headings = ("networks", "second pass", "validation", "test", "nJ, logic", "nJ, with memories")
    early: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for short, long in found.same:
        if long.architecture.widths in WIDTHS[1:]:
            pair = cascade(short, long, found.images, HOW, PLAN.buffer_words_max)
            early.setdefault(found.alone(long), []).append(found.joined(pair))
    below = [row for long, pairs in early.items() for row in (long, *pairs)]
    return f"{table(('validation, at least', 'circuits', *headings), rows, left=3)}\n\n{table(headings, below)}\n"


def _costs(validation: Accuracy, test: Accuracy, metrics: Metrics) -> tuple[str, ...]:
    tested = f"{test.value:.1%} ({test.low:.1%}..{test.high:.1%})"
    return f"{validation.value:.1%}", tested, f"{metrics.energy_pj / 1e3:.0f}", f"{metrics.with_memories() / 1e3:.0f}"


def _accuracy(one: Member, split: Split, maximum: int) -> Accuracy:
    right = logits(one.network, split, maximum).argmax(axis=1) == split.labels
    return wilson(int(right.sum()), len(split))


def main(arguments: list[str]) -> None:
    """The tables, printed or put into a page."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    publish(arguments[1:], tables(folder), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
