"""The winner of a reproduction, what it is set beside, and the claims about both, by hand."""

from typing import Any

import pytest

from gatewright.dse.scnas import comparison
from gatewright.dse.scnas.result import Design, Point, Step
from gatewright.dse.scnas.tables import verdict
from gatewright.sw.accuracy import wilson
from tests.dse.scnas_result import FIXED, metrics, scored, searched


def design(
    method: str, right: int, energy_pj: float, kind: str = "integer", measured: float | None = None, test: int | None = None, **more: Any
) -> Design:
    """A design with so many of 1,000 validation images right, and unless `test` says otherwise as many test images."""
    return Design(
        method=method,
        label=method,
        kind=kind,
        architecture=FIXED,
        config=None,
        mappings=(),
        metrics=metrics(energy_pj, 10.0),
        estimate=None,
        validation=wilson(right, 1000),
        test=wilson(right if test is None else test, 1000),
        measured=measured and metrics(measured, 10.0),
        **more,
    )


def test_winner_and_rivals() -> None:
    integers = [design("int8", 960, 100), design("int8", 940, 60), design("int4", 930, 50)]
    streams = [design("scnas", 970, 90, "stochastic"), design("scnas", 961, 40, "stochastic"), design("scnas", 900, 10, "stochastic")]
    designs = [*integers, *streams]
    best = designs[comparison.winner(designs)]
    assert best == streams[1]
    assert comparison.rival(designs, "int8", best) == integers[0]  # none is as accurate: the most accurate
    short = [*integers, streams[2]]
    assert short[comparison.winner(short)] == streams[2]
    assert comparison.rival(short, "int8", streams[2]) == integers[1]  # the cheapest of those that are
    assert comparison.rival(short, "fp32", streams[2]) is None


def test_validation_images_choose() -> None:
    """Test images would choose otherwise everywhere."""
    streams = [design("scnas", 950, 40, "stochastic", test=999), design("scnas", 960, 50, "stochastic", test=900)]
    integers = [design("int8", 955, 70, test=990), design("int8", 960, 80, test=800), design("int8", 960, 90, test=999)]
    designs = [*streams, *integers]
    best = designs[comparison.winner(designs)]
    assert best == streams[1]
    assert comparison.rival(designs, "int8", best) == integers[1]
    pure = [design("pure", right, 50, "stochastic", test=test, converted=True) for right, test in ((800, 890), (850, 700))]
    trained = design("pure", 940, 50, "stochastic", test=940)
    points = claims([*designs, *pure, trained], best)["accuracy above pure stochastic computing"]
    assert points.measured == pytest.approx(20.0)


MEMORIES = {
    "logic": 0.0,
    "with memories at half their cited cost": 0.5,
    "with memories at their cited cost": 1.0,
    "at twice their cited cost": 2.0,
}


def claims(designs: list[Design], best: Design, *, published: bool = True) -> dict[str, Any]:
    over = Point(number=2, status="over_budget", architecture=FIXED, energy_pj=200.0)
    searches = [searched((*scored((1, 0.5), (2, 0.6)), over))]
    steps = (Step(name="all", size=1e20, why=""), Step(name="contracted", size=1e6, why=""))
    return {c.name: c for c in comparison.claims(designs, best, searches, steps, published=published)}


def test_claims_by_hand() -> None:
    best = design("scnas", 960, 20, "stochastic", measured=25)
    others = [
        design("fp32", 960, 200, "float"),
        design("fp16", 970, 90, "float"),
        design("int8", 955, 60, measured=50),
        design("int4", 990, 10),
        design("pure", 900, 15, "stochastic", converted=True),
        design("pure", 910, 22, "stochastic", converted=True),
        design("pure", 950, 22.1, "stochastic", converted=True),
    ]
    found = claims([best, *others], best)
    assert [claim.paper for claim in found.values() if claim.paper] == [7.0, 3.8, 8.6e19]  # its abstract
    assert not any("not searched" in name for name in found)
    floating = found["energy of FP-NAS (FP32) over that of SC-NAS"]
    assert (floating.paper, floating.measured, floating.holds) == (7.0, 8.0, True)  # measured streams, bounded floating point
    assert found["energy of FP-NAS (FP16) over that of SC-NAS"].paper is None
    pure = found["accuracy above pure stochastic computing"]
    assert (pure.measured, pure.holds) == (pytest.approx(5.0), True)  # the third takes more than a tenth more
    fewer = found["networks of the whole space for each that was evaluated"]
    assert (fewer.measured, fewer.holds) == (5e19, False)
    assert found["energy of INT8 NAS over that of SC-NAS, logic"].measured == 2.0  # both measured
    ratios = {words: found[f"energy of INT8 NAS over that of SC-NAS, {words}"].measured for words in MEMORIES}
    assert ratios == {words: pytest.approx((50 + factor * 10) / (25 + factor * 10)) for words, factor in MEMORIES.items()}
    worse = found["energy of INT4 NAS over that of SC-NAS, logic"]
    assert (worse.measured, worse.holds) == (0.5, False)  # only one of them measured: predicted
    small = claims([best, *others], best, published=False)["networks of the whole space for each that was evaluated"]
    assert (small.paper, small.holds) == (None, True)


def test_streams_of_other_searches_are_compared_too() -> None:
    best = design("scnas", 960, 20, "stochastic")
    others = [design("tpe", 970, 15, "stochastic"), design("hardware", 960, 25, "stochastic"), design("pure", 900, 30, "stochastic")]
    found = claims([best, *others], best)
    names = ("the same search by TPE", "hardware alone")
    worse, better = (found[f"energy of streams by {name} over that of SC-NAS, logic"] for name in names)
    assert (worse.measured, worse.holds, better.measured, better.holds) == (0.75, False, 1.25, True)
    assert found["energy of pure, not searched over that of SC-NAS, logic"].measured == 1.5


def test_a_lower_bound_shows_nothing_against_a_claim() -> None:
    best = design("scnas", 960, 20, "stochastic")
    dear, cheap = (
        claims([best, design("fp32", 960, pj, "float")], best)["energy of FP-NAS (FP32) over that of SC-NAS"] for pj in (200, 60)
    )
    assert (verdict(dear), verdict(cheap)) == ("holds", "not shown")
    assert (dear.found, dear.claimed, cheap.found) == ("≥ 10 times", "7 times", "≥ 3 times")


def test_cheap_but_less_accurate_is_not_as_good() -> None:
    best, other = design("scnas", 900, 20, "stochastic"), design("int8", 960, 60)
    assert not claims([best, other], best)["energy of INT8 NAS over that of SC-NAS, logic"].holds


def test_as_good_is_enough_and_of_equals_the_cheapest_counts() -> None:
    streams = [design("scnas", right, pj, "stochastic") for right, pj in ((970, 50), (960, 45), (960, 40))]
    same, better = design("int8", 960, 80), design("int8", 990, 85)
    assert comparison.winner([*streams, same]) == 2
    assert comparison.winner([*streams[1:], better]) == 1
    best = streams[2]
    assert comparison.rival([better, same], "int8", best) == same
    assert comparison.rival([design("int8", 950, 90), design("int8", 950, 70)], "int8", best) == design("int8", 950, 70)
    assert claims([best, design("int8", 960, 40)], best)["energy of INT8 NAS over that of SC-NAS, logic"].holds
    pure = [design("pure", 900, pj, "stochastic", converted=True) for pj in (42, 30)]
    assert "of 0.75 times the energy" in claims([best, *pure], best)["accuracy above pure stochastic computing"].note


@pytest.mark.parametrize(("test", "holds"), [(965, True), (985, False)])
def test_less_accurate_is_by_more_than_chance_explains(test: int, holds: bool) -> None:
    """On test images. Half a point is within chance, of 1,000 images; two and a half are not."""
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("int8", 960, 60, test=test), design("fp32", 960, 200, "float", test=test)], best)
    for name in ("energy of INT8 NAS over that of SC-NAS, logic", "energy of FP-NAS (FP32) over that of SC-NAS"):
        assert found[name].holds == holds
        assert ("less accurate on test images by more than chance" in found[name].note) != holds


def test_nothing_to_compare() -> None:
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("pure", 950, 23, "stochastic", converted=True)], best)["accuracy above pure stochastic computing"]
    assert (found.measured, found.holds) == (None, False)
    assert "none takes at most 10% more" in found.note


def test_a_claim_that_fails() -> None:
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("fp32", 960, 139, "float"), design("pure", 923, 15, "stochastic", converted=True)], best)
    assert not found["energy of FP-NAS (FP32) over that of SC-NAS"].holds
    assert not found["accuracy above pure stochastic computing"].holds
