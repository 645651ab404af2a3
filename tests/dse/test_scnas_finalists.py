"""From trained networks to designs: which images, which number format, which operands, whose accumulators."""

from pathlib import Path

import pytest

from gatewright.dse.cost import CostModel
from gatewright.dse.evaluate import Source
from gatewright.dse.finalists import fit_accumulators
from gatewright.dse.scnas.finalists import Finalist, assess, file_of, finalists, fit
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.price import bill, pricing
from gatewright.dse.scnas.result import Design
from gatewright.hw.config import floating, integer
from gatewright.sw import checkpoint, float_network
from gatewright.sw import floating as fp
from gatewright.sw.accuracy import accuracy
from gatewright.sw.activity import IMAGES, activities
from gatewright.sw.data import digits, encode
from gatewright.sw.models import Architecture, workload
from gatewright.sw.modules import export
from gatewright.sw.schedule import schedule

PLAN = QUICK.replace(rows=(2,), cols=(2,), final=QUICK.final.replace(epochs=1), pure=("int4",), converted=("int4",), settled=64)
SOURCE = Source(dataset="digits")
NETWORK = Architecture(family="vgg", channels=1, height=8, width=8, classes=10, widths=(4,), pool_after=(0,), operators=(integer(8),))
FOUR = NETWORK.replace(operators=(integer(4),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("designs")
    for finalist in finalists(PLAN, [], NETWORK):
        fit(finalist, PLAN, SOURCE, found)
    return found


def assessed(folder: Path, *, converted: bool) -> Design:
    (finalist,) = (f for f in finalists(PLAN, [], NETWORK) if f.converted == converted)
    return assess(finalist, PLAN, SOURCE, folder)


@pytest.mark.parametrize("converted", [False, True])
def test_circuits_are_assessed_as_they_compute(folder: Path, converted: bool) -> None:
    found, images = assessed(folder, converted=converted), digits()
    integers = checkpoint.load(file_of(FOUR, PLAN.final, folder, converted=converted)).export()
    if converted:
        floats = fp.load(file_of(NETWORK.replace(operators=(floating("fp32"),)), PLAN.final, folder))
        again = fp.converted(floats, FOUR, images, PLAN.settled)
        assert accuracy(export(again), images.validation, images.maximum) == found.validation
    assert found.validation == accuracy(integers, images.validation, images.maximum)
    assert found.test == accuracy(integers, images.test(), images.maximum)
    assert (found.validation.n, found.test.n) == (300, 500)
    priced = bill(FOUR, PLAN, pricing(PLAN))
    assert priced.config is not None
    assert found.config == fit_accumulators(integers, priced.config)
    assert found.config.accumulator_bits < priced.config.accumulator_bits  # weights of this network, not any
    codes = encode(integer(4), images.train.images[:IMAGES], images.maximum)
    planned = schedule(workload(FOUR), found.config, found.mappings, PLAN.images)
    own = CostModel.default().predict(planned, activities=activities(integers, codes, found.config.operand_bits)).metrics
    assert found.metrics.energy_pj == pytest.approx(own.energy_pj)


def test_floating_point_is_assessed_in_its_number_format(folder: Path) -> None:
    network, images = NETWORK.replace(operators=(floating("bf16"),)), digits()
    finalist = Finalist(method="bf16", label="bf16", kind="float", architecture=network)
    found = assess(finalist, PLAN, SOURCE, folder)  # trained in fp32, for the converted one
    trained = fp.load(file_of(NETWORK.replace(operators=(floating("fp32"),)), PLAN.final, folder))
    values = [float_network.float_accuracy(trained, split, images.maximum, "bf16") for split in (images.validation, images.test())]
    assert [found.validation, found.test] == values
    assert found.config is None
    assert found.metrics == bill(network, PLAN, pricing(PLAN)).metrics
