"""What a network costs on the cheapest accelerator of a plan, with the circuits it asks for. In floating point: a lower bound."""

from functools import cache
from itertools import product

from gatewright.dse.evaluate import Budget, Outcome, Pricing, cheapest
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.space import BUFFERS, accumulator_bits, operators
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.errors import BadInput
from gatewright.sim.operators.cost import OperatorCost, load
from gatewright.sw.layers import Workload
from gatewright.sw.models import Architecture, workload

REFERENCE = integer(8)  # whose program moves the words that floating point is billed for


def pricing(plan: Plan) -> Pricing:
    """How a plan's accelerators are priced."""
    return Pricing(clock_ns=plan.clock_ns)


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
    """A lower bound of what a network takes in floating point.

    Energy: its products times a measured multiply-add with its registers, glitches included; no operand registers at edges, no control,
    no activation functions. Area and cycles: as many such units as the 8-bit integers' cheapest grid has lanes, all of them busy all the
    time. Memories: those and the traffic of the 8-bit integers' program, words wider by the format's bits.
    """
    operator = architecture.operators[0]
    work = workload(architecture.replace(operators=(REFERENCE,)))
    base = cheapest(work, grids(work, plan), pricing, Budget())
    assert base.config
    assert base.metrics
    unit, wider = _units(pricing.technology)[operator.name], operator.activation_bits / REFERENCE.activation_bits
    products = sum(layer.products for layer in work.layers)
    units = base.config.rows * base.config.cols * base.config.lanes(REFERENCE)
    cycles = products / units
    metrics = base.metrics.replace(
        energy_pj=products * unit.element.energy_pj,
        zero_delay_pj=products * unit.element.zero_delay_pj,
        area_um2=units * unit.element.area_um2 / unit.lanes,
        cycles=cycles,
        latency_ns=cycles * pricing.clock_ns,
        memory_energy_pj=wider * base.metrics.memory_energy_pj,
        memory_area_um2=wider * base.metrics.memory_area_um2,
        external_energy_pj=wider * base.metrics.external_energy_pj,
        origin="measured",
        activity="timed",
        heldout_error=None,
    )
    return Outcome(status="over_budget", metrics=metrics)


@cache
def _units(technology: str) -> dict[str, OperatorCost]:
    """The measured elements of a technology that ship with the package, by operator."""
    return {cost.operator: cost for cost in load()[1] if cost.technology == technology}
