"""Where a prediction's energy goes: every number taken apart into an exact count times a unit cost, and what the unit cost rests on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache

from gatewright.dse import memories
from gatewright.dse.cost import CLOCK_NS, CostModel, Priced
from gatewright.dse.events import dynamic
from gatewright.dse.explanation import Cause, Explanation, LayerCost, Row, an_image
from gatewright.dse.features import Features
from gatewright.dse.heldout import HeldOut, heldout
from gatewright.dse.least_squares import dot
from gatewright.dse.provenance import extrapolations, supports, unmeasured
from gatewright.dse.work import BASIS, Work, works
from gatewright.sim.memories import DRAM
from gatewright.sw.activity import Activity
from gatewright.sw.counts import Counts, count
from gatewright.sw.occupancy import occupancy, traffic
from gatewright.sw.schedule import Schedule

TIMED, ZERO_DELAY = "glitches are in the unit costs", "of some measurements or all, glitches were left out"


def explain(model: CostModel, schedule: Schedule, clock_ns: float = CLOCK_NS, activities: Sequence[Activity] | None = None) -> Explanation:
    """Take a schedule's prediction apart, per image; `activities` as in `CostModel.predict`. Raises BadInput for a part no measurement
    tells about."""
    config, counts, images = schedule.config, count(schedule), schedule.images
    priced = model.priced(config)
    parts = zip(
        schedule.workload.layers,
        counts,
        works(schedule, counts, activities),
        memories.accesses(schedule, counts),
        occupancy(schedule),
        traffic(schedule),
        strict=True,
    )
    layers = []
    for layer, n, work, accesses, occupied, moved in parts:
        logic = (row for item in priced for row in _part(model, schedule, item, work, clock_ns))
        stored = _memories(model, schedule, accesses, n.cycles, clock_ns)
        layers.append(
            LayerCost(
                layer,
                an_image(asdict(n), images),
                tuple(row.an_image(images) for row in logic if row.pj),
                tuple(row.an_image(images) for row in stored if row.pj),
                _external(schedule, n).an_image(images),
                an_image(asdict(occupied), images) | {"utilisation": occupied.utilisation},
                an_image(asdict(moved) | {"compulsory": moved.compulsory}, images),
                model.activity(work, config.operand_bits)[1],
            )
        )
    same = tuple(item.measurement.name for item in model.samples if item.config == config)
    return Explanation(
        schedule,
        clock_ns,
        tuple(layers),
        supports(model, config, _errors(model)),
        extrapolations(model, config),
        unmeasured(model, config, {layer.operator for layer in schedule.workload.layers}),
        same,
        _provenance(model),
    )


@lru_cache(maxsize=2)
def _errors(model: CostModel) -> HeldOut:
    return heldout(model)


def _part(model: CostModel, schedule: Schedule, item: Priced, work: Work, clock_ns: float) -> list[Row]:
    """Clock, leakage and events of one part in one layer, over all images."""
    part, costs = item.part, model.costs[item.part.family]
    flips, cycles = dot(part.flips, costs.flips), work.counts.cycles
    leaked = item.leakage_nw / item.area_um2 * clock_ns * memories.NW_NS_PJ if item.area_um2 else 0.0

    def row(cause: Cause, event: str, number: float, each: float, terms: Mapping[str, tuple[float, float]]) -> Row:
        return Row(item.block, part.key, cause, event, number, each, part.family, terms)

    rows = [
        row("clock", "flip-flop cycles", flips * cycles, costs.clock_pj, {}),
        row("leakage", "um2 cycles", item.area_um2 * cycles, leaked, {}),
    ]
    basis, activity = dict(zip(BASIS, work.basis, strict=True)), model.activity(work, schedule.config.operand_bits)[0]
    events = dynamic(schedule.config, part, work.operator, activity)
    causes: tuple[tuple[Cause, Features], ...] = (("clock", item.clocked), ("settled", item.settled), ("glitches", item.glitches))
    for cause, costs_of in causes:
        by_event: dict[str, dict[str, tuple[float, float]]] = {}
        for feature, numbers in events.items():
            pj = costs_of.get(feature, 0.0)
            if len(numbers) > 1:  # what changes from operand pair to operand pair, several kinds of steps together
                rows.append(row(cause, f"changes: {feature}", sum(times * basis[name] for name, times in numbers.items()), pj, {}))
            for name, times in numbers.items() if len(numbers) == 1 else ():
                by_event.setdefault(name, {})[feature] = (times, pj)
        for name, terms in by_event.items():
            each = sum(times * pj for times, pj in terms.values())
            rows.append(row(cause, name.replace("_", " "), basis[name], each, {f: pair for f, pair in terms.items() if all(pair)}))
    return rows


def _memories(model: CostModel, schedule: Schedule, accesses: memories.Accesses, cycles: int, clock_ns: float) -> list[Row]:
    """Accesses of every on-chip memory over all images, and what it costs to stand there."""
    rows = []
    for buffer in memories.buffers(schedule.config):
        cost, (reads, writes) = model.memories.macro_for(buffer.depth, buffer.width), accesses[buffer.name]
        kinds = {name: buffer.number * cost.macros.count(name) for name in cost.macros}
        macros = " + ".join(f"{number} {name}" for name, number in kinds.items())
        source = f"{macros} in {buffer.number} banks" if buffer.number > 1 else macros
        for event, number, each in (
            ("reads", reads, cost.read_pj),
            ("writes", writes, cost.write_pj),
            ("idle cycles", buffer.number * cycles, cost.idle_pj + cost.leakage_nw * clock_ns * memories.NW_NS_PJ),
        ):
            rows.append(Row("memories", buffer.name, "cited", event, number, each, source, {}))
    return rows


def _external(schedule: Schedule, n: Counts) -> Row:
    bits = schedule.config.operand_bits
    each = bits * DRAM.pj_per_bit
    source = f"{DRAM.name}, {DRAM.pj_per_bit:g} pJ a bit"
    return Row(
        "external", "external memory", "cited", "words", memories.external_words((n,)), each, source, {"bits": (bits, DRAM.pj_per_bit)}
    )


def _provenance(model: CostModel) -> dict[str, str]:
    """Technology, tools and operands of the measurements (several are listed), and who says what memories cost."""
    found = [item.measurement for item in model.samples]
    tools = sorted({f"{name} {version}" for m in found for name, version in m.tools.items()})
    return {
        "measurements": f"{len(found)} accelerators on gates",
        "technology": model.technology,
        "tools": ", ".join(tools),
        "operands": "; ".join(_merged({m.operands for m in found})),
        "activity": TIMED if model.timed else ZERO_DELAY,
        "memories": f"{model.memories.note}: {model.memories.source}",
        "external": DRAM.source,
    }


def _merged(texts: Iterable[str]) -> list[str]:
    """Texts that differ in one number only become one: `64 or 128 images`."""
    numbers: dict[tuple[str, ...], set[int]] = {}
    for text in texts:
        head, *rest = re.split(r"(\d+)", text, maxsplit=1)
        numbers.setdefault((head, *rest[1:]), set()).update(int(number) for number in rest[:1])
    return sorted(" or ".join(map(str, sorted(found))).join(around) if found else around[0] for around, found in numbers.items())
