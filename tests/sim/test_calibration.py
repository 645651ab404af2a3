"""The measuring side of calibration: plans, the choice of mappings, measurements as nouns."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, integer, stochastic, xnor
from gatewright.hw.errors import BadInput, Missing
from gatewright.sim import calibration, processes
from gatewright.sim.accelerator import Measured, _run, netlist_of
from gatewright.sim.calibration import Plan, measure_plan, plan_from
from gatewright.sim.measurement import load, part_of, parts, save, shipped
from gatewright.sim.netlist import Cells, Netlist
from gatewright.sim.plan import FULL, PROBES
from gatewright.sim.probe import Probe, Result, choose
from gatewright.sim.technology import EMBEDDED, Conventions, Technology, ihp130, technology_named
from gatewright.sw.mapping import Tiling
from gatewright.sw.models import Architecture, workload

CONFIG = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(xnor(), stochastic(64)), accumulator_bits=18)
NETWORK = Architecture(family="vgg", channels=1, height=8, width=8, widths=(4,), operators=(xnor(), xnor()))


@pytest.mark.parametrize(("technology", "probes"), [("ihp130", FULL.probes), ("sky130", PROBES), ("asap7", PROBES)])
def test_the_plan_is_what_ships(technology: str, probes: tuple[Probe, ...]) -> None:
    measurements = load(shipped(technology))
    assert [m.name for m in measurements] == [probe.name for probe in probes]
    assert [m.config for m in measurements] == [probe.config for probe in probes]
    assert {m.technology_hash for m in measurements} == {technology_named(technology).hash}
    assert all(m.tools and m.operands for m in measurements)


def test_the_full_plan_holds_every_kind_of_block() -> None:
    operators = {operator for probe in FULL.probes for operator in probe.config.operators}
    assert {operator.kind for operator in operators} == {"int", "binary_weight", "xnor", "stochastic", "shift", "multiplication_free"}
    assert {(o.coding, o.source) for o in operators if o.kind == "stochastic"} >= {("sign_magnitude", "sobol"), ("bipolar", "lfsr")}
    for name, choices in {"operand_bits": 2, "pipeline_stages": 3, "pooling": 2}.items():
        assert len({getattr(probe.config, name) for probe in FULL.probes}) == choices, name


def test_plans_refuse_equal_names() -> None:
    probe = Probe(name="a", config=CONFIG, architecture=NETWORK)
    with pytest.raises(BadInput, match="the names of probes must differ; a came twice"):
        Plan(probes=(probe, probe))


def test_plans_may_name_operators() -> None:
    config = {"rows": 1, "cols": 2, "operators": ["int8", "sc_bipolar_lfsr128_8"]}
    network = {"family": "mlp", "channels": 1, "height": 8, "width": 8, "widths": [], "operators": ["int8"]}
    (probe,) = plan_from({"probes": [{"name": "a", "config": config, "architecture": network}]}).probes
    assert probe.config.operators == (integer(8), stochastic(128, "bipolar", "lfsr"))
    with pytest.raises(BadInput, match="A plan has one key, probes"):
        plan_from({"probe": []})


@pytest.mark.parametrize("rule", ["fast", "drawn"])
def test_chosen_mappings_are_legal_and_repeat(rule: str) -> None:
    work = workload(NETWORK)
    chosen = choose(work, CONFIG, 2, rule, 3)  # type: ignore[arg-type]
    assert chosen == choose(work, CONFIG, 2, rule, 3)  # type: ignore[arg-type]
    for i, (layer, mapping) in enumerate(zip(work.layers, chosen, strict=True)):
        assert Tiling(layer, CONFIG, mapping, 2, work.context(i)).broken_rule() is None


def test_a_network_that_fits_no_mapping_is_refused() -> None:
    with pytest.raises(BadInput, match="Layer .* has no mapping on a grid of .*activation_words 4"):
        choose(workload(NETWORK), CONFIG.replace(activation_words=4), 1, "fast", 0)


def test_parts_hold_all_of_the_netlist() -> None:
    technology = ihp130()
    netlist = netlist_of(CONFIG, technology)
    found = parts(netlist, CONFIG, technology)
    assert sum(part.cells for part in found.values()) == netlist.size
    area = sum(len(cells) * technology.library.cells[kind].area for kind, cells in netlist.cells.items())
    assert sum(part.area_um2 for part in found.values()) == pytest.approx(area)
    assert {"element", "lanes:xnor", "lanes:sign_magnitude8", "encoder.weight:sc_sign_magnitude_sobol64_8", "store"} <= set(found)
    # registers that nobody may remove: accumulators and the registered sum of an element, both datapaths' operands at a row's edge
    assert found["element"].flip_flops == CONFIG.accumulator_bits * CONFIG.accumulator_depth + 7
    assert found["activation_edge"].flip_flops == 64


def test_paths_name_their_part() -> None:
    assert part_of(("accelerator", "grid", "element_0_1", "lanes1", "x"), CONFIG) == "lanes:sign_magnitude8"
    assert part_of(("accelerator", "grid", "activation_edge_0", "encoder0"), CONFIG) == "encoder.activation:sc_sign_magnitude_sobol64_8"
    assert part_of(("accelerator", "grid", "weight_source_0"), CONFIG) == "source.weight:sc_sign_magnitude_sobol64_8"
    assert part_of(("accelerator", "post", "channel0"), CONFIG) == "post"
    assert part_of((), CONFIG) == "system"


class Tape:
    """A simulation's stand-in that writes down, cycle by cycle, what is counted and in how many streams it is timed."""

    def __init__(self, streams: int) -> None:
        self.streams, self.on, self.timed = streams, False, 0
        self.cycles: list[tuple[bool, int]] = []

    def clear(self) -> None:
        self.cycles = []

    def count(self, on: bool = True, timed: int = 0) -> None:
        self.on, self.timed = on, timed

    def step(self, cycles: int = 1) -> None:
        self.cycles += [(self.on, self.timed)] * cycles

    def toggles(self) -> list[tuple[bool, int]]:
        return self.cycles


@pytest.mark.parametrize("streams", [3, 64])
def test_cycles_are_counted_and_timed_all_along_a_layer(streams: int) -> None:
    """Short layers whole, long ones in windows of 500 cycles with equal ways between; timed is one cycle of each equal stretch of what is
    counted, at no fixed place of it, about 400 in all; after the last layer come the host's eight cycles."""
    lengths = [1, 350, 3_999, 9_100, 123_456, 20]
    tapes: list[list[tuple[bool, int]]] = cast(Any, list(_run(cast(Any, Tape(streams)), lengths)))  # what it wrote, in place of toggles
    assert [len(tape) for tape in tapes] == [*lengths[:-1], lengths[-1] + 8]
    for tape in tapes:
        counted = [i for i, (on, _) in enumerate(tape) if on]
        timed = [i for i, (_, number) in enumerate(tape) if number]
        assert {number for _, number in tape} <= {0, min(8, streams)}
        assert set(timed) <= set(counted)
        if len(tape) < 8_000:
            assert counted == list(range(len(tape)))
        else:
            starts = [i for i in counted if i - 1 not in set(counted)]
            assert len({b - a for a, b in pairwise(starts)}) == 1, "equal ways"
            assert starts[0] == 0
            assert len(tape) - starts[-1] <= starts[1]
            assert 4_000 <= len(counted) <= 8_000
        assert min(len(counted), 300) <= len(timed) <= max(len(counted), 500)
        assert len(timed) <= 900
        if len(counted) >= 3_999:
            stretch = round(len(counted) / len(timed))
            places = {counted.index(i) % 500 % stretch for i in timed}
            assert len(places) > stretch / 2


def test_metrics_of_a_run_are_scaled_counts() -> None:
    """Two layers, 4 streams, 2 images a run: 100 cycles of which 50 were counted, and 10 all counted. By hand: the first layer's energy is
    300 pJ in 200 stream-cycles, so 150 in a run; the second's 80 in 40, so 20; (150 + 20) / 2 an image."""
    cost = SimpleNamespace(area_um2=7.0)

    def report(logic: float, memory: float, cycles: int) -> Any:
        figures = {"logic_pj": logic, "memory_pj": memory, "cycles": cycles, "zero_delay_pj": 0.9 * logic, "activity": "timed"}
        return SimpleNamespace(**figures, memories=(SimpleNamespace(cost=cost),) * 3)

    technology, six = ihp130(), np.zeros((6, 2), np.int32)
    netlist = Netlist("six", 2, -1, {}, {}, {"sg13g2_inv_1": Cells(("A", "Y"), six, six[:, 0])})
    program: Any = SimpleNamespace(schedule=SimpleNamespace(images=2), config=SimpleNamespace(operand_bits=32))
    nothing = np.zeros(0)
    layers = (report(300.0, 60.0, 200), report(80.0, 8.0, 40))
    measured = Measured(program, netlist, technology, 20.0, nothing, 4, layers, (100, 10), nothing, external_words=5)
    metrics = measured.metrics
    assert metrics.energy_pj == pytest.approx(85.0)
    assert metrics.zero_delay_pj == pytest.approx(76.5)
    assert metrics.memory_energy_pj == pytest.approx((30.0 + 2.0) / 2)
    assert metrics.external_energy_pj == pytest.approx(5 * 32 * 4.0 / 2)
    assert (metrics.cycles, metrics.latency_ns, metrics.memory_area_um2) == (55.0, 2200.0, 21.0)
    assert (metrics.origin, metrics.activity) == ("measured", "timed")
    assert metrics.area_um2 == pytest.approx(6 * 5.4432)


def here(workers: int) -> ThreadPoolExecutor:
    """A pool of processes' stand-in."""
    return ThreadPoolExecutor(1)


@pytest.mark.parametrize("name", EMBEDDED)
def test_workers_are_handed_embedded_technologies_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first, *_ = load(shipped())
    used: list[str] = []

    def measured(probe: Probe, technology: Technology) -> Result:
        used.append(technology.hash)
        return Result(first.replace(technology=technology.name), reused=False)

    monkeypatch.setattr(processes, "workers", here)
    monkeypatch.setattr(calibration, "measure_probe", measured)
    plan = Plan(probes=(Probe(name="a", config=CONFIG, architecture=NETWORK),))
    assert [m.technology for m in measure_plan(plan, technology_named(name))] == [name]
    assert used == [technology_named(name).hash]
    with pytest.raises(BadInput, match=f"cannot be handed the technology {name}"):
        measure_plan(plan, technology_named(name).replace(Conventions(clock_high=0.5)))


def test_a_technology_that_does_not_ship_says_how_to_make_it() -> None:
    with pytest.raises(Missing, match='gatewright calibrate --technology n5 --out n5.json.*technology = "n5", measurements = "n5.json"'):
        shipped("n5")


def test_measurements_survive_a_file(tmp_path: Path) -> None:
    first, *_ = load(shipped())
    save([first], tmp_path / "one.json")
    assert load(tmp_path / "one.json") == (first,)
    assert list(tmp_path.iterdir()) == [tmp_path / "one.json"]
