"""The work of a layer as a few numbers, its basis: the unit costs of dynamic energy multiply these. They come from exact counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.dse.memories import Accesses, accesses
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.instructions import OutputMode
from gatewright.sw.activity import Activity
from gatewright.sw.counts import Counts, count
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import Mapping, Tiling
from gatewright.sw.schedule import Schedule

BASIS = (
    "cycles",
    "issues",
    "useful_issues",  # times the part of the grid's lanes that made useful products
    "filled_issues",  # times the part of an element's lanes that have a channel: idle rows go on with old data
    "activation_reads",
    "useful_activation_reads",
    "filled_activation_reads",
    "weight_reads",
    "useful_weight_reads",
    "filled_weight_reads",
    "switches",  # operand pairs for which one operand was held: then the accumulator changes instead
    "beats",
    "sums",  # rows drained, a raw result's four bytes counted once
    "requantised",  # rows drained to be multiplied and shifted
    "output_writes",
    "parameter_reads",
    "stored_words",
    "instruction_words",
    "linear_words",
    "image_words",
    "walked_words",  # images with their padding
)
RAW_BYTES = 4


@dataclass(frozen=True)
class Work:
    """What one layer does on a configuration: its operator, exact counts, the part of the lanes its channels fill, what becomes of sums.

    Without `filled`, the part of the lanes with useful products stands for it. `activity`: how much its operands move; None: unknown.
    """

    operator: Operator
    counts: Counts
    filled: float | None = None
    mode: OutputMode = OutputMode.REQUANTISE
    activity: Activity | None = None

    @classmethod
    def of(cls, layer: Layer, counts: Counts, config: AcceleratorConfig, context: Context, activity: Activity | None = None) -> "Work":
        """A layer in its place."""
        tile, after = Tiling(layer, config, Mapping(), 1, context), context.output
        mode = OutputMode.RAW if after is None else OutputMode.SIGN if after.activation_bits == 1 else OutputMode.REQUANTISE
        filled = sum(map(sum, tile.inputs)) / (len(tile.inputs) * tile.words * tile.lanes)
        return cls(layer.operator, counts, filled, mode, activity)

    @property
    def useful(self) -> float:
        """The part of the grid's lanes that make useful products while it works."""
        return self.counts.products / self.counts.slots if self.counts.slots else 0.0

    @property
    def useful_lanes(self) -> float:
        """The part of an element's lanes that have a channel."""
        return self.useful if self.filled is None else self.filled

    @property
    def basis(self) -> tuple[float, ...]:
        """The numbers that `BASIS` names."""
        n = self.counts
        useful, filled = self.useful, self.useful_lanes
        return (
            n.cycles,
            n.issues,
            n.issues * useful,
            n.issues * filled,
            n.activation_reads,
            n.activation_reads * useful,
            n.activation_reads * filled,
            n.weight_reads,
            n.weight_reads * useful,
            n.weight_reads * filled,
            max(0.0, n.issues / self.operator.steps - min(n.activation_reads, n.weight_reads)),
            n.beats,
            n.beats / (RAW_BYTES if self.mode == OutputMode.RAW else 1),
            n.beats * (self.mode == OutputMode.REQUANTISE),
            n.output_writes,
            n.parameter_reads,
            n.stored_words,
            n.instruction_words,
            n.linear_words,
            n.image_words,
            n.image_words + n.padding_words,
        )


def works(schedule: Schedule, counts: Sequence[Counts], activities: Sequence[Activity | None] | None = None) -> tuple[Work, ...]:
    """The work of every layer of a schedule; `activities` where its operands are known."""
    work, config = schedule.workload, schedule.config
    known = activities or [None] * len(work.layers)
    rows = enumerate(zip(work.layers, counts, known, strict=True))
    return tuple(Work.of(layer, n, config, work.context(i), activity) for i, (layer, n, activity) in rows)


@dataclass(frozen=True)
class Run:
    """What a schedule does, by layer, over all `images`: the same on all buffers that make it wait in the same places."""

    works: tuple[Work, ...]
    counts: tuple[Counts, ...]
    accesses: tuple[Accesses, ...]
    images: int

    @classmethod
    def of(cls, schedule: Schedule, activities: Sequence[Activity | None] | None = None) -> "Run":
        """`activities`: of its layers, where the network is known."""
        counts = count(schedule)
        return cls(works(schedule, counts, activities), counts, accesses(schedule, counts), schedule.images)
