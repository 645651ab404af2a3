"""What a network costs on the cheapest accelerator of a plan, with the circuits it asks for. In floating point: at the least."""

from functools import cache
from itertools import product

from gatewright.dse.evaluate import Budget, Outcome, Pricing, cheapest, mapper
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.space import BUFFERS, accumulator_bits, operators
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput
from gatewright.sim.operators.cost import OperatorCost, load
from gatewright.sw.layers import Workload
from gatewright.sw.models import Architecture, workload

REFERENCE = integer(8)  # whose accelerator floating point is billed for, with other units in its grid
IN_GRID = ("element", "activation_edge", "weight_edge", "source", "grid")  # kinds of block


def pricing(plan: Plan) -> Pricing:
    """How a plan's accelerators are priced."""
    return Pricing(images=plan.images, clock_ns=plan.clock_ns)


def grids(work: Workload, plan: Plan) -> tuple[AcceleratorConfig, ...]:
    """A plan's accelerators for a network, with exactly its operators, the fewest accumulator bits and the largest buffers.

    Raises BadInput, with the rule, where sums fit no accumulator or circuits do not stand in one grid.
    """
    wanted, found = operators(layer.operator for layer in work.layers), []
    for rows, cols in product(plan.rows, plan.cols):
        base = AcceleratorConfig(
            rows=rows,
            cols=cols,
            operand_bits=plan.operand_bits,
            operators=wanted,
            pooling=any(layer.pooling for layer in work.layers),
            **dict.fromkeys(BUFFERS, plan.buffer_words_max),
        )
        found.append(base.replace(accumulator_bits=accumulator_bits(work, base)))
    return tuple(found)


def bill(architecture: Architecture, plan: Plan, pricing: Pricing) -> Outcome:
    """A network on its cheapest accelerator of a plan, by the calibrated model, not trained; `impossible`, with the rule: it runs on none.

    Of floating point no accelerator: see `floating_bill`.
    """
    try:
        if architecture.operators[0].kind == "float":
            return floating_bill(architecture, plan, pricing)
        work = workload(architecture)
        return cheapest(work, grids(work, plan), pricing, Budget())
    except BadInput as error:
        return Outcome(status="impossible", rule=str(error))


def floating_bill(architecture: Architecture, plan: Plan, pricing: Pricing) -> Outcome:
    """What a network takes in floating point at the least: the 8-bit integers' accelerator and program, other units in its grid.

    The grid's energy is its products times a measured multiply-add with its registers, glitches included; the grid's area is that of as
    many units as it had lanes. Everything around the grid is the 8-bit integers', although operands are two or four times as wide; of
    memories the energy and area grow with the words.
    """
    operator, planner = architecture.operators[0], mapper(pricing)
    work = workload(architecture.replace(operators=(REFERENCE,)))
    base = cheapest(work, grids(work, plan), pricing, Budget())
    assert base.config
    assert base.metrics
    unit, wider = _units(pricing.technology)[operator.name], operator.activation_bits / REFERENCE.activation_bits
    products = sum(layer.products for layer in work.layers)
    units = base.config.rows * base.config.cols * base.config.lanes(REFERENCE)
    predicted = planner.predict(planner.schedule(work, base.config, base.mappings))
    around = sum(pj for layer in predicted.layers for block, pj in layer.items() if block not in IN_GRID)
    metrics = base.metrics.replace(
        energy_pj=around + products * unit.element.energy_pj,
        zero_delay_pj=None,
        area_um2=sum(um2 for block, um2 in predicted.area.items() if block not in IN_GRID) + units * unit.element.area_um2 / unit.lanes,
        memory_energy_pj=wider * base.metrics.memory_energy_pj,
        memory_area_um2=wider * base.metrics.memory_area_um2,
        external_energy_pj=wider * base.metrics.external_energy_pj,
    )
    return Outcome(status="over_budget", metrics=metrics)


@cache
def _units(technology: str) -> dict[str, OperatorCost]:
    """The measured elements of a technology that ship with the package, by operator."""
    return {cost.operator: cost for cost in load()[1] if cost.technology == technology}
