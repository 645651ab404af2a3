"""The measuring side of calibration: plans, the choice of mappings, measurements as nouns."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatewright.hw.config import AcceleratorConfig, integer, stochastic, xnor
from gatewright.hw.errors import BadInput, Missing
from gatewright.sim import calibration
from gatewright.sim.accelerator import netlist_of
from gatewright.sim.calibration import Plan, measure_plan, plan_from
from gatewright.sim.measurement import load, part_of, parts, save, shipped
from gatewright.sim.plan import FULL
from gatewright.sim.probe import Probe, Result, choose
from gatewright.sim.technology import EMBEDDED, Conventions, Technology, ihp130, technology_named
from gatewright.sw.mapping import Tiling
from gatewright.sw.models import Architecture, workload

CONFIG = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(xnor(), stochastic(64)), accumulator_bits=18)
NETWORK = Architecture(family="vgg", channels=1, height=8, width=8, widths=(4,), operators=(xnor(), xnor()))


def test_the_full_plan_is_what_ships() -> None:
    measurements = load(shipped())
    assert [m.name for m in measurements] == [probe.name for probe in FULL.probes]
    assert [m.config for m in measurements] == [probe.config for probe in FULL.probes]
    assert {m.technology_hash for m in measurements} == {ihp130().hash}
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


class Here(ThreadPoolExecutor):
    """A process pool's stand-in."""

    def __init__(self, workers: int, mp_context: object) -> None:
        super().__init__(1)


@pytest.mark.parametrize("name", EMBEDDED)
def test_workers_are_handed_embedded_technologies_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first, *_ = load(shipped())
    used: list[str] = []

    def measured(probe: Probe, technology: Technology) -> Result:
        used.append(technology.hash)
        return Result(first.replace(technology=technology.name), reused=False)

    monkeypatch.setattr(calibration, "ProcessPoolExecutor", Here)
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
