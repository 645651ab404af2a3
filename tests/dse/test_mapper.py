"""The mapper against every legal mapping, and its buffers."""

import pytest

from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper, alone
from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, xnor
from gatewright.hw.errors import BadInput
from gatewright.sw.counts import count
from gatewright.sw.layers import Layer
from gatewright.sw.mapping import mappings
from gatewright.sw.models import Architecture, workload

I8, I4, X, B8 = integer(8), integer(4), xnor(), binary_weight(8)
CONFIGS = tuple(
    AcceleratorConfig(rows=rows, cols=cols, operand_bits=bits, operators=(I8, I4, X, B8), accumulator_depth=4)
    for rows, cols, bits in ((2, 2, 32), (3, 4, 64))
)
LAYERS = (
    (Layer(name="conv", operator=I4, C=5, K=6, H=6, W=5, R=3, S=3, padding=1), X),
    (Layer(name="pooled", operator=X, C=40, K=9, H=6, W=6, R=3, S=3, padding=1, pooling="max", pool_window=2, pool_stride=2), I8),
    (Layer(name="fc", operator=B8, C=12, K=10, H=2, W=2, R=2, S=2), None),
)


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel.default()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("layer", "following"), LAYERS)
@pytest.mark.parametrize("memories", [0.0, 1.0])
def test_the_choice_is_the_best_of_all(
    model: CostModel, config: AcceleratorConfig, layer: Layer, following: object, memories: float
) -> None:
    mapper = Mapper(model, images=2, memories=memories, limit=10_000)
    legal = list(mappings(layer, config, 2, following))  # type: ignore[arg-type]
    scores = [mapper.score(layer, config, mapping, following) for mapping in legal]  # type: ignore[arg-type]
    assert len(legal) > 3
    assert max(scores)[0] > 1.2 * min(scores)[0]
    assert mapper.layer(layer, config, following) == legal[scores.index(min(scores))]  # type: ignore[arg-type]


def test_a_short_list_loses_little(model: CostModel) -> None:
    for layer, following in LAYERS:
        best, quick = (Mapper(model, limit=limit) for limit in (10_000, 8))
        energies = [m.score(layer, CONFIGS[1], m.layer(layer, CONFIGS[1], following), following)[0] for m in (best, quick)]
        assert energies[0] <= energies[1] < 1.2 * energies[0]


def test_a_layer_alone_counts_as_a_networks_first(model: CostModel) -> None:
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(I8, X, I4), pool_after=(0,))
    mapper = Mapper(model)
    planned = mapper.schedule(workload(network), CONFIGS[0])
    layer = planned.workload.layers[0]
    assert count(alone(layer, CONFIGS[0], planned.mappings[0], 1, X))[0] == count(planned)[0]


def test_fitted_buffers_hold_the_tiles_and_cost_no_more(model: CostModel) -> None:
    network = Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(I8, X, I4), pool_after=(0,))
    work, mapper = workload(network), Mapper(model)
    fitted = mapper.fitted(work, CONFIGS[1])
    chosen = mapper.map(work, CONFIGS[1])
    before, after = (mapper.predict(mapper.schedule(work, config, chosen)).metrics for config in (CONFIGS[1], fitted))
    assert after.with_memories() <= before.with_memories()
    assert after.memory_area_um2 < before.memory_area_um2
    assert fitted == mapper.fitted(work, CONFIGS[1])


def test_no_mapping_names_the_layer_and_the_rule(model: CostModel) -> None:
    config = CONFIGS[0].replace(activation_words=16)
    network = Architecture(family="mlp", channels=1, height=8, width=8, widths=(6,), operators=(I8, I8))
    rule = (
        "Layer fc0: no mapping on a grid of 2 x 2 with 32-bit operands, since even for one pixel a row's input window of 64 words exceeds"
    )
    with pytest.raises(BadInput, match=rule):
        Mapper(model).map(workload(network), config)


def test_layers_are_mapped_once(model: CostModel, monkeypatch: pytest.MonkeyPatch) -> None:
    mapper, calls = Mapper(model), []
    choose = mapper._choose
    monkeypatch.setattr(mapper, "_choose", lambda *key: calls.append(key) or choose(*key))
    for name in ("one", "two"):
        mapper.layer(LAYERS[0][0].replace(name=name), CONFIGS[0], X)
    assert len(calls) == 1
