"""The search space: choices, the networks and accelerators they make, and the rules that impossible ones break."""

import random
from typing import Any

import pytest

from gatewright.dse import space
from gatewright.dse.config import AcceleratorSpace, RunConfig
from gatewright.hw.config import integer, stochastic, xnor
from gatewright.hw.errors import BadInput

SHAPE, CLASSES = (1, 8, 8), 10


def config(**tables: Any) -> RunConfig:
    fields: dict[str, Any] = {
        "name": "test",
        "network": {"families": ["mlp", "vgg"], "depths": [0, 1, 2], "widths": [4, 8], "poolings": [0, 1, 2]},
        "operators": {"choices": ["int8", "xnor", "bw4", "sc_bipolar_sobol64_8"], "last": ["int8", "int4"]},
        "accelerator": {"rows": [1, 2], "cols": [2, 4], "operand_bits": [32, 64]},
        "target": {"accuracy_min": 0.9},
    }
    return RunConfig(**(fields | tables))


def test_every_choice_is_a_network_or_breaks_a_rule() -> None:
    c = config()
    choices, rng = space.distributions(c), random.Random(1)
    assert list(choices) == [
        *("family", "depth", "width0", "width1", "operator0", "operator1"),
        *("operator_last", "poolings", "pooling"),
    ]
    assert choices["operator_last"].choices == ("int8", "int4")  # type: ignore[attr-defined]
    made, refused = 0, set()
    for _ in range(200):
        params = {name: rng.choice(d.choices) for name, d in choices.items()}  # type: ignore[attr-defined]
        try:
            network = space.architecture(c, params, SHAPE, CLASSES)
        except BadInput as error:
            refused.add(str(error).split(" ", 1)[1][:30])
            continue
        made += 1
        assert len(network.widths) == params["depth"]
        assert len(network.pool_after) == (params["poolings"] if network.family == "vgg" else 0)
        for accelerator in space.accelerators(c, network):
            assert {accelerator.path(operator) for operator in network.operators} == set(range(len(accelerator.operators)))
    assert made > 100
    assert refused == {"poolings need as many convoluti", "network of one layer reads the "} or len(refused) == 2


def test_choices_that_mean_nothing_make_no_difference() -> None:
    params = {"family": "vgg", "depth": 1, "width0": 4, "width1": 4, "operator0": "int8", "operator1": "int8"}
    params |= {"operator_last": "int8", "poolings": 1, "pooling": "max"}
    one, other = (
        space.architecture(config(), params | {"width1": w, "operator1": o}, SHAPE, CLASSES) for w, o in ((4, "int8"), (8, "xnor"))
    )
    assert one == other


def test_size_counts_networks_times_accelerators() -> None:
    assert space.size(config()) == 2 * 3 * 2**2 * 4**2 * 2 * 3 * 1 * (2 * 2 * 2)


def test_a_grid_needs_the_longest_stream_of_each_kind() -> None:
    wanted = (stochastic(64), integer(8), stochastic(16), xnor(), stochastic(32, "bipolar"))
    assert space.operators(wanted) == (integer(8), stochastic(32, "bipolar"), stochastic(64), xnor())


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"target": {}}, "give exactly one of accuracy_min .* got accuracy_min = None and energy_pj_max = None"),
        ({"target": {"accuracy_min": 0.9, "energy_pj_max": 1e6}}, "give exactly one of accuracy_min"),
        ({"target": {"accuracy_min": 95}}, r"accuracy_min: Input should be less than 1 \(got 95\)"),
        ({"operators": {"choices": ["int9"]}}, "int takes weights and activations of 2 to 8 bits"),
        ({"operators": {"choices": ["float"]}}, "There is no operator named 'float'. Names are like bw8"),
        ({"network": {"widths": []}}, "widths"),
        ({"network": {"widths": [0]}}, r"widths must be at least 1; got \[0\]"),
        ({"search": {"trails": 5}}, "Search: trails: is not a known key; check its spelling"),
        ({"serach": {}}, "RunConfig: serach: is not a known key"),
        ({"name": "../x"}, "name"),
        ({"accelerator": {"rows": [2], "cols": [2], "buffer_words_max": 100}}, "buffer_words_max must be a power of two; got 100"),
    ],
)
def test_a_bad_configuration_is_refused(tables: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        config(**tables)


@pytest.mark.parametrize(("field", "value"), [("rows", 0), ("rows", 65), ("cols", 3), ("operand_bits", 48), ("accumulator_depth", 3)])
def test_every_accelerator_choice_must_be_legal(field: str, value: int) -> None:
    choices = {"rows": (1, 2), "cols": (2,)}
    AcceleratorSpace(**choices)
    with pytest.raises(BadInput, match=field):
        AcceleratorSpace(**(choices | {field: (value,)}))
