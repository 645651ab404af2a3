"""What it costs that one processing element runs several operators, and what operand isolation saves.

Every operator of a configuration runs the same network in turn, on grids that differ in nothing but their lanes: `fixed` has that operator
alone, `separate` a lane circuit for each operator, `split` one array that divides (for those that can), `exposed` is `separate` without
operand isolation. Each grid is synthesised, and its gates run the network trained in that operator, with real images.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.element import Element
from gatewright.hw.noun import Noun
from gatewright.hw.split import divisible
from gatewright.sim.library import synthesise
from gatewright.sim.measurement import Measurement
from gatewright.sim.probe import CLOCK_NS, Probe, measure_probe
from gatewright.sim.technology import Technology
from gatewright.sw.models import Architecture, workload

Variant = Literal["fixed", "separate", "split", "exposed"]
WIDTHS = (32, 32)  # output channels of the two convolutions: they fill 32 lanes
EXPLAINED = (
    "fixed: this operator alone. separate: a lane circuit for each operator. split: one array that divides, for those that can. exposed: "
    "separate lanes that all see every operand. Each runs the same network in the operator, with real images."
)
GRID = ("element", "lanes", "activation_edge", "weight_edge", "encoder", "source", "grid")


class Row(Noun):
    """One operator on one variant of the grid. Energies in pJ per useful product: of the grid with its edges, and of all logic, with
    glitches and without.
    `element_mhz` is the static timing of one element, unbuffered, an estimate.
    """

    operator: str
    variant: Variant
    element_um2: float
    element_mhz: float
    area_um2: float
    grid_pj: float
    grid_zero_delay_pj: float
    logic_pj: float
    logic_zero_delay_pj: float


def variants(config: AcceleratorConfig, operator: Operator) -> dict[Variant, AcceleratorConfig]:
    """The grids an operator is measured on."""
    separate = config.replace(split=False, isolation=True)
    found: dict[Variant, AcceleratorConfig] = {"fixed": separate.replace(operators=(operator,)), "separate": separate}
    if divisible(config.operators):
        found["split"] = separate.replace(split=True)
    return found | {"exposed": separate.replace(isolation=False)}


def compare(
    config: AcceleratorConfig,
    technology: Technology,
    *,
    images: int = 64,
    seed: int = 0,
    clock_ns: float = CLOCK_NS,
    listen: Callable[[str], None] = lambda text: None,
) -> Iterator[Row]:
    """A row for every operator of `config` and every variant, in order. Raises Mismatch if any gates misclassify."""
    for operator in config.operators:
        architecture = _network(operator, config.pooling)
        for variant, grid in variants(config, operator).items():
            listen(f"{operator.name} on {variant} lanes")
            probe = Probe(name=f"{operator.name}_{variant}", config=grid, architecture=architecture, streams=images, seed=seed)
            yield _row(operator, variant, measure_probe(probe, technology, clock_ns).measurement, technology)


def _network(operator: Operator, pooling: bool) -> Architecture:
    operators = (operator,) * (len(WIDTHS) + 1)
    pooled = (0,) if pooling else ()
    return Architecture(family="vgg", channels=1, height=8, width=8, widths=WIDTHS, operators=operators, pool_after=pooled)


def _row(operator: Operator, variant: Variant, m: Measurement, technology: Technology) -> Row:
    products = sum(layer.products for layer in workload(m.architecture).layers) * m.images
    area = {key: part.area_um2 for key, part in m.parts.items()}
    grid = [layer.energy[key] for layer in m.layers for key in layer.energy if _kind(key) in GRID]
    elements = m.config.rows * m.config.cols
    return Row(
        operator=operator.name,
        variant=variant,
        element_um2=sum(value for key, value in area.items() if _kind(key) in ("element", "lanes")) / elements,
        element_mhz=synthesise(Element(m.config), technology).fmax_mhz_estimate,
        area_um2=m.area_um2,
        grid_pj=sum(map(sum, grid)) / products,
        grid_zero_delay_pj=sum(sum(causes[:3]) for causes in grid) / products,
        logic_pj=m.energy_pj / products,
        logic_zero_delay_pj=m.zero_delay_pj / products,
    )


def _kind(part: str) -> str:
    return part.partition(":")[0].partition(".")[0]
