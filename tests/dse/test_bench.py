"""Every benchmark runs on the least work, its sides agree, and one that does not is found out. No time is asserted."""

import json
from itertools import count, product

import pytest

from gatewright.cli.bench import _text
from gatewright.cli.main import main
from gatewright.dse.bench import BENCHMARKS, base, mappings, named, samplers
from gatewright.dse.bench.base import Outcome, Row, equal, race, row
from gatewright.hw.errors import BadInput, Mismatch

LONG = ("rtl",)  # two simulators to build


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.thorough] * (name in LONG)) for name in BENCHMARKS])
def test_it_runs_and_its_sides_agree(name: str) -> None:
    outcome = named(name)(tiny=True)
    assert outcome.name == name
    assert outcome.same
    names = {line.name for line in outcome.rows}
    for line in outcome.rows:
        assert line.value > 0
        assert line.baseline is None or line.baseline in names
        assert (line.ratio is None) == (line.baseline is None)
    assert any(line.ratio is not None for line in outcome.rows) or name == "spatial"


def test_sides_take_turns_and_ratios_are_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = count(), []
    monkeypatch.setattr(base.time, "perf_counter", lambda: float(next(clock)))  # every side takes a second

    def side(name: str, units: list[float]) -> float:
        calls.append(name)
        return units.pop(0)

    ours, theirs = [9.0, 10.0, 30.0, 20.0], [9.0, 5.0, 5.0, 20.0]
    rows = race("x/s", {"ours": lambda: side("ours", ours), "theirs": lambda: side("theirs", theirs)}, 3, {"ours": "theirs"})
    assert calls == ["ours", "theirs"] * 4
    assert [line.value for line in rows] == [20.0, 5.0]
    assert [line.ratio for line in rows] == [2.0, None]
    assert [line.spread for line in rows] == [1.0, 3.0]
    assert [line.rounds for line in rows] == [3, 3]


def test_a_turn_repeats_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    monkeypatch.setattr(base.time, "perf_counter", lambda: float(next(clock)))
    [line] = race("x/s", {"short": lambda: 6.0}, 1, least=3.0)
    assert line.value == 3 * 6.0 / 3.0  # looked at after 1, 2 and 3 seconds


def test_a_row_is_of_its_own_rates() -> None:
    assert row("a", "x/s", [1.0, 3.0, 2.0], None, {}).value == 2.0


def test_sides_that_differ_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Mismatch, match="did not do the same work: sums differ"):
        equal("sums", [1, 2], [1, 3])
    with pytest.raises(Mismatch, match="lengths differ"):
        equal("lengths", [1, 2], [1])
    evaluate = mappings.Batch.evaluate

    def wrong(self: mappings.Batch, *points: object, **options: object) -> tuple[object, object]:
        energies, cycles = evaluate(self, *points, **options)  # type: ignore[arg-type]
        return energies, cycles + 1

    monkeypatch.setattr(mappings.Batch, "evaluate", wrong)
    with pytest.raises(Mismatch, match="cycles of the two evaluators differ"):
        named("mappings")(tiny=True)


def test_a_goal_stands_beside_what_should_reach_it() -> None:
    rows = (Row("two threads", 3e6, "x/s"), Row("two cores", 2e6, "x/s", ratio=2 / 3, baseline="two threads", origin="goal"))
    lines = _text(Outcome("made", "Made up", rows, "all", 1.0))
    assert "  Goal: 2 M x/s (two cores); two threads: 1.50 times that." in lines


def test_the_samplers_problem_has_the_optimum_it_claims() -> None:
    few = dict(list(samplers.SPACE.items())[5:])  # enough to try every point
    for seed in range(3):
        chain = samplers.Chain(few, seed)
        points = [dict(zip(few, chosen, strict=True)) for chosen in product(*(samplers.values(one) for one in few.values()))]
        judged = [chain.judged(point) for point in points]
        feasible = [cost for cost, gain, area in judged if gain <= 0 and area <= 0]
        assert 0 < len(feasible) < len(points) / 2
        assert chain.optimum() == min(feasible)
        assert chain.most() >= max(cost for cost, _, _ in judged)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no benchmark 'speed'; there are gates, mappings"):
        named("speed")


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "golden", "--tiny", "--quiet", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in record["benchmarks"]] == ["golden"]
    assert record["machine"]["cores"] >= 1
    assert {"verilator", "numpy", "gatewright"} <= set(record["machine"]["versions"])
    assert main(["bench", "golden", "--tiny", "--quiet"]) == 0
    assert "Same results: logits of 4 images" in capsys.readouterr().out
    assert main(["bench", "speed"]) == 2
    assert "There is no benchmark 'speed'" in capsys.readouterr().err
