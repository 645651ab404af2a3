"""Unit costs from equations whose answer is known."""

import numpy as np
import pytest

from gatewright.dse.least_squares import Rows


def test_unit_costs_are_found_again() -> None:
    """Known costs, features like counts (some close to each other), 2% noise; a feature that costs nothing stays near nothing."""
    rng, known = np.random.default_rng(3), {"products": 0.02, "reads": 0.3, "drains": 1.5, "idle": 0.0}
    rows = Rows()
    for _ in range(80):
        counts = dict(zip(known, 10 ** rng.uniform(3, 5, len(known)) * [10, 1, 0.3, 1], strict=True))
        energy = sum(known[name] * number for name, number in counts.items())
        rows.add(counts, energy * (1 + 0.02 * rng.standard_normal()), energy)
    found = rows.system().solve(ridge=1e-4)
    assert found["idle"] < 0.01 * found["reads"]
    assert {name: found[name] for name in known if known[name]} == pytest.approx({n: c for n, c in known.items() if c}, rel=0.05)


def test_a_circuit_seen_is_known_better_than_its_family() -> None:
    rows = Rows()
    for circuit, factor in (("a", 1.0), ("b", 1.0), ("c", 1.5)):
        for size in (10.0, 20.0, 30.0):
            rows.add({"bits": size}, 2 * factor * size, 2 * factor * size, circuit)
    costs = {"bits": 2.0}
    assert rows.system().ratios(costs, doubt=0.0) == pytest.approx({"a": 1.0, "b": 1.0, "c": 1.5})
    assert rows.system().ratios(costs, doubt=1.0)["c"] == pytest.approx((3 * 1.5 + 1) / 4)
