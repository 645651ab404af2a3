"""Platform charts: what a chart is, how it is read between its points, and each platform's figures against an oracle outside it."""

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatewright.hw.errors import BadInput, Mismatch, Missing
from gatewright.sim import rtl, yosys
from gatewright.sim.design import Design
from gatewright.sim.platforms import fpga, processors, rram, store
from gatewright.sim.platforms.chart import Axis, Chart, Cost, Provenance
from gatewright.sim.platforms.lines import lines_info

PLACE = Provenance(device="a bench", method="by hand", command="none", date="2026-01-31", tools={"hand": "1"}, sources=("a book",))


def power(c: float, k: float) -> float:
    return 3 * c**2 * k**0.5


def chart(**changes: Any) -> Chart:
    """Costs that follow a power law, so that interpolation is exact; and one that is zero at places."""
    rows = [(op, c, k, scale * power(c, k), 0 if c == 4 else c) for op, scale in (("a", 1), ("b", 2)) for c in (4, 16, 64) for k in (1, 9)]
    fields = {
        "platform": "bench",
        "name": "layer",
        "title": "a bench",
        "axes": (Axis(name="operator", title="operator"), Axis(name="C", title="in"), Axis(name="K", title="out")),
        "costs": (
            Cost(name="latency_us", title="time, us", origin="measured", rises_with=("C", "K")),
            Cost(name="dsps", title="blocks", origin="cited"),
        ),
        "rows": tuple(rows),
        "provenance": PLACE,
    }
    return Chart(**(fields | changes))


def test_a_chart_gives_its_points_and_power_laws_between_them() -> None:
    found = chart().at(operator="b", C=16, K=9)
    assert found == {"latency_us": pytest.approx(2 * power(16, 9)), "dsps": 16}
    assert chart().at(operator="a", C=30, K=5)["latency_us"] == pytest.approx(power(30, 5))
    half = chart().at(operator="a", C=8, K=1)["dsps"]
    assert half == pytest.approx(8), "half way between 0 and 16 on the logarithm of C, on a straight line"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"operator": "a", "C": 65, "K": 1}, "bench/layer covers C from 4 to 64; got 65. It is not extended beyond"),
        ({"operator": "a", "C": 3.9, "K": 1}, "covers C from 4 to 64; got 3.9"),
        ({"operator": "a", "C": "x", "K": 1}, "C of bench/layer is a number; 'x' is no number"),
        ({"operator": "c", "C": 4, "K": 1}, "has no points for c; it has them for a; b"),
        ({"operator": "a", "C": 4}, "needs a value for K too"),
        ({"operator": "a", "C": 4, "K": 1, "P": 1}, "has no axis 'P'; it has operator, C, K"),
    ],
)
def test_a_chart_is_not_read_beyond_its_range(where: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        chart().at(**where)


def test_an_axis_may_be_left_as_it_is() -> None:
    axes = (*chart().axes[:2], Axis(name="K", title="out", interpolated=False))
    assert chart(axes=axes).at(operator="a", C=30, K=9)["latency_us"] == pytest.approx(power(30, 9))
    with pytest.raises(BadInput, match="bench/layer is not interpolated over K, which is one of 1, 9; got 2.5"):
        chart(axes=axes).at(operator="a", C=16, K=2.5)


def test_rows_are_selected() -> None:
    assert chart().select(operator="b", C=16.0) == (("b", 16, 1, 2 * power(16, 1), 16), ("b", 16, 9, 2 * power(16, 9), 16))
    assert chart().select() == chart().rows
    assert chart().holds(operator="b", C=16.0, K=9)
    assert not chart().holds(operator="b", C=17, K=9)
    for where, text in (
        ({"C": 17}, "bench/layer has no row with C 17; it has rows with C 4, 16, 64"),
        ({"operator": "c"}, "has no row with operator c; it has rows with operator a, b"),
        ({"C": "abc"}, "'abc' is no number"),
        ({"P": 1}, "has no axis 'P'"),
    ):
        with pytest.raises(BadInput, match=text):
            chart().select(**where)


def changed(row: int, column: int, value: Any) -> dict[str, Any]:
    rows = [list(entry) for entry in chart().rows]
    rows[row][column] = value
    return {"rows": tuple(map(tuple, rows))}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rows": chart().rows[:-1]}, "the points of b must form a full grid; there is none at C 64, K 9"),
        ({"rows": (*chart().rows, chart().rows[0])}, "a point of a occurs twice"),
        (changed(0, 3, 1e6), "latency_us of a must not fall as C rises; it does from C 4, K 1"),
        (changed(0, 3, -1), "cost latency_us must be a finite number, 0 or more; got -1"),
        (changed(0, 3, "1"), "cost latency_us must be a finite number"),
        (changed(0, 1, 0), "axis C must be a name or a positive number; got 0"),
        (changed(0, 1, "four"), "axis C must be all numbers or all names"),
        ({"rows": (chart().rows[0][:-1],)}, "a row has 3 axes and 2 costs"),
        ({"axes": (*chart().axes[:2], Axis(name="C", title="again"))}, "columns must differ in name"),
        ({"provenance": PLACE.replace(tools={})}, "measured figures need the versions of their tools"),
        ({"provenance": PLACE.replace(sources=())}, "cited figures need their sources"),
        (
            {"costs": (chart().costs[0].replace(rises_with=("operator",)), chart().costs[1])},
            "rises with operator, which is no axis of numbers",
        ),
    ],
)
def test_broken_charts_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        chart(**changes)


def test_a_cost_names_its_unit() -> None:
    with pytest.raises(BadInput, match="a cost's name ends in its unit, one of luts, .*; got 'time'"):
        Cost(name="time", title="time", origin="measured")


def test_charts_keep_on_disk(tmp_path: Path) -> None:
    path = store.save(chart(), tmp_path)
    kept = store.load(path)
    assert path.name == "bench_layer.json"
    assert kept.at(operator="b", C=20, K=3) == pytest.approx(chart().at(operator="b", C=20, K=3), rel=1e-5)
    assert store.text(kept) == path.read_text(), "figures of six digits stay as they are"
    assert Chart.from_json(chart().to_json()) == chart()
    path.write_text(path.read_text().replace('"measured"', '"guessed"'))
    with pytest.raises(BadInput, match=f"{path} holds no chart: .*origin"):
        store.load(path)
    with pytest.raises(BadInput, match="missing.json cannot be read: no such file"):
        store.load(tmp_path / "missing.json")
    with pytest.raises(BadInput, match="There is no chart 'x/y'; there are bench/layer"):
        store.named("x/y", [chart()])


def test_lines_hold_the_other_axes() -> None:
    info = lines_info(chart(), "latency_us")
    assert info.held == {"K": 9}
    assert [line.name for line in info.lines] == ["a", "b"]
    assert info.lines[1].x == (4, 16, 64)
    assert info.lines[1].y == pytest.approx([2 * power(c, 9) for c in (4, 16, 64)])
    assert lines_info(chart(), "latency_us", "K", {"C": 8}).lines[0].y == pytest.approx([power(8, 1), power(8, 9)])
    nameless = rram.arrays(rram.device())
    assert [line.name for line in lines_info(nameless, "energy_pj").lines] == [f"adc_bits {bits}" for bits in range(4, 9)]
    for arguments, text in (
        (("energy_pj",), "has no cost 'energy_pj'"),
        (("latency_us", "operator"), "'operator' is no axis of numbers"),
        (("latency_us", "C", {"C": 4.0}), "C cannot be held; of bench/layer over C these can: K"),
        (("latency_us", "C", {"K": 10.0}), "No line of bench/layer covers K 10"),
    ):
        with pytest.raises(BadInput, match=text):
            lines_info(chart(), *arguments)


def test_shipped_charts_are_whole() -> None:
    """Loading checks units, grids, directions and sources; what is never measured here is not there."""
    known = {found.key: found for found in store.shipped()}
    assert set(known) == {"cpu/layer", "fpga/accelerator", "fpga/element", "fpga/layer", "rram/array", "rram/layer"}
    for found in known.values():
        origins = {cost.origin for cost in found.costs}
        assert origins <= ({"from_cited"} if found.platform == "rram" else {"measured", "from_measured"})
        assert (
            store.text(found)
            == (Path(store.__file__).parents[1] / "data" / "platforms" / f"{found.platform}_{found.name}.json").read_text()
        )


# FPGA


def test_the_bench_adds_flip_flops_only() -> None:
    """A 3-bit adder with a register: its logic is all there is, and what comes out after the shift register is the sum."""
    design = Design.of(
        "module adder(input clk, input [2:0] a, input [2:0] b, output reg [3:0] sum); always @(posedge clk) sum <= a + b; endmodule"
    )
    verilog, added = fpga.bench(design, "top")
    assert added == 6 + 4

    def cells(text: str, top: str) -> dict[str, int]:
        commands = ["read_verilog -sv design.v", f"synth_ice40 -top {top}", "tee -q -o stat.json stat -json"]
        done = yosys.run(commands, {"design.v": text}, ["stat.json"], "bench")
        return dict(json.loads(done["stat.json"])["design"]["num_cells_by_type"])

    alone, benched = cells(design.verilog, "adder"), cells(verilog, "top")
    assert benched.pop("SB_DFF") == alone.pop("SB_DFF") + added
    assert {name: n for name, n in benched.items() if n and name.startswith("SB")} == {n: v for n, v in alone.items() if n.startswith("SB")}
    bits = np.random.default_rng(0).integers(0, 2, (40, 1))
    passed = rtl.simulate(Design.of(verilog, top="top"), {"rx": bits}, reset_cycles=0)["tx"]
    assert (passed[6:, 0] == bits[:-6, 0]).all(), "six bits of operands: a shift register of six"


# Processors


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (5, 3, 31), (4, 8, 32), (20, 24, 200)])
def test_kernels_equal_integers(m: int, n: int, k: int) -> None:
    """The oracle here is NumPy, and the job's own check agrees with it."""
    rng = np.random.default_rng(k)
    a, w = rng.integers(0, 2, (m, k)), rng.integers(0, 2, (n, k))
    different = processors.differing(processors.pack(torch.from_numpy(a)), processors.pack(torch.from_numpy(w)))
    assert (k - different.numpy() == (a[:, None, :] == w[None, :, :]).sum(-1)).all()
    generator = torch.Generator().manual_seed(0)
    jobs = {name: make(m, n, k, "cpu", generator) for name, make in processors.PRODUCTS.items() if name != "xnor"}
    jobs["xnor"] = processors.xnor(m, n, k, "cpu", generator, fused=False)
    for name, job in jobs.items():
        job.check(name)
        assert job.expected.shape == (m, n)


def test_words_are_bits() -> None:
    words = np.array([0, -1, 1, -(2**31), 2**31 - 1, 0x12345678], dtype=np.int64)
    counts = processors.popcount(torch.from_numpy(words).to(torch.int32))
    assert counts.tolist() == [bin(int(word) & 0xFFFFFFFF).count("1") for word in words]
    bits = np.random.default_rng(1).integers(0, 2, (3, 70))
    packed = processors.pack(torch.from_numpy(bits)).numpy().astype(np.int64) & 0xFFFFFFFF
    assert packed.shape == (3, 3)
    assert [int(packed[i // 32, r]) >> (i % 32) & 1 for r in range(3) for i in range(70)] == bits.ravel().tolist()


def test_a_wrong_product_is_not_timed() -> None:
    job = processors.fp32(4, 8, 16, "cpu", torch.Generator().manual_seed(0))
    wrong = job.expected.clone()
    wrong[1, 2] += 1
    with pytest.raises(Mismatch, match="fp32: 1 of 32 sums differ from exact integers, so nothing is timed"):
        processors.Job(job.run, job.result, wrong).check("fp32")


class Clock:
    """A run takes `times` in turn, the last one for ever; the work is done only when it is waited for."""

    def __init__(self, times: list[float]) -> None:
        self.times, self.now, self.asked, self.runs = times, 0.0, 0, 0

    def run(self) -> None:
        self.asked += 1

    def wait(self) -> None:
        for _ in range(self.asked):
            self.now += self.times[min(self.runs, len(self.times) - 1)]
            self.runs += 1
        self.asked = 0

    def read(self) -> float:
        assert not self.asked, "the clock is read while work is under way"
        return self.now


def test_timing_leaves_warming_up_out() -> None:
    clock = Clock([1.0] * processors.WARM + [0.002])
    assert processors.timed(clock.run, clock.read, clock.wait) == (pytest.approx(2000), pytest.approx(0, abs=1e-6))
    assert clock.runs == processors.WARM + 1 + processors.REPEATS


def test_short_runs_are_timed_together() -> None:
    clock = Clock([2**-17])
    assert processors.timed(clock.run, clock.read, clock.wait)[0] == pytest.approx(1e6 * 2**-17)
    assert clock.runs == processors.WARM + 1 + 132 * processors.REPEATS


def test_one_slow_sample_does_not_move_the_median() -> None:
    clock = Clock([0.002] * (processors.WARM + 3) + [5.0] + [0.002])
    assert processors.timed(clock.run, clock.read, clock.wait) == (pytest.approx(2000), pytest.approx(0, abs=1e-6))


def test_a_chart_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole path, with kernels that are not compiled, two shapes, and no clock asserted."""
    monkeypatch.setattr(processors, "_fused", lambda: processors.differing)
    for name, value in {"CHANNELS": (4,), "SIZES": (2, 3), "KERNELS": (1,), "REPEATS": 3, "SAMPLE_S": 1e-7}.items():
        monkeypatch.setattr(processors, name, value)
    before = torch.get_num_threads()
    made = processors.measure("cpu")
    assert torch.get_num_threads() == before
    assert made.key == "cpu/layer"
    assert len(made.rows) == 3 * 2
    assert made.provenance.tools.keys() == {"torch"}
    assert all(cost.origin == "measured" for cost in made.costs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_no_gpu_is_said() -> None:
    with pytest.raises(Missing, match="no CUDA device on this machine .* never estimated") as caught:
        processors.measure("gpu")
    assert caught.value.exit_status == 3


# RRAM

DEVICE = rram.device()


def test_a_layer_by_hand() -> None:
    """A 3 x 3 layer of 16 channels to 200 on 4 x 4 pixels: 144 products are 3 arrays down, 200 outputs 2 across."""
    found = rram.crossbar(DEVICE, 144, 200, 16)
    assert found.arrays == 6
    half = 0.5 * 0.5**2 * 10e-9 * (1 / 115e3 + 1 / 10.015e6)  # V^2 t / R, in joules
    assert found.cells_pj == pytest.approx(16 * 144 * 200 * half * 1e12)
    assert found.adc_pj == pytest.approx(16 * 3 * 200 * 1.42)
    assert found.drivers_pj == pytest.approx(16 * 144 * 2 * 0.41667)
    assert found.sums_pj == pytest.approx(16 * 3 * 200 * 0.021)
    assert (
        found.energy_pj(2) - found.energy_pj(1)
        == pytest.approx(2 * (found.energy_pj(1) - found.energy_pj(0.5)))
        == pytest.approx(found.adc_pj)
    )
    assert found.area_um2 == pytest.approx(6 * (128 * 128 * 0.0256 + 128 * 0.166 + 16 * (845.18 + 60)))
    assert found.latency_us == pytest.approx(16 * 8 * 10.8333e-3)


def test_few_outputs_take_few_turns() -> None:
    """Eight columns share an ADC; three outputs are read in three turns, nine in eight: the ninth has an ADC of its own."""
    for outputs, turns in ((1, 1), (3, 3), (8, 8), (9, 8)):
        assert rram.crossbar(DEVICE, 64, outputs, 5).latency_us == pytest.approx(5 * turns * 10.8333e-3)


def test_counts_need_bits() -> None:
    """Bits that tell 0 to n apart; an ADC no source gives is refused, not extrapolated."""
    for rows in (2, 32, 64, 128, 256):
        bits = DEVICE.replace(rows=rows).exact_bits
        assert 2**bits >= rows // 2 + 1 > 2 ** (bits - 1)
    with pytest.raises(BadInput, match="The sources give ADCs of 4, 5, 6, 7, 8 bits; got 3"):
        rram.crossbar(DEVICE, 64, 128, 1, adc_bits=3)
    with pytest.raises(BadInput, match="at least one product, output and pixel; got 0, 1 and 1"):
        rram.crossbar(DEVICE, 0, 1, 1)


def test_the_model_lies_where_the_literature_does() -> None:
    """The ADC takes most of the energy (ISAAC, Newton), and a full array's efficiency is within three times of the published 141 TOPS/W of
    XNOR-RRAM (Sun et al., DATE 2018: 128 x 128, 3-bit sensing, 65 nm). One product is two operations."""
    full = rram.crossbar(DEVICE, 64, 128, 1)
    assert full.adc_percent > 50
    coarse = rram.crossbar(DEVICE, 64, 128, 1, adc_bits=4)
    assert 1 / 3 < 2 * 64 * 128 / coarse.energy_pj() / 141.18 < 3


def test_every_figure_has_a_source() -> None:
    fields = json.loads(DEVICE.to_json())
    del fields["sources"]["driver_pj"]
    with pytest.raises(BadInput, match="every figure needs a source among the citations; driver_pj has none"):
        rram.Device(**fields)
    with pytest.raises(BadInput, match="rows must be even; got 127"):
        DEVICE.replace(rows=127)
    with pytest.raises(BadInput, match="of the same numbers of bits"):
        DEVICE.replace(adc_um2={8: 1200})


def test_shipped_rram_charts_are_the_model() -> None:
    for made in rram.charts():
        assert store.text(store.named(made.key)) == store.text(made)
    layer = store.named("rram/layer")
    for c, k, size, kernel in product((16, 512), (64,), (8,), (1, 3)):
        found = layer.at(C=c, K=k, size=size, kernel=kernel)
        assert found["energy_pj"] == pytest.approx(rram.crossbar(DEVICE, c * kernel**2, k, size**2).energy_pj(), rel=1e-5)
    shape = {"C": 100, "K": 64, "size": 8, "kernel": 3}
    assert rram.exact(layer, **shape)["arrays"] == 15, "900 products, 64 to a column, are 14.06 arrays"
    bits = rram.exact(store.named("rram/array"), side=100, adc_bits=7)
    assert bits["latency_us"] == pytest.approx(8 * 10.8333e-3)
    for changes, text in (
        ({"kernel": 2.5}, "not interpolated over kernel, which is one of 1, 3; got 2.5"),
        ({"C": 99.5}, "C .* whole number"),
    ):
        with pytest.raises(BadInput, match=text):
            rram.exact(layer, **shape | changes)
    between = layer.at(C=192, K=100, size=12, kernel=3)["energy_pj"]
    assert math.log(between / rram.crossbar(DEVICE, 192 * 9, 100, 144).energy_pj()) == pytest.approx(0, abs=0.05)
