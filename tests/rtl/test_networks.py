"""Whole networks on RTL: every layer bit for bit, with and without random stalls of external memory."""

import numpy as np
import pytest

from gatewright.hw.config import Operator, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sim.network import simulate, simulate_in_turn
from gatewright.sw import golden
from gatewright.sw.cycles import timing
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.layers import Layer
from gatewright.sw.mapping import Mapping
from gatewright.sw.program import lower
from tests.generators import Case, assemble, random_case
from tests.rtl.accelerators import SMALL
from tests.rtl.checks import complaint, wrong_layers

INT, XNOR = integer(4), xnor()
STREAM, BIPOLAR = stochastic(32, bits=4), stochastic(16, "bipolar", "lfsr", bits=4)


def five_layers(seed: int) -> Case:
    """Every operator in one network: convolutions with padding, stride and both poolings, then two fully connected layers."""
    shapes = [
        Layer(name="first", operator=INT, C=3, K=6, H=9, W=9, R=3, S=3, padding=1, pooling="max", pool_window=3, pool_stride=2),
        Layer(name="streams", operator=STREAM, C=6, K=5, H=4, W=4, R=2, S=3, padding=1, stride=2),
        Layer(name="bipolar", operator=BIPOLAR, C=5, K=9, H=3, W=2, R=1, S=1, pooling="average", pool_window=2, pool_stride=1),
        Layer(name="one bit", operator=XNOR, C=9, K=7, H=2, W=1, R=2, S=1),
        Layer(name="last", operator=INT, C=7, K=10),
    ]
    case = assemble(np.random.default_rng(seed), SMALL, shapes, images=2, seed=(seed,))
    assert case
    return case


@pytest.mark.parametrize("seed", range(4))
def test_a_network_of_every_operator(seed: int) -> None:
    case = five_layers(seed)
    assert complaint(case) is None
    results = golden.forward(case.program.network, case.codes)
    assert all(len(np.unique(codes)) > 1 for codes in results)


@pytest.mark.parametrize("seed", range(4))
def test_stalls_change_no_result(seed: int) -> None:
    """The same network three times with different pauses, and random ones; it takes longer, and longer by different amounts."""
    case = five_layers(seed)
    runs = [simulate(case.program.apart(), case.codes, all_layers=True, quick=True, stall_seed=pauses) for pauses in (1, 2, 3)]
    assert [wrong_layers(case, run) for run in runs] == [[], [], []]
    undisturbed = timing(case.program.schedule).cycles
    assert all((run.cycles > undisturbed).all() for run in runs)
    assert len({tuple(run.cycles) for run in runs}) > 1
    for number in range(8):
        other = random_case(SMALL, seed, number)
        assert wrong_layers(other, simulate(other.program.apart(), other.codes, all_layers=True, quick=True, stall_seed=17 + seed)) == []


def test_programs_in_turn_on_one_accelerator() -> None:
    """What one program leaves in buffers and accumulators changes no result and no cycle of the next; the order is irregular."""
    cases = [five_layers(0), random_case(SMALL, 5, 1), random_case(SMALL, 5, 2)]
    order = [0, 1, 0, 0, 2, 1, 1, 0]
    jobs = [(case.program.apart(), case.codes) for case in cases]
    runs = simulate_in_turn([jobs[i] for i in order], all_layers=True, quick=True)
    assert [wrong_layers(cases[i], run) for i, run in zip(order, runs, strict=True)] == [[]] * len(order)
    assert [run.cycles.tolist() for run in runs] == [[timing(jobs[i][0].schedule).cycles] * 2 for i in order]
    assert [run.words_read for run in runs] == [runs[order.index(i)].words_read for i in order]


def test_programs_of_other_accelerators_do_not_run_in_turn() -> None:
    one, other = five_layers(0), random_case(SMALL.replace(rows=2), 5, 1)
    with pytest.raises(BadInput, match="2 configurations"):
        simulate_in_turn([(one.program, one.codes), (other.program, other.codes)], quick=True)


def fully_connected(number: int, operator: Operator, c: int, k: int, weight: int, mode: str) -> IntegerLayer:
    """Equal weights; requantised results saturate at 15, signs are those of sum - 1."""
    ones = np.ones(k, dtype=np.int64)
    return IntegerLayer(
        layer=Layer(name=f"layer{number}", operator=operator, C=c, K=k),
        weights=np.full((k, c, 1, 1), weight, dtype=np.int16),
        bias=-ones if mode == "sign" else 0 * ones,
        multiplier=255 * ones,
        shift=8 * ones,
        mode=mode,
        high=15 if mode == "requantise" else 0,
    )


def test_columns_without_a_channel_do_not_leak_into_the_next_layer() -> None:
    """Idle columns multiply weights of two layers before; with these their sums pass any threshold, but their bits stay 0."""
    layers = (
        fully_connected(0, INT, 78, 8, 7, "requantise"),
        fully_connected(1, INT, 8, 64, 1, "requantise"),
        fully_connected(2, INT, 64, 1, 1, "sign"),
        fully_connected(3, XNOR, 1, 3, 1, "raw"),
    )
    mappings = (Mapping(channels=2), Mapping(channels=4), Mapping(), Mapping())
    program = lower(IntegerNetwork(name="idle", layers=layers), SMALL, mappings)
    case = Case((), program, np.full((2, 78, 1, 1), 15))
    assert golden.forward(program.network, case.codes)[-1].ravel().tolist() == [1] * 6
    assert complaint(case) is None
