"""What a network costs on a plan's cheapest accelerator, against explicit programs; floating point against arithmetic by hand."""

import json
from pathlib import Path

import pytest

from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.price import bill, grids, pricing
from gatewright.hw.config import AcceleratorConfig, NumberFormat, Operator, floating, integer, stochastic
from gatewright.sim import operators
from gatewright.sw.models import Architecture, workload
from gatewright.sw.schedule import schedule

COSTS = Path(operators.__file__).parent.parent / "data" / "operators.json"
PLAN = QUICK.replace(rows=(2, 4), cols=(4,), images=1)
SHORT, LONG = stochastic(8, source="sobol"), stochastic(32, source="sobol")


def network(*operators: Operator) -> Architecture:
    return Architecture(
        family="vgg", channels=1, height=8, width=8, classes=10, widths=(8, 16), kernels=(3, 5), pool_after=(0, 1), operators=operators
    )


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    return Mapper(CostModel.default())


@pytest.mark.parametrize(("operators", "images"), [((integer(8),), 1), ((SHORT, LONG, integer(8)), 3)])
def test_a_bill_is_the_explicit_programs(mapper: Mapper, operators: tuple[Operator, ...], images: int) -> None:
    asked, plan = network(*operators), PLAN.replace(images=images)
    found, work = bill(asked, plan, pricing(plan)), workload(asked)
    assert isinstance(found.config, AcceleratorConfig)
    planned = schedule(work, found.config, found.mappings, images)
    assert found.metrics == mapper.predict(planned).metrics
    assert found.metrics is not None
    assert found.metrics.cycles * images == sum(counts.cycles for counts in mapper.predict(planned).counts)


def test_images_of_one_run_share_its_weights() -> None:
    one, four = (bill(network(SHORT), plan, pricing(plan)).metrics for plan in (PLAN, PLAN.replace(images=4)))
    assert one is not None
    assert four is not None
    assert four.energy_pj < one.energy_pj
    assert four.external_energy_pj < one.external_energy_pj
    assert four.latency_ns > one.latency_ns


def test_the_cheapest_grid_is_chosen(mapper: Mapper) -> None:
    asked = network(integer(8))
    found, work = bill(asked, PLAN, pricing(PLAN)), workload(asked)
    energies = {config.rows: mapper.predict(mapper.schedule(work, config)).metrics.energy_pj for config in grids(work, PLAN)}
    assert len(energies) == 2
    assert found.config is not None
    assert found.config.rows == min(energies, key=lambda rows: energies[rows])


def test_a_grid_has_what_its_network_asks_for_and_no_more() -> None:
    for config in grids(workload(network(SHORT, LONG, integer(8))), PLAN):
        assert config.operators == (integer(8), LONG)  # which shortens its streams
        assert config.pooling
        assert (config.operand_bits, config.accumulator_bits) == (64, 23)  # 64 products of 255 x 127, a bias as large, a sign
        assert config.weight_words == PLAN.buffer_words_max
    assert {config.operand_bits for config in grids(workload(network(SHORT)), PLAN.replace(operand_bits=32))} == {32}
    plain = network(integer(4)).replace(pool_after=())
    assert not any(config.pooling for config in grids(workload(plain), PLAN))


@pytest.mark.parametrize(("number_format", "wider"), [("fp32", 4.0), ("fp16", 2.0)])
def test_floating_point_by_hand(mapper: Mapper, number_format: NumberFormat, wider: float) -> None:
    work = workload(network(integer(8)))
    found, base = (bill(network(o), PLAN, pricing(PLAN)) for o in (floating(number_format), integer(8)))
    (unit,) = (c for c in json.loads(COSTS.read_text())["costs"] if (c["operator"], c["technology"]) == (number_format, "ihp130"))
    products = 8 * 1 * 9 * 64 + 16 * 8 * 25 * 16 + 10 * 16 * 4
    assert found.config is None
    assert found.metrics is not None
    assert base.config is not None
    assert base.metrics is not None
    lanes = base.config.rows * base.config.cols * 8
    planned = mapper.predict(mapper.schedule(work, base.config, base.mappings))
    grid = sum(layer.get(kind, 0.0) for layer in planned.layers for kind in ("element", "grid", "activation_edge", "weight_edge"))
    assert found.metrics.energy_pj == pytest.approx(base.metrics.energy_pj - grid + products * unit["element"]["energy_pj"])
    outside = sum(um2 for kind, um2 in planned.area.items() if kind not in ("element", "grid", "activation_edge", "weight_edge"))
    assert found.metrics.area_um2 == pytest.approx(outside + lanes * unit["element"]["area_um2"])
    assert found.metrics.cycles == base.metrics.cycles
    assert found.metrics.memory_energy_pj == pytest.approx(wider * base.metrics.memory_energy_pj)
    assert found.metrics.memory_area_um2 == pytest.approx(wider * base.metrics.memory_area_um2)
    assert found.metrics.external_energy_pj == pytest.approx(wider * base.metrics.external_energy_pj)
    assert found.metrics.origin == "calibrated"


@pytest.mark.parametrize("operator", [integer(8), floating("fp16")])
def test_an_impossible_network_says_the_rule(operator: Operator) -> None:
    small = PLAN.replace(buffer_words_max=16)
    found = bill(network(operator), small, pricing(small))
    assert (found.status, found.metrics) == ("impossible", None)
    assert "has no legal mapping" in found.rule or "exceed" in found.rule
