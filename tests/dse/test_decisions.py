"""Decisions: every value of a distribution has one token, and a token is drawn from its bin."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gatewright.dse.samplers.decisions import Decision


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (CategoricalDistribution(("a", None, 3.5, True)), ["a", None, 3.5, True]),
        (IntDistribution(-3, 4), list(range(-3, 5))),
        (IntDistribution(-10, 70, step=2), list(range(-10, 71, 2))),
        (IntDistribution(1, 5, log=True), [1, 2, 3, 4, 5]),
        (IntDistribution(1, 100, log=True), list(range(1, 101))),
        (IntDistribution(50, 90, log=True), list(range(50, 91))),
        (FloatDistribution(0.0, 1.0, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (FloatDistribution(-1.0, 2.1, step=0.1), [-1.0 + 0.1 * k for k in range(32)]),
    ],
)
def test_every_value_has_one_token_and_can_be_drawn(distribution: BaseDistribution, values: list[Any]) -> None:
    decision, draw = Decision(distribution, 8), np.random.default_rng(0)
    assert decision.count == min(len(values), len(values) if isinstance(distribution, CategoricalDistribution) else 8)
    tokens = [decision.token(value) for value in values]
    assert tokens == sorted(tokens)
    assert set(tokens) == set(range(decision.count))
    if len(values) <= 8:
        assert tokens == list(range(len(values)))
    for token in range(decision.count):
        drawn: set[Any] = {decision.value(token, draw) for _ in range(600)}
        assert all(distribution._contains(distribution.to_internal_repr(value)) for value in drawn)
        assert {decision.token(value) for value in drawn} == {token}
        inside = [value for value, its in zip(values, tokens, strict=True) if its == token]
        if isinstance(distribution, CategoricalDistribution):
            assert drawn == set(inside)
        else:
            assert sorted(drawn) == pytest.approx(inside, abs=1e-9)


def test_bins_of_integers_are_equal_on_their_scale() -> None:
    linear, wide = Decision(IntDistribution(0, 31), 8), Decision(IntDistribution(1, 255, log=True), 8)
    assert [linear.token(value) for value in range(32)] == [value // 4 for value in range(32)]
    assert [wide.token(2**k) for k in range(8)] == list(range(8))
    assert [wide.token(2 ** (k + 1) - 1) for k in range(8)] == list(range(8))


@pytest.mark.parametrize(
    ("distribution", "scale"),
    [(FloatDistribution(-2.0, 6.0), lambda x: (x + 2) / 8), (FloatDistribution(1e-4, 1.0, log=True), lambda x: 1 + math.log10(x) / 4)],
)
def test_bins_of_floats(distribution: FloatDistribution, scale: Callable[[float], float]) -> None:
    decision, draw = Decision(distribution, 8), np.random.default_rng(1)
    assert decision.count == 8
    assert (decision.token(distribution.low), decision.token(distribution.high)) == (0, 7)
    for token in range(8):
        drawn: list[Any] = [decision.value(token, draw) for _ in range(500)]
        assert {decision.token(value) for value in drawn} == {token}
        places = [8 * scale(value) - token for value in drawn]  # 0..1 inside the bin
        assert -1e-9 <= min(places) < 0.02
        assert 0.98 < max(places) <= 1 + 1e-9
        assert np.mean(places) == pytest.approx(0.5, abs=0.05)


def test_floats_so_near_that_no_bins_lie_between() -> None:
    near = FloatDistribution(1.0, math.nextafter(1.0, 2))
    decision, draw = Decision(near, 8), np.random.default_rng(0)
    assert decision.count == 1
    assert {decision.value(0, draw) for _ in range(50)} <= {near.low, near.high}
