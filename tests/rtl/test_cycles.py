"""Random programs on nine accelerators: every layer's results equal the golden model's, and cycles equal the recurrence's."""

from collections import Counter
from functools import lru_cache

import pytest

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, stochastic, xnor
from gatewright.sw import cycles
from gatewright.sw.cycles import timing
from tests.generators import Case, features, random_case, random_graph
from tests.rtl.checks import complaint

PROGRAMS = 30
SMALL = {"activation_words": 32, "weight_words": 64, "output_words": 32, "parameter_words": 8}


def accelerator(rows: int, cols: int, bits: int, *operators: Operator, **options: object) -> AcceleratorConfig:
    return AcceleratorConfig(rows=rows, cols=cols, operand_bits=bits, operators=operators, **(SMALL | options))


SOBOL, LFSR = stochastic(64), stochastic(32, source="lfsr", bits=4)
BIPOLAR = stochastic(32, "bipolar", "lfsr")
CONFIGS = {
    "one element": accelerator(1, 1, 64, integer(8), weight_words=128, output_words=64),
    "no pipeline, slow memory": accelerator(2, 2, 64, integer(4, signed=True), xnor(), memory_interval=5, pipeline_stages=0),
    "three rows": accelerator(3, 4, 32, integer(8), binary_weight(8), accumulator_depth=6, memory_interval=2, weight_words=128),
    "no pooling": accelerator(6, 2, 32, integer(3, 5, signed=True), integer(8), pooling=False, pipeline_stages=0, accumulator_depth=4),
    "every operator": accelerator(
        5,
        4,
        32,
        integer(8),
        xnor(),
        SOBOL,
        BIPOLAR,
        binary_weight(5, signed=True),
        accumulator_depth=8,
        memory_interval=3,
        weight_words=128,
    ),
    "wide": accelerator(1, 16, 32, xnor(), binary_weight(3), accumulator_bits=12, output_words=16),
    "tall": accelerator(7, 1, 64, xnor(), integer(2), accumulator_bits=32, memory_interval=4, accumulator_depth=4),
    "streams": accelerator(2, 4, 32, LFSR, stochastic(40, "bipolar"), accumulator_depth=4, memory_interval=2),
    "split": accelerator(
        3,
        4,
        64,
        *(integer(8), integer(4, signed=True), integer(2), integer(4, 8), xnor(), binary_weight(8), binary_weight(2, signed=True)),
        split=True,
        pipeline_stages=2,
        weight_words=128,
    ),
    "groups": accelerator(2, 8, 32, integer(8), integer(4), integer(8, signed=True), weight_words=128, activation_words=64),
    "split halves": accelerator(2, 2, 32, integer(8, signed=True), integer(3), BIPOLAR, split=True, isolation=False),
    "deep pipeline": accelerator(
        2, 4, 64, integer(8), binary_weight(5), xnor(), SOBOL, pipeline_stages=2, isolation=False, accumulator_depth=4, weight_words=128
    ),
    "tiny buffers": accelerator(
        4, 8, 32, integer(4), integer(8, 2), activation_words=8, weight_words=16, output_words=8, parameter_words=2, accumulator_depth=10
    ),
    "graphs": accelerator(
        3,
        4,
        64,
        *(integer(8, signed=True), integer(4, 8, signed=True), binary_weight(8, signed=True), stochastic(32, "bipolar")),
        activation_words=64,
        weight_words=128,
        output_words=64,
    ),
    "graphs of 4 bits": accelerator(2, 8, 32, integer(4), binary_weight(4), activation_words=64, weight_words=128, memory_interval=2),
}
LONG = ("groups",)  # each of its parts is in one of the others too, beside other parts
QUICK = [name for name in CONFIGS if name not in LONG]
MUST = (
    *(f"operator {kind}" for kind in ("int", "binary_weight", "xnor", "stochastic sign_magnitude", "stochastic bipolar")),
    *("output requantise", "output sign", "output raw", "signed clamp", "source sobol", "source lfsr"),
    *("padding", "stride 2 or more", "stride beyond the kernel", "kernel not square", "ragged lanes", "several words of channels"),
    *("groups", "depthwise", "words of a group alone"),
    *("max pooling", "average pooling", "overlapping pooling", "pooling with gaps"),
    *("ragged tiles of images", "ragged tiles of y", "ragged tiles of x", "ragged group of channels", "ragged tiles of channels"),
    *("several tiles", "several tiles of channels", "raw in several tiles of channels", "loads while computing", "full-buffer loads"),
    *("inner none", "inner x", "inner channels", "channels outside", "pixels outside"),
    *("several images", "several images on the grid", "several layers"),
    *("several maps read", "three maps read", "a map of several parts read", "a part of a map written", "a sum"),
    *("channels in another order", "channels left unread"),
)


@lru_cache
def programs(name: str) -> list[Case]:
    number, draw = list(CONFIGS).index(name), random_graph if name.startswith("graphs") else random_case
    return [draw(CONFIGS[name], number, seed) for seed in range(PROGRAMS)]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.thorough] * (name in LONG)) for name in CONFIGS])
def test_results_and_cycles(name: str) -> None:
    assert [found for found in map(complaint, programs(name)) if found] == []


def test_every_feature_is_covered(record_property: pytest.FixtureRequest) -> None:
    """The programs above that `make test` runs, by feature. Counted from the schedules, so that this holds whichever tests run."""
    total: Counter[str] = Counter()
    for name in QUICK:
        for case in programs(name):
            total.update(features(case.program))
    total["programs"] = len(QUICK) * PROGRAMS
    total["cycles"] = sum(timing(case.program.schedule).cycles for name in QUICK for case in programs(name))
    record_property("table", ("random programs on RTL: layers, tiles or loads that use a feature", sorted(total.items())))
    assert [feature for feature in MUST if total[feature] < 5] == []


@pytest.mark.parametrize("constant", ["TOKEN", "POST", "START"])
@pytest.mark.parametrize("error", [-1, 1])
def test_a_wrong_formula_is_caught(constant: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first program whose cycles depend on it: a long load or store can hide a computation's latency."""
    right = [timing(case.program.schedule).cycles for case in programs("three rows")]
    monkeypatch.setattr(cycles, constant, getattr(cycles, constant) + error)
    wrong = [timing(case.program.schedule).cycles for case in programs("three rows")]
    caught = next(case for case, a, b in zip(programs("three rows"), right, wrong, strict=True) if a != b)
    assert "cycles simulated" in str(complaint(caught))
