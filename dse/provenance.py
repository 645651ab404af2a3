"""What a prediction rests on: which measured accelerators tell about each family of parts, how well, and where it goes beyond them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from gatewright.dse.cost import CostModel
from gatewright.dse.equations import Sample, all_parts
from gatewright.dse.events import GLITCHES, dynamic
from gatewright.dse.heldout import HeldOut
from gatewright.dse.space import BUFFERS
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sw.counts import Counts

NEAREST = 3
SIZES = ("rows", "cols", "operand_bits", "accumulator_bits", "accumulator_depth", "pipeline_stages")
WIDTHS = ("weight_bits", "activation_bits", "stream_length", "exponents")  # of an operator
IN_GRID = ("element", "edge", "lanes", "encoder", "source", "grid")  # families whose gates do not depend on the buffers' depths


@dataclass(frozen=True)
class Support:
    """What tells about one family of parts: equations of its fit by unit cost, and measured accelerators that hold it.

    `nearest`: those of them that are most like the configuration in question. Errors are of energy and area held out, as shares with
    their signs, over `scored` parts; None where no other accelerator has the family. `worst`: the energy error of greatest magnitude.
    """

    family: str
    equations: dict[str, int]
    measurements: tuple[str, ...]
    nearest: tuple[str, ...]
    scored: int
    energy_mape: float | None
    energy_worst: float | None
    worst_in: str | None
    area_mape: float | None


@dataclass(frozen=True)
class Extrapolation:
    """A number of the configuration beyond what was measured, for the families named: the prediction continues a line."""

    what: str
    value: float
    low: float
    high: float
    families: tuple[str, ...]

    def __str__(self) -> str:
        end = f"largest measured {self.high:g}" if self.value > self.high else f"smallest measured {self.low:g}"
        return f"{self.what} {self.value:g}: {end}"


def supports(model: CostModel, config: AcceleratorConfig, errors: HeldOut) -> tuple[Support, ...]:
    """The support of every family in a configuration."""
    scored, holders = errors.families(), _holders(model)
    result = []
    for family in dict.fromkeys(part.family for part in all_parts(config)):
        items, rows = holders.get(family, []), scored.get(family, ())
        near = sorted(items, key=lambda item: (distance(item.config, config), item.measurement.name))[:NEAREST]
        energies = [(row.energy_error, f"{row.name} {row.part}") for row in rows if row.energy_error is not None]
        worst, where = max(energies, key=lambda pair: abs(pair[0]), default=(None, None))
        result.append(
            Support(
                family,
                {kind: len(families[family].owner) if family in families else 0 for kind, families in model.systems.items()},
                tuple(item.measurement.name for item in items),
                tuple(item.measurement.name for item in near),
                len(rows),
                _mean([error for error, _ in energies]),
                worst,
                where,
                _mean([row.area_error for row in rows if row.area_error is not None]),
            )
        )
    return tuple(result)


def extrapolations(model: CostModel, config: AcceleratorConfig) -> tuple[Extrapolation, ...]:
    """Sizes of a configuration and widths of its operators outside the range in which each family was measured."""
    found: dict[tuple[str, float, float, float], list[str]] = {}
    holders = _holders(model)
    for part in all_parts(config):
        items = holders.get(part.family, [])
        names = SIZES if part.family.partition(".")[0] in IN_GRID else (*SIZES, *BUFFERS)
        ranges = {name: (getattr(config, name), [getattr(item.config, name) for item in items]) for name in names}
        if part.operator is not None:
            ranges |= _widths(part.family, part.operator, items)
        for name, (value, measured) in ranges.items():
            if measured and not min(measured) <= value <= max(measured):
                families = found.setdefault((name, value, min(measured), max(measured)), [])
                if part.family not in families:
                    families.append(part.family)
    return tuple(Extrapolation(*key, tuple(families)) for key, families in found.items())


def unmeasured(model: CostModel, config: AcceleratorConfig, operators: Iterable[Operator]) -> tuple[str, ...]:
    """Features of flip-flops, area and events that no measured accelerator has: the model takes them as free."""
    missing: dict[str, None] = {}
    for part in all_parts(config):
        moved: dict[str, float] = {}
        for operator in operators:
            activity, _ = model.activity(Work(operator, Counts(), 1.0), config.operand_bits)
            events = dynamic(config, part, operator, activity)
            moved |= {feature: max(map(abs, numbers.values())) for feature, numbers in events.items()}
        settled = {feature: value for feature, value in moved.items() if GLITCHES not in feature}
        glitches = {"glitches": moved} if model.timed else {}
        for kind, features in ({"flips": part.flips, "area": part.area, "settled": settled} | glitches).items():
            known = _known(model, kind, part.family)
            missing |= {f"{part.family}: {kind} by {name}": None for name, value in features.items() if value and name not in known}
    return tuple(missing)


def distance(a: AcceleratorConfig, b: AcceleratorConfig) -> float:
    """How unlike two configurations are: doublings of sizes between them, and operators that only one has."""
    sizes = sum(abs(log2((getattr(a, name) + 1) / (getattr(b, name) + 1))) for name in (*SIZES, *BUFFERS))
    return sizes + len(set(a.operators) ^ set(b.operators))


def _holders(model: CostModel) -> Mapping[str, list[Sample]]:
    """The measured accelerators that hold each family."""
    result: dict[str, list[Sample]] = {}
    for item in model.samples:
        for family in dict.fromkeys(part.family for part in all_parts(item.config)):
            result.setdefault(family, []).append(item)
    return result


def _widths(family: str, operator: Operator, items: Sequence[Sample]) -> dict[str, tuple[float, list[float]]]:
    """Widths of a part's operator, beside those of the family's measured operators."""
    measured = [part.operator for item in items for part in all_parts(item.config) if part.family == family and part.operator is not None]
    result: dict[str, tuple[float, list[float]]] = {}
    for name in WIDTHS:
        if (value := getattr(operator, name)) is not None:
            others = [float(other) for o in measured if (other := getattr(o, name)) is not None]
            result[f"{operator.name} {name}"] = (value, others)
    return result


def _known(model: CostModel, kind: str, family: str) -> set[str]:
    """The features of one unit cost of a family that some measurement has."""
    system = model.systems[kind].get(family)
    return {name for i, name in enumerate(system.names) if system.matrix[:, i].any()} if system else set()


def _mean(errors: Sequence[float]) -> float | None:
    return float(np.mean(np.abs(errors))) if errors else None
