"""Typical activity of operands, where no network is known."""

import pytest

from gatewright.dse.cost import CostModel
from gatewright.dse.typical import NETWORK, Seen, typical
from gatewright.dse.work import Work
from gatewright.hw.config import AcceleratorConfig, Operator, integer, multiplication_free, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.activity import Activity, Toggles
from gatewright.sw.counts import Counts


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


def test_typical_activity_says_what_it_is_the_mean_of(model: CostModel) -> None:
    config = AcceleratorConfig(rows=2, cols=2, operators=(integer(8), integer(5)))
    origins = {}
    for operator in (integer(8), integer(5), multiplication_free("mfnet", 5)):
        found, origins[operator.name] = model.activity(Work(operator, Counts(), filled=0.5), config.operand_bits)
        assert found.filled == 0.5
        assert len(found.both.tree) == 3
        assert 0 < found.both.activation < operator.activation_bits
    assert "measured layers with int8" in origins["int8"]
    assert "operators of kind int" in origins["int5"]
    assert "operators of kind multiplication_free" in origins["mf_mfnet_5"]
    planned = model.samples[0].schedule
    assert set(model.predict(planned).activity) == {origins["int8"]}
    known = [layer.activity for layer in model.samples[0].measurement.layers]
    assert set(model.predict(planned, activities=known).activity) == {NETWORK}


def moved(share: float, operator: Operator, tree: tuple[float, ...]) -> Toggles:
    """Toggles in which a share of all bits that there are changes."""
    a, w = (8, 8) if operator.kind == "stochastic" else (operator.activation_bits, operator.weight_bits)
    products = (8, 8) if operator.kind == "stochastic" else (a * w, a + w)
    lane = dict(
        zip(("activation", "weight", "partial", "product"), (share * a, share * w, share * products[0], share * products[1]), strict=True)
    )
    words = {"activation_word": share * operator.activation_width, "weight_word": share * operator.weight_width}
    return Toggles(**lane, **words, tree=tree, sum_sign=share, accumulator=10 * share, sign=share / 2)


def test_typical_activity_by_hand() -> None:
    """int6 in 64 bits has 8 lanes, so three levels of sums, and takes int8's and int4's bit by bit; a short tree goes on as it ends."""

    def seen(operator: Operator, share: float, tree: tuple[float, ...]) -> Seen:
        shares = (share, share / 2, share / 4)
        both, pixel, channel = (moved(each, operator, tuple(each / share * level for level in tree)) for each in shares)
        return Seen(operator, Activity(filled=1.0, both=both, pixel=pixel, channel=channel))

    plain, bipolar = stochastic(64), stochastic(32, "bipolar")
    donors = [seen(integer(8), 0.5, (3.0, 5.0, 7.0)), seen(integer(4), 0.1, (1.0, 2.0, 3.0, 9.0)), seen(integer(8), 0.3, (4.0,))]
    donors += [seen(plain, 0.8, (1.0, 1.0, 1.0)), seen(bipolar, 0.2, (2.0, 2.0, 2.0)), seen(xnor(), 0.9, (8.0,) * 6)]
    found, _ = typical(donors, integer(6), 64, filled=0.25)
    assert found.filled == 0.25
    for change, part in ((found.both, 1.0), (found.pixel, 0.5), (found.channel, 0.25)):
        assert (change.activation, change.weight, change.partial, change.product) == pytest.approx(
            tuple(0.3 * part * bits for bits in (6, 6, 36, 12))
        )
        assert (change.activation_word, change.weight_word) == pytest.approx((0.3 * part * 8, 0.3 * part * 8))
        assert change.tree == pytest.approx(tuple(part * level for level in (8 / 3, 11 / 3, 14 / 3)))
        assert (change.sum_sign, change.accumulator, change.sign) == pytest.approx((0.3 * part, 3 * part, 0.15 * part))
    assert typical(donors, integer(8), 64, 1.0)[0].both.activation == pytest.approx(0.4 * 8)  # its own two alone
    assert typical(donors, stochastic(128, "bipolar"), 64, 1.0)[0].both.weight == pytest.approx(0.2 * 8)  # of its coding
    assert typical(donors[:-1], xnor(), 64, 1.0)[0].both.weight == pytest.approx((0.5 + 0.1 + 0.3 + 0.8 + 0.2) / 5)  # of all
    with pytest.raises(BadInput, match="No measured layer says how much operands move"):
        typical([], integer(8), 64, 1.0)
