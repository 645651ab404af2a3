"""What one product of an operator costs in a technology: area, energy and clock rate of its processing element, measured on gates."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path

import numpy as np
from pydantic import Field

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.hw.operators import modules
from gatewright.sim import files, tools
from gatewright.sim.energy_analysis import energy
from gatewright.sim.library import run_gates, synthesise
from gatewright.sim.operators.block import STAGES, Block, block
from gatewright.sim.operators.operands import EPOCHS, STREAMS, Operands, operands
from gatewright.sim.technology import EMBEDDED, Technology, technology_named

OPERAND_BITS = 64
CLOCK_NS = 10.0
TIMED_STREAMS = 8  # in which glitches are counted
TOOLS = ("pyosys", "torch", "amaranth")
LISTED = (
    *("int8", "int4", "int2", "int4x8", "bw8", "bw4", "xnor", "shift5x8", "mf_l1_8", "mf_mfnet_8"),
    *(
        f"sc_{coding}_{source}{length}_8"
        for coding in ("sign_magnitude", "bipolar")
        for source in ("sobol", "lfsr")
        for length in (64, 256)
    ),
    *("fp32", "fp16", "bf16"),
)
REFERENCE = "int8"  # published ratios are to it


class Part(Noun):
    """Some blocks: area, and energy for each product of the one element they belong to, with glitches and without."""

    area_um2: float = Field(ge=0, allow_inf_nan=False)
    energy_pj: float = Field(ge=0, allow_inf_nan=False)
    zero_delay_pj: float = Field(ge=0, allow_inf_nan=False)


class OperatorCost(Noun):
    """A processing element alone with its edges. In a grid of n x n elements an edge serves n of them and a number source n * n.

    `element`: lane products, adders, pipeline register, accumulator. `edges`: both operands' registers, with stream generators where
    there are any. `sources`: number sources. `lanes` products take `steps` cycles.
    """

    operator: str
    technology: str
    lanes: int = Field(ge=1)
    steps: int = Field(ge=1)
    element: Part
    edges: Part
    sources: Part
    fmax_mhz_estimate: float = Field(gt=0, allow_inf_nan=False)

    def area_um2(self, sharing: int) -> float:
        """Of one lane, with its part of what `sharing` x `sharing` elements share."""
        return self._shared(sharing, "area_um2") / self.lanes

    def energy_pj(self, sharing: int) -> float:
        """Of one product."""
        return self._shared(sharing, "energy_pj")

    def zero_delay_pj(self, sharing: int) -> float:
        """Of one product, without glitches."""
        return self._shared(sharing, "zero_delay_pj")

    def _shared(self, n: int, what: str) -> float:
        return float(getattr(self.element, what) + getattr(self.edges, what) / n + getattr(self.sources, what) / n**2)


class Provenance(Noun):
    """How costs were measured."""

    operands: str
    tools: dict[str, str]
    technologies: dict[str, str]
    operand_bits: int
    pipeline_stages: int
    clock_ns: float


def measured_operators() -> tuple[Operator, ...]:
    """The operators of the table, and the first example of every kind that is not among them."""
    listed = [operator_named(name) for name in LISTED]
    kinds = {operator.kind for operator in listed}
    others = [re.split("[ ,]", module.EXAMPLES)[0] for kind, module in sorted(modules().items()) if kind not in kinds]
    return (*listed, *map(operator_named, others))


def measure_operator(
    operator: Operator, technologies: Sequence[Technology], seed: int = 0, given: Operands | None = None
) -> list[OperatorCost]:
    """Synthesise and simulate an element with operands of a network trained in the operator, or those given. Raises Mismatch if a sum
    of the gates is wrong."""
    made = block(operator, given or operands(operator, OPERAND_BITS, seed), OPERAND_BITS)
    return [_measure(made, technology) for technology in technologies]


def _measure(made: Block, technology: Technology) -> OperatorCost:
    synthesis = synthesise(made.design, technology)
    result = run_gates(synthesis, made.stimulus, timed=TIMED_STREAMS)
    made.check(result.outputs[made.output])
    report = energy(synthesis.netlist, result.toggles, technology, CLOCK_NS)
    areas, energies = synthesis.areas(1), report.by_path(1)
    settled = replace(report, glitches=np.zeros_like(report.glitches)).by_path(1)
    products = report.cycles * made.products_per_cycle

    def part(belongs: Callable[[str], bool]) -> Part:
        paths = [path for path in energies if belongs(path[0] if path else "")]
        with_glitches, without = (sum(each[path] for path in paths) / products for each in (energies, settled))
        return Part(area_um2=sum(areas.get(path, 0.0) for path in paths), energy_pj=with_glitches, zero_delay_pj=without)

    return OperatorCost(
        operator=made.operator.name,
        technology=technology.name,
        lanes=made.lanes,
        steps=made.operator.steps,
        element=part(lambda name: name.startswith("element")),
        edges=part(lambda name: not name.startswith("element") and "source" not in name),  # with the nets of the input ports
        sources=part(lambda name: "source" in name),
        fmax_mhz_estimate=synthesis.fmax_mhz_estimate,
    )


def measure_all(
    names: Iterable[str] = EMBEDDED, note: Callable[[str], None] = lambda text: None, seed: int = 0
) -> tuple[Provenance, list[OperatorCost]]:
    """Every operator in some embedded technologies."""
    technologies, costs = [technology_named(name) for name in names], []
    for operator in measured_operators():
        note(f"Measuring {operator.name}")
        costs += measure_operator(operator, technologies, seed)
    how = (
        f"second convolution of a network of 64 channels, trained on digits in each operator ({EPOCHS} epochs), {STREAMS} training images, "
        f"seed {seed}; float: the 8-bit integers' network before rounding"
    )
    used = {technology.name: technology.hash for technology in technologies}
    provenance = Provenance(
        operands=how,
        tools=tools.versions(*TOOLS),
        technologies=used,
        operand_bits=OPERAND_BITS,
        pipeline_stages=STAGES,
        clock_ns=CLOCK_NS,
    )
    return provenance, costs


def shipped() -> Path:
    """The costs that come with the package, made by `gatewright operators --measure --out FILE`."""
    return Path(str(resources.files("gatewright.sim"))) / "data" / "operators.json"


def save(path: Path, provenance: Provenance, costs: Sequence[OperatorCost]) -> None:
    """One cost a line, figures to six digits; the file is written whole or not at all."""
    lines = ",\n".join(f"  {json.dumps(_rounded(cost.model_dump()))}" for cost in costs)
    files.write(path, f'{{\n "provenance": {provenance.to_json()},\n "costs": [\n{lines}\n ]\n}}\n')


def load(path: Path | None = None) -> tuple[Provenance, list[OperatorCost]]:
    """Read what `save` wrote; the package's own without a path. Raises BadInput for any other file, or one with something missing."""
    path = path or shipped()
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        provenance, costs = Provenance(**record["provenance"]), [OperatorCost(**cost) for cost in record["costs"]]
        _complete(costs)
    except KeyError as error:
        fault = f"there is no {error}"
    except (BadInput, OSError, ValueError, TypeError) as error:
        fault = str(error).rstrip(".")
    else:
        return provenance, costs
    raise BadInput(f"{path} holds no operators' costs ({fault}). Make it with gatewright operators --measure --out {path}.")


def _complete(costs: Sequence[OperatorCost]) -> None:
    """Tables need every operator once in every technology, and the operator that ratios are to."""
    pairs = [(cost.operator, cost.technology) for cost in costs]
    if REFERENCE not in {name for name, _ in pairs}:
        raise BadInput(f"there is no {REFERENCE}, which ratios are to")
    names, technologies = (dict.fromkeys(column) for column in zip(*pairs, strict=True))
    for pair in product(names, technologies):
        if pairs.count(pair) != 1:
            raise BadInput(f"{pair[0]} in {pair[1]} {'is missing' if pair not in pairs else 'occurs twice'}")
    if free := [cost.technology for cost in costs if cost.operator == REFERENCE and not cost.element.energy_pj]:
        raise BadInput(f"{REFERENCE} in {free[0]} has no energy, which ratios are to")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
