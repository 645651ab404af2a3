"""Two networks on one accelerator: expected costs by hand, circuits of both, the test images untouched until all is decided; RTL."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gatewright.dse.evaluate import Pricing, mapper, price
from gatewright.dse.scnas.cascade import Cascade, Member, best, cascade, expected
from gatewright.dse.scnas.cascade import member as of_trained
from gatewright.dse.scnas.in_turn import on_gates, on_rtl
from gatewright.dse.space import BUFFERS
from gatewright.hw.config import AcceleratorConfig, Operator, integer, stochastic
from gatewright.hw.errors import BadInput
from gatewright.sim.metrics import Metrics
from gatewright.sim.network import Run
from gatewright.sim.technology import ihp130
from gatewright.sw import golden
from gatewright.sw.cascade import choose, logits, margins
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.cycles import timing
from gatewright.sw.data import Dataset, Split, digits
from gatewright.sw.models import Architecture, workload
from gatewright.sw.program import Program
from gatewright.sw.train import train

PRICING = Pricing()
MOST = 64


@cache
def images() -> Dataset:
    """Handwritten digits."""
    return digits()


@cache
def member(operator: Operator, width: int) -> Member:
    """A network of one convolution, trained a little, on a small accelerator of its own."""
    architecture = Architecture(
        family="vgg", channels=1, height=8, width=8, widths=(width,), pool_after=(0,), pooling="average", operators=(operator,)
    )
    few = replace(images(), train=images().train.take(slice(0, 600)))
    trained = train(architecture, few, Recipe(epochs=2, batch=50, learning_rate=0.04))
    base = AcceleratorConfig(rows=2, cols=2, operators=(operator,), **dict.fromkeys(BUFFERS, MOST))
    return of_trained(trained, price(workload(architecture), base, PRICING), PRICING, images())


CHEAP, ACCURATE = stochastic(8), stochastic(32)


@cache
def joined() -> Cascade:
    return cascade(member(CHEAP, 2), member(ACCURATE, 6), images(), PRICING, MOST)


def metrics(scale: float) -> Metrics:
    return Metrics(
        energy_pj=100 * scale,
        memory_energy_pj=10 * scale,
        external_energy_pj=7 * scale,
        cycles=50 * scale,
        latency_ns=1000 * scale,
        area_um2=5 + scale,
        memory_area_um2=3,
        origin="calibrated",
        activity="timed",
        zero_delay_pj=80 * scale,
        heldout_error=0.1,
    )


def test_expected_costs_by_hand() -> None:
    found = expected(metrics(1), metrics(4), 0.25)
    assert found == metrics(2).replace(area_um2=9)
    assert expected(metrics(1), metrics(4), 0.0) == metrics(1).replace(area_um2=9)
    assert expected(metrics(1), metrics(4).replace(zero_delay_pj=None), 0.25).zero_delay_pj is None


def test_shorter_streams_run_on_the_circuits_of_longer_ones() -> None:
    found = joined()
    assert found.config.operators == (ACCURATE,)
    assert found.first.architecture.operators == (CHEAP,)
    for stage, one in ((found.first, member(CHEAP, 2)), (found.second, member(ACCURATE, 6))):
        planner = mapper(PRICING)
        again = planner.predict(planner.schedule(one.network.workload, found.config, stage.mappings)).metrics
        assert again.cycles == stage.shared.cycles
        assert again.area_um2 == pytest.approx(stage.shared.area_um2)
        assert stage.alone == one.metrics


def test_energy_is_the_first_networks_and_part_of_the_seconds() -> None:
    found = joined()
    assert 0 < found.validation.part < 1
    for parts, cost in ((found.validation, found.expected), (found.test, found.metrics)):
        assert cost.energy_pj == pytest.approx(found.first.shared.energy_pj + parts.part * found.second.shared.energy_pj)
        assert cost.memory_energy_pj == pytest.approx(
            found.first.shared.memory_energy_pj + parts.part * found.second.shared.memory_energy_pj
        )
    assert found.validation.accuracy.value >= found.second.validation.value
    assert (found.validation.accuracy.n, found.test.accuracy.n) == (300, 500)
    assert found == Cascade.from_json(found.to_json())


def test_circuits_that_wait_are_paid_for() -> None:
    """Integers beside streams: the joint accelerator has both circuits and is greater than either."""
    found = cascade(member(CHEAP, 2), member(integer(8), 6), images(), PRICING, MOST)
    assert found.config.operators == (integer(8), CHEAP)
    for stage in (found.first, found.second):
        assert stage.shared.area_um2 > stage.alone.area_um2


def test_the_threshold_is_of_the_validation_images_alone() -> None:
    """Other test images change nothing but what is reported of them; they are read once, when all is decided."""
    reads = []

    def read() -> Split:
        reads.append(1)
        return Split(images=images().train.images[:70], labels=(images().train.labels[:70] + 1) % 10)

    found, other = joined(), cascade(member(CHEAP, 2), member(ACCURATE, 6), replace(images(), read_test=read), PRICING, MOST)
    assert reads == [1]
    assert other.test.accuracy.n == 70
    same = {name: getattr(found, name) for name in ("threshold", "validation", "expected", "config")}
    assert same == {name: getattr(other, name) for name in same}


def test_the_best_pair_is_the_cheapest_that_reaches_the_accuracy() -> None:
    members = (member(CHEAP, 2), member(CHEAP, 6), member(ACCURATE, 6))
    found = best(members, images(), PRICING, MOST)
    validation, labels = images().validation, images().validation.labels
    seen = [logits(one.network, validation, images().maximum) for one in members]
    wanted = max((one.argmax(1) == labels).mean() for one in seen)
    energies = {}
    for i in range(3):
        for j in {0, 1, 2} - {i}:
            try:
                part = choose(seen[i], seen[j], labels, wanted).part
            except BadInput:
                continue
            energies[i, j] = cascade(members[i], members[j], images(), PRICING, MOST, wanted).expected.energy_pj
            assert 0 <= part <= 1
    assert len(energies) > 1
    assert found.expected.energy_pj == min(energies.values())
    assert found.validation.accuracy.value >= wanted


def test_what_no_pair_reaches_is_refused() -> None:
    with pytest.raises(BadInput, match=r"1\.0100 is wanted"):
        best((member(CHEAP, 2), member(ACCURATE, 6)), images(), PRICING, MOST, 1.01)
    with pytest.raises(BadInput, match="one of them alone reaches"):
        best((member(CHEAP, 2), member(ACCURATE, 6)), images(), PRICING, MOST, 0.1)
    with pytest.raises(BadInput, match="two networks; got 1"):
        best((member(CHEAP, 2),), images(), PRICING, MOST)


def test_a_wrong_logit_of_either_pass_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator is a stand-in that spoils one result: of an image's first pass, of another's second, of none."""
    pair, some = (member(CHEAP, 2).network, member(ACCURATE, 6).network), images().validation.take(slice(0, 20))
    clear = margins(logits(pair[0], some, images().maximum))
    found = joined().replace(threshold=int(np.median(clear)))
    on = np.flatnonzero(clear < found.threshold)
    assert 2 < len(on) < 18
    spoilt: set[int] = set()

    def simulate(jobs: Sequence[tuple[Program, np.ndarray]], verilog: str | None) -> list[Run]:
        runs = []
        for i, (program, codes) in enumerate(jobs):
            wrong = golden.forward(program.network, codes)[-1] + (i in spoilt)
            runs.append(Run({len(program.network.layers) - 1: wrong}, np.array([timing(program.schedule).cycles]), 0, 0))
        return runs

    monkeypatch.setattr("gatewright.dse.scnas.in_turn.simulate_in_turn", simulate)
    assert on_rtl(found, pair, some, images().maximum).passed
    spoilt |= {0, int(on[-1]) + len(on)}  # the last image that goes on: its second pass, after the others' two and one each
    result = on_rtl(found, pair, some, images().maximum)
    assert (result.images, result.mismatches, result.passed) == (20, 2, False)


def test_gates_without_an_image_that_goes_on_are_refused() -> None:
    pair = (member(CHEAP, 2).network, member(ACCURATE, 6).network)
    with pytest.raises(BadInput, match="None of 300 images goes on"):
        on_gates(joined().replace(threshold=0), pair, images().validation, images().maximum, ihp130(), 20.0)


@pytest.mark.thorough
def test_both_programs_on_one_netlist() -> None:
    """Measured energy of both passes, beside the prediction."""
    found, pair = joined(), (member(CHEAP, 2).network, member(ACCURATE, 6).network)
    measured = on_gates(found, pair, images().validation, images().maximum, ihp130(), PRICING.clock_ns, 16)
    assert measured.origin == "measured"
    assert measured.cycles == pytest.approx(found.metrics.cycles)
    assert measured.energy_pj == pytest.approx(found.metrics.energy_pj, rel=0.4)
    assert measured.area_um2 == pytest.approx(found.metrics.area_um2, rel=0.2)


@pytest.mark.thorough
def test_both_programs_on_one_verilog() -> None:
    """Images one by one on RTL, some of them through both programs; and another network than the accelerator's is noticed."""
    found, pair = joined(), (member(CHEAP, 2).network, member(ACCURATE, 6).network)
    some = images().validation.take(slice(0, 40))
    on = (margins(logits(pair[0], some, images().maximum)) < found.threshold).sum()
    assert 0 < on < 40
    result = on_rtl(found, pair, some, images().maximum)
    assert result.passed
    assert (result.images, result.mismatches) == (40, 0)
    assert result.cycles_predicted == 40 * round(found.first.shared.cycles) + on * round(found.second.shared.cycles)
