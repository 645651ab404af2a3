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
    assert record["costs"] == store.named("rram/layer").at(**where)
    assert record["at"] == where
    status, out, _ = run(capsys, "rram/array", "--at", "side=128, adc_bits=7")
    assert status == 0
    assert "energy_half_adc_pj" in out


def test_a_page(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    status, out, _ = run(capsys, "rram/layer", "--html", str(path), "--over", "K", "--at", "size=16")
    assert status == 0
    assert str(path) in out
    assert "size 16" in path.read_text()


def test_measuring_writes_charts(capsys: Capture, tmp_path: Path) -> None:
    status, out, _ = run(capsys, "--measure", "rram", "--out", str(tmp_path), "--json")
    assert status == 0
    assert sorted(json.loads(out)["charts"]) == sorted(str(path) for path in tmp_path.iterdir())
    assert {store.load(path).key for path in tmp_path.iterdir()} == {"rram/layer", "rram/array"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_gpu_nothing_is_made_up(capsys: Capture, tmp_path: Path) -> None:
    status, _, err = run(capsys, "--measure", "gpu", "--out", str(tmp_path))
    assert status == 3
    assert "no CUDA device on this machine" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["asic/layer"], "There is no chart 'asic/layer'; there are"),
        (["rram/layer", "--at", "C=16"], "rram/layer needs a value for K, size, kernel too"),
        (["rram/layer", "--at", "C=16,K=4,size=8,kernel=3"], "rram/layer covers K from 16 to 512; got 4"),
        (["rram/layer", "--at", "C:16"], "--at is a list like C=48,K=64, every axis once; got 'C:16'"),
        (["rram/layer", "--at", "C=1,C=2"], "every axis once"),
        (["--at", "C=16"], "--at, --html and --over are of one chart: name it"),
        (["rram/layer", "--over", "C"], "--over is of the plots: give --html too"),
        (["--measure", "asic", "--out", "."], "There is no platform 'asic'; there are fpga, gpu, cpu, rram"),
        (["--measure", "rram"], "--measure makes charts and --out says where to: give both"),
        (["rram/layer", "--out", "."], "give both"),
        (["rram/layer", "--measure", "rram", "--out", "."], "leave CHART, --at, --html and --over out"),
        (["--measure", "rram", "--out", "no/such/folder"], "no/such/folder is no folder"),
        (["rram/layer", "--html", "no/such/page.html"], "there is no folder no/such"),
    ],
)
def test_refusals(capsys: Capture, arguments: list[str], text: str) -> None:
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert text in err
    assert not out
