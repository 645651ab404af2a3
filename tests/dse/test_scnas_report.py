"""A reproduction as it is shown: numbers against brute force, page, record and tables, and the command with a stubbed run."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gatewright.cli import main
from gatewright.dse.claims import Claim
from gatewright.dse.config import Data
from gatewright.dse.run import CONFIG, RECORD, RESULT, Run
from gatewright.dse.scnas import publish, record
from gatewright.dse.scnas import reproduce as reproduction
from gatewright.dse.scnas.chart import Chart, Entry
from gatewright.dse.scnas.folder import create, plan_of, resume
from gatewright.dse.scnas.front import front_info
from gatewright.dse.scnas.plan import FULL, QUICK
from gatewright.dse.scnas.plots import chart_info, chart_plot, contraction_info
from gatewright.dse.scnas.report import page_of
from gatewright.dse.scnas.result import Design, Result
from gatewright.dse.scnas.search_plots import skipped_info
from gatewright.dse.scnas.tables import Row, rows, search_rows, standing_words, standings
from gatewright.hw.errors import BadInput
from gatewright.sw.accuracy import below
from tests.dse.scnas_result import made

Capture = pytest.CaptureFixture[str]
STARTED = "2026-01-02T03:04:05+00:00"


@pytest.fixture(scope="module")
def result() -> Result:
    return made()


def test_points_by_how_they_ended(result: Result) -> None:
    info = skipped_info(result)
    assert list(info.labels) == [search.label for search in result.searches]
    for i, search in enumerate(result.searches):
        assert sum(counts[i] for counts in info.counts.values()) == len(search.points)
        assert info.counts["over_budget"][i] == sum(p.energy_pj is not None and p.estimate is None for p in search.points)
    assert [row.counts for row in search_rows(result)] == [{s: n[i] for s, n in info.counts.items()} for i in range(len(info.labels))]
    assert contraction_info(result).sizes == (3.1e19, 4e12, 2.5e6)


def test_the_chart_parts_kept_from_dropped() -> None:
    names = ("int4", "sc_sign_magnitude_sobol8_4", "sc_bipolar_lfsr16_4", "sc_sign_magnitude_counter16_8")
    figures: dict[str, Any] = dict.fromkeys(("zero_delay_pj", "area_um2", "error_64", "plain", "rounding"), 1.0)
    entries = tuple(Entry(operator=name, energy_pj=i + 1.0, error=0.25 * i, **figures) for i, name in enumerate(names))
    info = chart_info(Chart(entries=entries, provenance={}), {names[2]})
    assert info.exact == {4: 1.0}
    assert [(c.name, c.bits, c.energy_pj, c.error, c.kept) for c in info.circuits] == [
        (names[1], 4, 2.0, 0.25, False),
        (names[2], 4, 3.0, 0.5, True),
        (names[3], 8, 4.0, 0.75, False),
    ]
    assert [c.kind for c in info.circuits] == ["sign-magnitude, exact sum", "bipolar, exact sum", "sign-magnitude, exact sum"]
    plot = chart_plot(info)
    assert len(plot.data) == 6  # two kinds in two panels, and what full and hollow mean
    assert [trace.name for trace in plot.data if trace.x == (None,)] == ["full: searches choose from it", "hollow: dropped"]


def test_rows(result: Result) -> None:
    found = rows(result)
    assert [row.winner for row in found] == [True] + [False] * 10
    first, design = found[0], result.designs[0]
    assert design.measured is not None
    assert first.accuracy == design.test
    assert list(first.operators.values()) == ["sc_sign_magnitude_sobol8_4", "xnor", "sc_sign_magnitude_sobol16_4"]
    assert first.circuits == "sobol8_4, xnor, sobol16_4"
    assert first.best.energy_pj == design.measured.energy_pj
    assert first.predicted.with_memories_pj == {
        name: pytest.approx(design.metrics.energy_pj + factor * design.metrics.memory_energy_pj)
        for factor, name in ((0.5, "half"), (1, "once"), (2, "twice"))
    }
    assert found[1].measured is None
    assert found[1].best == found[1].predicted
    assert [row.bound for row in found] == [row.kind == "float" for row in found]
    assert found[4].circuits == "int8"


def test_streams_beside_integers(result: Result) -> None:
    found = standings(result)
    integers = [design for design in result.designs if design.kind == "integer"]
    assert [item.accuracy for item in found] == [design.test for design in integers] * 2
    for item, design in zip(found, integers * 2, strict=True):
        factor = 0.0 if item.energy == "logic alone" else 1.0
        streams = [d for d in result.designs if d.kind == "stochastic"]
        equal = [d for d in streams if d.validation.value >= design.validation.value]
        most = max(d.validation.value for d in streams)
        allowed = equal or [d for d in streams if d.validation.value == most]
        chosen = min(allowed, key=lambda d: d.metrics.with_memories(factor))
        assert item.stochastic_accuracy == chosen.test
        pair = (chosen, design)
        both = all(d.measured for d in pair)
        assert item.measured == both
        mine, theirs = ((d.measured if both and d.measured else d.metrics).with_memories(factor) for d in pair)
        assert item.integers_over_streams == pytest.approx(theirs / mine)
        assert item.points == pytest.approx(100 * (chosen.validation.value - design.validation.value))
        assert item.short == (not equal or below(chosen.test, design.test))
        assert item.won == (not item.short and mine < theirs)
    assert {item.points < 0 for item in found} == {True, False}
    logic, memories = standing_words(found)
    assert logic.startswith("logic alone: of 4 integer designs 3 take 2.10..3.17 times the energy of streams")
    assert "streams LOSE to 1 in accuracy" in memories
    dear = result.replace(designs=tuple(scaled(d, 9.0) if d.kind == "stochastic" else d for d in result.designs))
    assert "streams LOSE to 3 in energy" in standing_words(standings(dear))[0]
    assert standings(result.replace(designs=tuple(integers))) == ()


def scaled(design: Design, factor: float) -> Design:
    dearer = design.replace(metrics=design.metrics.replace(energy_pj=factor * design.metrics.energy_pj))
    return dearer if design.measured is None else dearer.replace(measured=dearer.metrics)


def test_the_page(result: Result) -> None:
    page = page_of(result, STARTED)
    assert page == page_of(result, STARTED)
    own = page[page.index("<header>") :]
    for claim in result.claims:
        assert claim.name in own
    assert "1 of 3 claims hold" in own
    assert own.count("does not hold") == 2
    for plot in ("front", "memories", "methods", "estimates", "contraction", "chart", "skipped", "progress"):
        assert f'id="{plot}"' in own
    assert all(text in own for text in (STARTED, "less accurate", "300 <small>images", "51,234", "≥ 2,300.0", "super-network"))
    assert "http" not in re.sub(r"<script.*?</script>", "", own, flags=re.DOTALL)


def test_a_page_of_little() -> None:
    """Nothing measured, nothing verified, no claim, no search."""
    full = made(1)
    bare = full.designs[0].replace(measured=None, verified=None, cells=None, estimate=None)
    page = page_of(full.replace(designs=(bare,), searches=(), claims=(), seconds={}), STARTED)
    assert "not measured" in page
    assert "the winner's Verilog was not run" in page


def test_the_record_round_trips(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "scnas.json"
    assert record.read(path) == {}
    record.write({"quick": result, "full": made(1)}, path)
    again = record.read(path)
    assert [*again] == ["full", "quick"]
    kept = again["quick"]
    assert rows(kept)[0].operators == rows(result)[0].operators
    assert (kept.plan, kept.claims, kept.steps) == (result.plan, result.claims, result.steps)
    for mine, theirs in zip(kept.searches, result.searches, strict=True):
        assert [(p.number, p.status) for p in mine.points] == [(p.number, p.status) for p in theirs.points]
        for name in ("energy_pj", "memory_energy_pj", "estimate"):
            pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(mine.points, theirs.points, strict=True)]
            assert all(a is b is None or a == pytest.approx(b, rel=1e-5) for a, b in pairs)
    assert not any(design.mappings for design in kept.designs)
    before = path.read_text()
    record.write(again, path)
    assert path.read_text() == before
    assert [mark.accuracy for mark in front_info(kept).marks] == pytest.approx(
        [mark.accuracy for mark in front_info(result).marks], abs=1e-3
    )


def test_tables_are_put_into_a_page(result: Result, tmp_path: Path) -> None:
    run = create(tmp_path / "runs", QUICK)
    run.write(RESULT, result.model_dump(mode="json"))
    page = tmp_path / "scnas.md"
    page.write_text("before\n<!-- quick: begin -->\nstale\n<!-- quick: end -->\nbetween\n<!-- full: begin -->\n<!-- full: end -->\nafter\n")
    plot = tmp_path / "plot.html"
    assert publish.main([str(run.folder), "--docs", str(tmp_path), "--plot", str(plot)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- quick: begin -->\n")
    assert text.endswith("between\n<!-- full: begin -->\n<!-- full: end -->\nafter\n")
    assert "stale" not in text
    table = cells(text, "| design |")
    assert [line[0].strip("*") for line in table[2:]] == [row.label for row in rows(result)]
    assert [float(line[4].removeprefix("≥ ").replace(",", "")) for line in table[2:]] == [
        pytest.approx(design.metrics.energy_pj / 1e3, abs=0.051) for design in result.designs
    ]
    assert [line[-1] for line in cells(text, "| claim |")[2:]] == ["holds", "does not hold", "does not hold", "no worse"]
    assert "<html" in plot.read_text()
    assert publish.main(["--docs", str(tmp_path)]) == 0
    assert page.read_text() == text


def cells(text: str, heading: str) -> list[list[str]]:
    """The table that begins so."""
    lines = text[text.index(heading) :].partition("\n\n")[0].splitlines()
    found = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    assert len({len(line) for line in found}) == 1
    return found


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    run = create(tmp_path, QUICK.replace(seed=7))
    assert run.folder.name == "scnas-quick-1"
    assert plan_of(run) == QUICK.replace(seed=7)
    tables = tomllib.loads((run / CONFIG).read_text())
    assert tables["reproduce"] == {"system": "scnas", "plan": "quick", "seed": 7}
    assert Data(**tables["data"]) == QUICK.data  # what `gatewright verify` reads
    for name, seed in ((None, None), ("quick", 7), (None, 7)):
        assert plan_of(resume(run.folder, name, seed)).seed == 7
    with pytest.raises(BadInput, match="was started with the plan quick, and now it is full: a resumed run goes on as it began"):
        resume(run.folder, "full", None)
    with pytest.raises(BadInput, match="was started with the seed 7, and now it is 0"):
        resume(run.folder, None, 0)


class Stub:
    """In place of the whole run."""

    result: Result
    calls: Sequence[Any] = ()
    failure: BaseException | None = None

    def __init__(self, run: Run, plan: Any, source: Any, listener: Any) -> None:
        self.kept, self.kind = run, type(self)
        self.kind.calls = [*self.kind.calls, (plan, source)]
        listener.phase("Searching", 2)
        listener.advance()

    def run(self) -> Result:
        if self.kind.failure:
            raise self.kind.failure
        self.kept.write(RESULT, self.kind.result.model_dump(mode="json"))
        return self.kind.result


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: Result) -> type[Stub]:
    class Own(Stub):
        pass

    Own.result = result
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduction, "Reproduction", Own)
    return Own


def test_a_claim_that_does_not_hold_is_status_1(stub: type[Stub], capsys: Capture) -> None:
    assert main.main(["reproduce", "scnas", "--quick", "--seed", "3", "--json"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["run"] == "runs/scnas-quick-1"
    assert {*found} >= {"claims", "rows", "seconds"}
    assert found["claims"] == [claim.model_dump(mode="json") for claim in stub.result.claims]
    assert [Row(**row).label for row in found["rows"]] == [design.label for design in stub.result.designs]
    assert "Run runs/scnas-quick-1" in err
    (plan, source), *_ = stub.calls
    assert plan == QUICK.seeded(3)
    assert source.dataset == "digits"
    assert Path("runs/scnas-quick-1/report.html").exists()
    assert json.loads(Path("runs/scnas-quick-1", RECORD).read_text())["reproduces"] == "scnas"


def test_claims_that_hold_are_status_0(stub: type[Stub], capsys: Capture) -> None:
    ours = Claim(name="our own question", paper=None, measured=0.5, unit="times", holds=False)
    stub.result = stub.result.replace(claims=(stub.result.claims[0], ours))
    assert main.main(["reproduce", "scnas", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(
        text in out for text in ("SC-NAS", "sobol8_4, xnor, sobol16_4", "holds", "our own question", "runs/scnas-quick-1/report.html")
    )
    assert main.main(["report", "scnas-quick-1", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == "runs/scnas-quick-1/report.html"
    assert main.main(["reproduce", "scnas", "--resume", "scnas-quick-1", "--quiet"]) == 0
    assert len(stub.calls) == 2


def test_a_mismatch_on_verilog_is_status_1(stub: type[Stub]) -> None:
    first, *others = stub.result.designs
    assert first.verified is not None
    wrong = first.replace(verified=first.verified.replace(mismatches=1))
    stub.result = stub.result.replace(claims=(), designs=(wrong, *others))
    assert main.main(["reproduce", "scnas", "--quiet"]) == 1


def test_an_interrupted_run_says_how_to_go_on(stub: type[Stub], capsys: Capture) -> None:
    stub.failure = KeyboardInterrupt()
    assert main.main(["reproduce", "scnas"]) == 130
    assert "Go on with: gatewright reproduce scnas --resume runs/scnas-quick-1" in capsys.readouterr().err
    assert main.main(["report", "scnas-quick-1", "--quiet"]) == 2
    assert "Finish it with `gatewright reproduce scnas --resume runs/scnas-quick-1`" in capsys.readouterr().err


def test_missing_data_is_status_3(stub: type[Stub], capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert FULL.data.dataset == "cifar10"
    monkeypatch.setenv("GATEWRIGHT_DATA", str(tmp_path / "none"))
    assert main.main(["reproduce", "scnas", "--full", "--quiet"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("runs").exists()
    assert not stub.calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scnas", "--quick", "--full"], "--quick and --full are two plans: give one of them."),
        (["enos"], "'enos'"),
        (["scnas", "--resume", "none"], "There is no file or run folder none"),
        (["scnas", "--resume", "other"], "runs/other is a run of `gatewright explore`, not of a reproduction."),
        (["scnas", "--resume", "trained"], "runs/trained is a run of `gatewright train`, not of a reproduction."),
        (["scnas", "--resume", "scnas-quick-1", "--full"], "was started with the plan quick, and now it is full"),
    ],
)
def test_bad_input_is_status_2(stub: type[Stub], capsys: Capture, arguments: list[str], message: str) -> None:
    create(Path("runs"), QUICK)
    for name, text in (("other", "[accelerator]\n"), ("trained", '[network]\nfamily = "vgg"\n')):
        Path("runs", name).mkdir()
        Path("runs", name, "config.toml").write_text(text)
    assert main.main(["reproduce", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert not stub.calls


@pytest.mark.parametrize(
    ("command", "message"),
    [("explain", "scnas-quick-1 has no result.json"), ("train small.toml --resume", "scnas-quick-1 is a run of `gatewright reproduce`")],
)
def test_other_commands_know_a_reproduction(
    command: str, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    create(Path("runs"), QUICK)
    Path("small.toml").write_text('[network]\nfamily = "vgg"\nwidths = [4]\noperators = ["int8"]\n[data]\ndataset = "digits"\n')
    assert main.main([*command.split(), "scnas-quick-1"]) == 2
    assert f"runs/{message}" in capsys.readouterr().err


def test_publishing_nothing_or_nowhere_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"scnas.md is not there: .* --docs"):
        publish.main(["--docs", str(tmp_path)])
    (tmp_path / "scnas.md").write_text("<!-- quick: begin -->\n<!-- quick: end -->\n<!-- full: begin -->\n<!-- full: end -->\n")
    with pytest.raises(BadInput, match="no result to draw"):
        publish.main(["--docs", str(tmp_path), "--plot", str(tmp_path / "plot.html")])
