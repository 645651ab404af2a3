"""The search space: choices, the networks and accelerators they make, and the rules that impossible ones break."""

import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gatewright.dse import space
from gatewright.dse.config import AcceleratorSpace, RunConfig
from gatewright.hw.config import AcceleratorConfig, integer, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.models import layer_names, workload

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
    choices, rng = space.distributions(c, SHAPE, CLASSES), random.Random(1)
    assert list(choices) == [
        *("family", "depth", "width0", "width1", "operator0", "operator1"),
        *("operator_last", "poolings", "pooling"),
    ]
    assert choices["operator_last"].choices == ("int8", "int4")
    made, refused = 0, set()
    for _ in range(200):
        params = {name: rng.choice(d.choices) for name, d in choices.items()}
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
    assert space.size(config(), SHAPE, CLASSES) == 2 * 3 * 2**2 * 4**2 * 2 * 3 * 1 * (2 * 2 * 2)


ZOO = {"network": {"families": ["resnet8", "shufflenetv2", "mlp"], "widths": [4, 8], "sizes": [[], [8, 16, 32]], "multipliers": [1.0, 0.5]}}
PICTURE = (3, 32, 32)


def test_layers_of_the_zoo_choose_each_or_by_groups() -> None:
    operators = {
        "choices": ["int4", "xnor"],
        "first": ["int8"],
        "last": ["int8"],
        "depthwise": ["int8", "int4"],
        "join": ["int8s", "int4s"],
    }
    rng, found = random.Random(4), set()
    for each in ("layer", "group"):
        c = config(**ZOO, operators=operators | {"each": each})
        choices = {name: d.choices for name, d in space.distributions(c, PICTURE, CLASSES).items()}
        assert choices["resnet8.size"] == ("published", "x0.5", "8x16x32")
        assert choices["shufflenetv2.size"] == ("published", "x0.5")  # which has four widths
        assert choices["resnet8.join"] == ("int8s", "int4s")
        if each == "group":
            assert choices["shufflenetv2.depthwise"] == ("int8", "int4")
            assert not any(name.startswith("resnet8.depthwise") for name in choices)
            assert space.size(c, PICTURE, CLASSES) == 8 * (3 * 2 * 2 + 2 * 2 * 2 * 2 + 2**2 * 2)
        else:
            assert choices["resnet8.stem"] == choices["resnet8.fc"] == ("int8",)
            assert choices["resnet8.stage2.block1.shortcut"] == ("int4", "xnor")
            assert choices["shufflenetv2.stage2.unit1.depthwise"] == ("int8", "int4")
        for _ in range(6):
            params = {name: rng.choice(values) for name, values in choices.items()} | {"family": rng.choice(["resnet8", "shufflenetv2"])}
            network = space.architecture(c, params, PICTURE, CLASSES)
            found.add(network.widths or network.multiplier)
            names = layer_names(network)
            assert len(network.operators) == len(names)
            by_name = dict(zip(names, network.operators, strict=True))
            assert by_name["fc"] == by_name["stem"] == integer(8)
            key = f"{network.family}." + ("hidden" if each == "group" else names[-2])
            assert by_name[names[-2]].name == params[key]
            assert all(o.name in ("int8", "int4") for name, o in by_name.items() if "depthwise" in name)
    assert found == {(8, 16, 32), 1.0, 0.5}
    accelerator = space.accelerators(c, network)[0]
    assert {accelerator.path(layer.operator) for layer in workload(network).layers} == set(range(len(accelerator.operators)))


def test_groups_have_no_operator_without_a_silent_weight() -> None:
    c = config(**ZOO, operators={"choices": ["xnor", "bw4"], "join": ["int8s"]})
    with pytest.raises(BadInput, match="layer stage2.unit1.*depthwise of shufflenetv2 has groups, and none of .operators. choices"):
        space.distributions(c, PICTURE, CLASSES)


def test_sums_of_small_groups_need_few_bits() -> None:
    """Two 8-bit codes are at most 256 in magnitude together, and a bias as much: 10 bits and the sign."""
    work = Workload(name="sum", layers=(Layer(name="add", operator=integer(8, signed=True), C=128, K=64, groups=64, unit_weights=True),))
    assert space.accumulator_bits(work, AcceleratorConfig(rows=1, cols=1, operators=(integer(8, signed=True),))) == space.BITS_LEAST


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10))\n"
    )
    c = config(network={"module": f"{file}:net"}, operators={"choices": ["int8", "int4"], "last": ["int8"]})
    assert c.network.families == ("module",)
    choices = {name: d.choices for name, d in space.distributions(c, SHAPE, CLASSES).items()}
    assert choices == {"family": ("module",), "module.join": ("int8s",), "module.0": ("int8", "int4"), "module.4": ("int8",)}
    assert space.size(c, SHAPE, CLASSES) == 2 * 8
    network = space.architecture(c, {"family": "module", "module.join": "int8s", "module.0": "int4", "module.4": "int8"}, SHAPE, CLASSES)
    assert [o.name for o in network.operators] == ["int4", "int8"]
    assert [layer.K for layer in workload(network).layers] == [4, 10]


@pytest.mark.parametrize(("name", "shape", "networks"), [("digits", SHAPE, 145_800), ("cifar10_resnet8", PICTURE, 2 * 3**8)])
def test_the_examples_are_spaces(name: str, shape: tuple[int, int, int], networks: int) -> None:
    c = RunConfig(**tomllib.loads((Path(__file__).parents[2] / "examples" / f"{name}.toml").read_text()))
    accelerators = len(c.accelerator.rows) * len(c.accelerator.cols) * len(c.accelerator.operand_bits)
    assert space.size(c, shape, CLASSES) == networks * accelerators


def test_a_grid_needs_the_longest_stream_of_each_kind() -> None:
    wanted = (stochastic(64), integer(8), stochastic(16), xnor(), stochastic(32, "bipolar"))
    assert space.operators(wanted) == (integer(8), stochastic(32, "bipolar"), stochastic(64), xnor())


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"target": {}}, "give exactly one of accuracy_min .* got accuracy_min = None and energy_pj_max = None"),
        ({"target": {"accuracy_min": 0.9, "energy_pj_max": 1e6}}, "give exactly one of accuracy_min"),
        ({"target": {"accuracy_min": 95}}, r"accuracy_min: Input should be less than 1 \(got 95\)"),
        ({"operators": {}}, "choices are missing: names of operators for the layers"),
        ({"operators": {"choices": ["int9"]}}, "int takes weights and activations of 2 to 8 bits"),
        ({"operators": {"choices": ["float"]}}, "There is no operator named 'float'. Names are like bw8"),
        ({"network": {"widths": []}}, "widths are missing: the channels to choose from for each layer of vgg"),
        ({"network": {"families": ["resnet9"]}}, "families are .*, resnet18, resnet20, resnet8, .* got 'resnet9'"),
        ({"network": {"families": ["resnet8"], "sizes": [[8, 16]]}}, "resnet8 has 3 widths, published as .16, 32, 64.; got ..8, 16.."),
        ({"network": {"families": ["shufflenetv2"], "multipliers": [0.3]}}, "or multiplied by 0.25, 0.5, .* multipliers .0.3."),
        ({"network": {"families": ["module"]}}, "the family 'module' needs module = 'file.py:Name'"),
        ({"network": {"families": ["resnet8"], "onnx": "a.onnx"}}, "onnx names a network, but families lacks 'onnx'"),
        (
            {"operators": {"choices": ["int8"], "depthwise": ["xnor"]}},
            "depthwise operators need a weight that .* xnor has none",
        ),
        ({"operators": {"choices": ["int8"], "join": ["bw8"]}}, "join must be integers, as int8s: .* got bw8"),
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
