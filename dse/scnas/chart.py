"""One-block charts: how much a sum of products errs in every stream circuit, and what one product costs, measured on gates.

    python -m gatewright.dse.scnas.chart [FILE]

makes the chart again that ships with the package. All circuits are given the same operands: what the second layer of a network of 8-bit
integers multiplies, trained on digits, before rounding. Each circuit rounds them as training would; every sum of the gates is compared
with the circuit's arithmetic. Energies are those of one element of 64 bits with a sixteenth of its edges, glitches included.

Errors are cheap, energies are not. So all sign-magnitude circuits of Sobol and counter sources are measured, and all that take one cycle
and share a source; of the rest those that would be worth having if they took `MARGIN` of the energy of the same circuit with sign-magnitude
and a Sobol source.
"""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path

import torch
from pydantic import Field

from gatewright.dse.scnas.sum_errors import errors, rounded
from gatewright.hw.config import Adder, Coding, Operator, Source, stochastic
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.hw.stochastic.sharing import ALL_LANES
from gatewright.sim import files, tools
from gatewright.sim.operators.cost import OPERAND_BITS, TOOLS, measure_operator
from gatewright.sim.operators.operands import drawn
from gatewright.sim.technology import technology_named

CODINGS: tuple[Coding, ...] = ("sign_magnitude", "bipolar")
SOURCES: tuple[Source, ...] = ("sobol", "counter", "lfsr")
ADDERS: tuple[Adder, ...] = ("exact", "approximate", "mux", "or")
SHARINGS = (None, 1)  # all lanes, none; two lanes that share are near-twins of none
LENGTHS = {4: (4, 8, 16, 32), 8: (8, 16, 32, 64)}  # beyond these a product costs more than the exact one
OTHERS = ("int8", "int4", "xnor")  # exact products, and those of one bit
SHARED_BY = 16  # elements by an edge
TECHNOLOGY = "ihp130"
WORKERS = 2
MARGIN = 0.55  # of all measured ones none takes less
DIGITS = 4  # of the figures that are kept


class Entry(Noun):
    """A circuit. Errors are the standard deviation of what is left of a sum's error when an output channel's scale and offset are fitted,
    as normalisation fits them, in units of the standard deviation of the plain sums of the same rounded operands.

    error, error_64: of sums of 576 products (3 x 3) and of 64 (1 x 1). plain: the root mean square of 576, nothing fitted.
    rounding: of sums of 576, against operands that were not rounded, as all errors of xnor. energy_pj: of a product, glitches included;
    area_um2: of a lane.
    """

    operator: str
    energy_pj: float = Field(gt=0)
    zero_delay_pj: float = Field(gt=0)
    area_um2: float = Field(gt=0)
    error: float = Field(ge=0)
    error_64: float = Field(ge=0)
    plain: float = Field(ge=0)
    rounding: float = Field(ge=0)


class Chart(Noun):
    """Circuits, and how they were measured. `hopeless`: those that were not, with their two errors."""

    entries: tuple[Entry, ...]
    hopeless: dict[str, tuple[float, float]] = {}
    provenance: dict[str, str]

    def entry(self, name: str) -> Entry:
        """An operator's. Raises BadInput for one that was not measured."""
        for entry in self.entries:
            if entry.operator == name:
                return entry
        raise BadInput(f"The chart has no operator {name!r}. Measure it: python -m gatewright.dse.scnas.chart FILE.")


def circuits() -> tuple[Operator, ...]:
    """Every stream circuit that is measured."""
    found = []
    for coding, source, sharing, adder in product(CODINGS, SOURCES, SHARINGS, ADDERS):
        for bits, lengths in LENGTHS.items():
            if not (adder == "or" and coding == "bipolar"):
                found += [stochastic(n, coding, source, bits, sharing=sharing, adder=adder) for n in lengths]
    return tuple(found)


def measured(operator: Operator, technology: str = TECHNOLOGY) -> Entry:
    """An entry. Raises Mismatch if a sum of the gates is not the arithmetic's."""
    torch.set_num_threads(1)
    given = drawn(operator, *rounded(operator), OPERAND_BITS, "int8")
    (cost,) = measure_operator(operator, [technology_named(technology)], given=given)
    figures = {name: getattr(cost, name)(SHARED_BY) for name in ("energy_pj", "zero_delay_pj", "area_um2")} | errors(operator)
    return Entry(operator=operator.name, **{name: _short(value) for name, value in figures.items()})


def certain(operator: Operator) -> bool:
    """Whether a circuit is measured whatever it errs."""
    streams = operator.coding == "sign_magnitude" and operator.source in ("sobol", "counter")
    return streams or (operator.steps == 1 and operator.sharing == ALL_LANES)


def hopeful(operator: Operator, error: float, error_64: float, entries: Sequence[Entry]) -> bool:
    """Whether a circuit might be worth having: none of the measured ones of the same operands is both cheaper and no worse."""
    like = operator.replace(coding="sign_magnitude", source="sobol", activation_signed=False).name
    least = MARGIN * next(entry.energy_pj for entry in entries if entry.operator == like)
    rivals = [e for e in entries if operator_named(e.operator).weight_bits == operator.weight_bits and e.operator not in OTHERS]
    return not any(r.energy_pj <= least and r.error <= error and r.error_64 <= error_64 for r in rivals)


def measure(note: Callable[[str], None] = lambda text: None) -> Chart:
    """The chart of every circuit, and of `OTHERS`."""
    operators, entries, hopeless = circuits(), list[Entry](), dict[str, tuple[float, float]]()
    with ProcessPoolExecutor(WORKERS) as pool:

        def add(some: Sequence[Operator]) -> None:
            for entry in pool.map(measured, some):
                note(f"{entry.operator}: {entry.energy_pj} pJ, error {entry.error}")
                entries.append(entry)

        add([operator_named(name) for name in OTHERS] + [operator for operator in operators if certain(operator)])
        others = [operator for operator in operators if not certain(operator)]
        found = [(e["error"], e["error_64"]) for e in pool.map(errors, others)]
        worth = [hopeful(operator, *pair, entries) for operator, pair in zip(others, found, strict=True)]
        hopeless |= {o.name: (_short(e[0]), _short(e[1])) for o, e, hope in zip(others, found, worth, strict=True) if not hope}
        add([operator for operator, hope in zip(others, worth, strict=True) if hope])
    return Chart(entries=tuple(entries), hopeless=hopeless, provenance=provenance())


def provenance() -> dict[str, str]:
    """How a chart is measured today."""
    technology = technology_named(TECHNOLOGY)
    return {
        "command": "python -m gatewright.dse.scnas.chart FILE",
        "operands": "second convolution, 64 channels, of a network of 8-bit integers trained on digits, before rounding; 64 images",
        "element": f"{OPERAND_BITS} operand bits, one stage, edges shared by {SHARED_BY} elements, number sources by {SHARED_BY**2}",
        "technology": f"{technology.name} {technology.hash}",
        **tools.versions(*TOOLS),
    }


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def shipped() -> Path:
    """The chart that comes with the package."""
    return Path(str(resources.files("gatewright.sim"))) / "data" / "streams.json"


@cache
def load(path: Path | None = None) -> Chart:
    """A chart; the package's own without a path. Raises BadInput for what is none."""
    path = path or shipped()
    try:
        return Chart.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"There is no chart of circuits at {path} ({error}). Make it: python -m gatewright.dse.scnas.chart FILE.") from None


def save(path: Path, chart: Chart) -> None:
    """One entry a line; the file is written whole or not at all."""
    lines = ",\n".join(f"  {entry.to_json()}" for entry in chart.entries)
    rest = ",\n".join(f"  {json.dumps(name)}: {json.dumps(pair)}" for name, pair in chart.hopeless.items())
    parts = (f'"provenance": {json.dumps(chart.provenance)}', f'"entries": [\n{lines}\n ]', f'"hopeless": {{\n{rest}\n }}')
    files.write(path, "{\n " + ",\n ".join(parts) + "\n}\n")


def main(arguments: list[str]) -> None:
    """Measure, and write into a file or over the chart that ships."""
    save(Path(arguments[0]) if arguments else shipped(), measure(lambda text: print(text, file=sys.stderr, flush=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
