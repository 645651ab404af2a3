"""`gatewright platforms`: the list, one chart, its costs at a shape, its page, and what is refused."""

import json
from pathlib import Path

import pytest
import torch

from gatewright.cli import main
from gatewright.sim.platforms import store

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    status = main.main(["platforms", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_list_has_every_chart_and_says_what_is_not_measured(capsys: Capture) -> None:
    status, out, _ = run(capsys)
    assert status == 0
    for chart in store.shipped():
        assert chart.key in out
    assert next(line for line in out.splitlines() if line.startswith("gpu")).rstrip().endswith("not measured here")
    status, out, _ = run(capsys, "--json")
    listed = json.loads(out)
    assert [entry["chart"] for entry in listed["charts"]] == [chart.key for chart in store.shipped()]
    assert listed["charts"][-1]["costs"]["energy_pj"] == "from_cited"
    assert set(listed["platforms"]) == {"fpga", "gpu", "cpu", "rram"}


def test_a_chart_is_shown_with_its_sources(capsys: Capture) -> None:
    chart = store.named("rram/array")
    status, out, _ = run(capsys, "rram/array")
    text = " ".join(out.split())
    assert status == 0
    assert all(cost.title in text for cost in chart.costs)
    assert "ISAAC (Shafiee et al., ISCA 2016)" in text
    status, out, _ = run(capsys, "rram/layer", "--json")
    assert len(json.loads(out)["rows"]) == len(store.named("rram/layer").rows)


def test_costs_at_a_shape(capsys: Capture) -> None:
    where = {"C": 100, "K": 64, "size": 8, "kernel": 3}
    status, out, _ = run(capsys, "rram/layer", "--at", ",".join(f"{axis}={value}" for axis, value in where.items()), "--json")
    record = json.loads(out)
    assert status == 0
    assert record["costs"]["arrays"] == 15, "the model: 900 products, 64 to a column"
    assert record["costs"]["latency_us"] == pytest.approx(64 * 8 * 10.8333e-3)
    assert record["how"] == "the model itself, not interpolated"
    assert record["origins"]["energy_pj"] == "from_cited"
    assert record["at"] == where
    status, out, _ = run(capsys, "rram/array", "--at", "side=128, adc_bits=7")
    assert status == 0
    assert "energy_half_adc_pj" in out


def test_costs_between_points_say_so(capsys: Capture) -> None:
    shape = "board=ulx3s,operator=int8,K=64,size=16,kernel=3"
    for c, text in ((100, "Interpolated between points of the chart; at 53 to 60 random shapes"), (64, "A point of the chart")):
        status, out, _ = run(capsys, "fpga/layer", "--at", f"C={c},{shape}")
        assert status == 0
        assert text in " ".join(out.split())
        assert "from measured figures" in out
    _, out, _ = run(capsys, "cpu/layer", "--at", "operator=xnor,images=1,C=100,K=64,size=16,kernel=3")
    assert "how far that is off was not measured" in " ".join(out.split())


def test_some_axes_select_rows(capsys: Capture) -> None:
    status, out, _ = run(capsys, "fpga/layer", "--at", "board=ulx3s,operator=int8", "--json")
    rows = json.loads(out)["rows"]
    assert status == 0
    assert rows == [list(row) for row in store.named("fpga/layer").rows if row[:2] == ("ulx3s", "int8")]
    _, out, _ = run(capsys, "fpga/layer", "--at", "board=ulx3s,operator=int8,C=16")
    assert out.split()[:4] == ["K", "size", "kernel", "cycles"]
    assert "board: icebreaker is" in out
    _, out, _ = run(capsys, "fpga/layer")
    assert "414 more rows: --at board=ulx3s selects some" in " ".join(out.split())
    assert "ulx3s an ECP5 85F, speed grade 6; here icebreaker, ulx3s" in " ".join(out.split())
    _, out, _ = run(capsys, "fpga/layer", "--at", "board=ulx3s,operator=int8,size=16")
    assert "10 more rows: C=256 in --at too selects some; --json" in " ".join(out.split())
    assert "speed grade 6; here ulx3s" in " ".join(out.split())


def test_a_page(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    status, out, _ = run(capsys, "rram/layer", "--html", str(path), "--over", "K", "--at", "size=16")
    assert status == 0
    assert str(path) in out
    assert "size 16" in path.read_text()
    assert '"yaxis":{"title":{"text":"pJ"}' in path.read_text()


def test_measuring_writes_charts(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "charts"
    status, out, _ = run(capsys, "--measure", "rram", "--out", str(folder), "--json")
    assert status == 0
    assert sorted(json.loads(out)["charts"]) == sorted(str(path) for path in folder.iterdir())
    assert {store.load(path).key for path in folder.iterdir()} == {"rram/layer", "rram/array"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_gpu_nothing_is_made_up(capsys: Capture, tmp_path: Path) -> None:
    for out in ((), ("--out", str(tmp_path / "charts"))):
        status, _, err = run(capsys, "--measure", "gpu", *out)
        assert status == 3
        assert "no CUDA device on this machine" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["asic/layer"], "There is no chart 'asic/layer'; there are"),
        (["rram/layer", "--at", "C=17"], "rram/layer has no row with C 17; it has rows with C 16, 32"),
        (["rram/layer", "--at", "C=abc"], "C of rram/layer is a number; 'abc' is no number"),
        (["rram/layer", "--at", "C=16,K=16,size=8,kernel=2.5"], "not interpolated over kernel, which is one of 1, 3; got 2.5"),
        (["fpga/layer", "--at", "board=ulx3s", "--html", "page.html"], "--at holds numbers, and all names are drawn; got board=ulx3s"),
        (["rram/layer", "--at", "C=16,K=4,size=8,kernel=3"], "rram/layer covers K from 16 to 512; got 4"),
        (["rram/layer", "--at", "C:16"], "--at is a list like C=48,K=64, every axis once; got 'C:16'"),
        (["rram/layer", "--at", "C=1,C=2"], "every axis once"),
        (["--at", "C=16"], "--at, --html and --over are of one chart: name it"),
        (["rram/layer", "--over", "C"], "--over is of the plots: give --html too"),
        (["--measure", "asic", "--out", "."], "There is no platform 'asic'; there are fpga, gpu, cpu, rram"),
        (["--measure", "rram"], "--measure makes charts and --out says where to: give both"),
        (["rram/layer", "--out", "."], "give both"),
        (["rram/layer", "--measure", "rram", "--out", "."], "leave CHART, --at, --html and --over out"),
        (["--measure", "rram", "--out", __file__], "cannot be made a folder: file exists"),
        (["rram/layer", "--html", "no/such/page.html"], "there is no folder no/such"),
    ],
)
def test_refusals(capsys: Capture, arguments: list[str], text: str) -> None:
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert text in err
    assert not out
