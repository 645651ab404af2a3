"""Two register stages leave a slice's lane products and their addition as the longest path of a grid of the default kind."""

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.grid import Grid
from gatewright.hw.operators.int import Lanes
from gatewright.hw.presets import INT8
from gatewright.sim import synthesise
from gatewright.sim.timing import TimingReport

SLICE_BITS = 16  # two int8 lanes: their products, and one level of addition


def timing(config: AcceleratorConfig) -> TimingReport:
    return synthesise(Grid(config, 1)).timing


def test_the_longest_path_is_a_lane_product_and_an_addition() -> None:
    report = timing(INT8.replace(rows=4, cols=4))
    blocks = [path[-1] for _, path, _ in report.stages if path]
    assert "_edge_" in blocks[0]
    assert {block.partition("_")[0] for block in blocks[1:]} <= {"lanes0", "element"}
    launch = report.stages[0][2]
    slice_alone = synthesise(Lanes(INT8.operators[0], SLICE_BITS)).timing.critical_path_ns
    setup_and_enable = report.critical_path_ns - launch - slice_alone
    assert 0 < setup_and_enable < 0.25 * slice_alone  # nothing else lies on the path


def test_a_stage_more_is_faster() -> None:
    paths = [timing(INT8.replace(rows=2, cols=2, pipeline_stages=stages)).critical_path_ns for stages in (0, 1, 2)]
    assert paths == sorted(paths, reverse=True)
