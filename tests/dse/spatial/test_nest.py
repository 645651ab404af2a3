"""The cost of a loop nest against walking it."""

import random
from collections import Counter

import pytest

from gatewright.dse.spatial import library
from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.nest import LoopNest, Step, broken_rule, evaluate
from gatewright.dse.spatial.problem import TENSORS, Network, Problem
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sw.layers import Layer
from tests.dse.spatial import oracle


def drawn(seed: int, number: int) -> list[tuple[Problem, Hierarchy, LoopNest]]:
    """Random problems with a random legal mapping each."""
    draw, found = random.Random(seed), []
    while len(found) < number:
        problem, hierarchy = oracle.random_problem(draw, "p"), oracle.random_hierarchy(draw)
        if problem.products > 300 or oracle.number_of(problem, hierarchy) > 3000:
            continue
        legal = list(oracle.nests(problem, hierarchy, orders=False))
        if legal:
            nest = draw.choice(legal)
            steps = [step.replace(loops=tuple(draw.sample(step.loops, len(step.loops)))) for step in nest.steps]
            found.append((problem, hierarchy, LoopNest(steps=tuple(steps))))
    return found


@pytest.fixture(scope="module")
def cases() -> list[tuple[Problem, Hierarchy, LoopNest]]:
    return drawn(1, 60)


def test_traffic_equals_a_walk_through_the_loops(cases):
    for problem, hierarchy, nest in cases:
        cost = evaluate(problem, hierarchy, nest)
        mine: Counter = Counter()
        for item in cost.traffic:
            mine[item.level, item.tensor, "reads"] += item.reads
            mine[item.level, item.tensor, "writes"] += item.writes
        assert +mine == +oracle.traffic(problem, nest, hierarchy.latches), nest.words(hierarchy)


def test_every_product_is_made_once_and_nothing_beats_the_bounds(cases):
    for problem, hierarchy, nest in cases:
        made = oracle.products(nest)
        assert set(made.values()) == {1}
        assert len(made) == problem.products
        cost = evaluate(problem, hierarchy, nest)
        assert cost.cycles >= problem.products / hierarchy.peak
        outer = {item.tensor: item for item in cost.traffic if item.level == 0}
        everything = dict(zip(oracle.DIMS, problem.sizes, strict=True))
        nowhere = dict.fromkeys(oracle.DIMS, 0)
        for tensor in TENSORS:
            least = len(oracle.elements(tensor, nowhere, everything, problem.stride))
            assert (outer[tensor].writes if tensor == "outputs" else outer[tensor].reads) >= least
            assert problem.words(tensor) == least


def test_a_wrong_nest_is_noticed(cases):
    """The oracle sees an order that is not the one that was priced."""
    noticed = 0
    for problem, hierarchy, nest in cases:
        turned = LoopNest(steps=tuple(step.replace(loops=tuple(reversed(step.loops))) for step in nest.steps))
        mine = evaluate(problem, hierarchy, nest)
        walked = oracle.traffic(problem, turned, hierarchy.latches)
        noticed += any(walked[item.level, item.tensor, "reads"] != item.reads for item in mine.traffic)
    assert noticed > 5


def test_energy_and_cycles_by_hand():
    """Two outputs, three products each, sums kept in the inner level: 6 weights and 6 inputs read, 2 sums written."""
    problem = Problem(name="two", K=2, C=3)
    tables = {
        "name": "tiny",
        "source": "none",
        "mac_pj": 1.0,
        "levels": [
            {"name": "memory", "keeps": TENSORS, "read_pj": 100.0, "write_pj": 200.0, "access_words": 2},
            {"name": "register", "keeps": ["outputs"], "words": 1, "read_pj": 3.0, "write_pj": 5.0, "read_words": 0.5},
        ],
    }
    hierarchy = Hierarchy(**tables)
    nest = LoopNest(steps=(Step(keeps=TENSORS, loops=(("K", 2), ("C", 3))), Step(keeps=("outputs",))))
    cost = evaluate(problem, hierarchy, nest)
    # memory: 6 + 6 reads, 2 writes; register: 6 writes, 4 reads of sums begun and 2 to drain
    assert cost.by_level_pj == {"memory": 12 * 50 + 2 * 100, "register": 6 * 5 + 6 * 3, "multipliers": 6 * 1.0}
    assert cost.energy_pj == 6 * 1.0 + 12 * 50 + 2 * 100 + 6 * 5 + 6 * 3
    assert cost.cycles == 12  # 6 reads of the register at half a word a cycle


@pytest.mark.parametrize(
    ("nest", "rule"),
    [
        ([[("K", 2)], []], "factors of C multiply to 1"),
        ([[("K", 2), ("C", 3)], [], []], "2 levels, the mapping 3"),
        ([[("K", 2)], [("C", 3)]], "may walk K in time, not C"),
        ([[("C", 3)], [("K", 2)]], "tile of 2 words exceeds the 1"),
    ],
)
def test_a_broken_rule_is_named(nest, rule):
    problem = Problem(name="two", K=2, C=3)
    levels = [
        {"name": "memory", "keeps": TENSORS, "read_pj": 1.0, "write_pj": 1.0},
        {"name": "register", "keeps": ["outputs"], "words": 1, "read_pj": 1.0, "write_pj": 1.0, "loops": ["K"]},
    ]
    hierarchy = Hierarchy(name="tiny", source="none", mac_pj=1.0, levels=levels)
    keeps = [TENSORS, ("outputs",), ("outputs",)]
    made = LoopNest(steps=tuple(Step(keeps=k, loops=tuple(loops)) for k, loops in zip(keeps, nest, strict=False)))
    assert rule in (broken_rule(problem, hierarchy, made) or "")
    with pytest.raises(BadInput, match=rule):
        evaluate(problem, hierarchy, made)


@pytest.mark.parametrize(
    ("keeps", "outer", "spread", "rule"),
    [
        (["outputs"], [("K", 2), ("C", 3)], [[("K", 2)]], "buffer must keep inputs and may keep outputs"),
        (["weights", "inputs"], [("K", 2), ("C", 3)], [[("K", 2)]], "buffer must keep inputs and may keep outputs"),
        (["inputs"], [("K", 4)], [[("C", 3)]], "row may spread K, not C"),
        (["inputs"], [("C", 3)], [[("K", 4)]], "4 copies exceed the 2 of row"),
        (["inputs"], [("K", 4), ("C", 3)], [], "buffer has 1 arrays inside, the mapping spreads over 0"),
        (["inputs", "outputs"], [("K", 2), ("C", 3)], [[("K", 2)]], None),
    ],
)
def test_rules_of_arrays_and_of_what_is_kept(keeps, outer, spread, rule):
    row = {"name": "row", "size": 2, "loops": ["K"]}
    levels = [
        {"name": "memory", "keeps": TENSORS, "read_pj": 1.0, "write_pj": 1.0},
        {"name": "buffer", "keeps": ["inputs"], "may_keep": ["outputs"], "read_pj": 1.0, "write_pj": 1.0, "inside": [row]},
    ]
    hierarchy = Hierarchy(name="tiny", source="none", mac_pj=1.0, levels=levels)
    made = LoopNest(steps=(Step(keeps=TENSORS, loops=outer), Step(keeps=keeps, spread=spread)))
    assert broken_rule(Problem(name="two", K=4, C=3), hierarchy, made) == rule


@pytest.mark.parametrize("loops", [[("K", 1)], [("K", 2), ("K", 2)]])
def test_loops_of_a_level_differ_and_make_trips(loops):
    with pytest.raises(BadInput, match="must differ and make at least two trips"):
        LoopNest(steps=(Step(keeps=TENSORS, loops=loops), Step(keeps=TENSORS)))


@pytest.mark.parametrize(
    ("outer", "inner", "rule"),
    [
        ({}, {"keeps": ["inputs"], "may_keep": ["inputs"]}, "level b: inputs is in keeps and in may_keep"),
        ({"words": 9}, {}, "outermost level \\(a\\) must keep .* and have no limit of words"),
        ({"inside": [{"name": "row", "size": 2}]}, {}, "outermost level \\(a\\) must have one level inside"),
        ({}, {"inside": [{"name": "a", "size": 2}]}, "names of levels and arrays must differ; a came twice"),
        ({}, {"inside": [{"name": "row", "size": 0}]}, "size: Input should be greater than or equal to 1"),
        ({}, {"inside": [{"name": "multipliers", "size": 2}]}, "an array cannot be called multipliers"),
        ({}, {"name": ""}, "name: String should have at least 1 character"),
        ({}, {"words": "9"}, "words: Input should be a valid integer \\(got '9'\\)"),
        ({}, {"read_pj": True}, "read_pj: Input should be a valid number \\(got True\\)"),
        ({}, {"read_pj": -1}, "read_pj: Input should be greater than or equal to 0"),
        ({}, {"write_pj": -1}, "write_pj: Input should be greater than or equal to 0"),
        ({}, {"read_words": 0}, "read_words: Input should be greater than 0"),
        ({}, {"write_words": 0}, "write_words: Input should be greater than 0"),
        ({}, {"words": 0}, "words: Input should be greater than or equal to 1"),
        ({}, {"access_words": 0}, "access_words: Input should be greater than or equal to 1"),
    ],
)
def test_impossible_hierarchies_are_refused(outer, inner, rule):
    bottom = {"name": "a", "keeps": TENSORS, "read_pj": 1, "write_pj": 1}
    with pytest.raises(BadInput, match=rule):
        Hierarchy(name="x", source="none", mac_pj=1, levels=[bottom | outer, bottom | {"name": "b"} | inner])


def test_unknown_keys_and_names_are_refused():
    with pytest.raises(BadInput, match="strid: is not a known key"):
        Problem(name="p", strid=2)
    with pytest.raises(BadInput, match="wrods: is not a known key"):
        Hierarchy(name="x", source="none", mac_pj=1, levels=[{"name": "a", "wrods": 1, "read_pj": 1, "write_pj": 1}])
    with pytest.raises(BadInput, match="source: String should have at least 1 character"):
        library.hierarchy("eyeriss").replace(source="")
    for size in ("64", True, 64.0):
        with pytest.raises(BadInput, match="K: Input should be a valid integer"):
            Problem(name="p", K=size)
    with pytest.raises(BadInput, match="stride: Input should be greater than or equal to 1"):
        Problem(name="p", stride=0)
    with pytest.raises(BadInput, match="mac_pj: Input should be greater than or equal to 0"):
        library.hierarchy("eyeriss").replace(mac_pj=-1)
    with pytest.raises(BadInput, match="fewer than 2\\^53 products"):
        Problem(name="p", K=10**9, C=10**9)
    with pytest.raises(BadInput, match="K: Input should be less than or equal to 1099511627776"):
        Problem(name="p", K=1 << 41)
    with pytest.raises(BadInput, match="read_pj: Input should be a finite number"):
        Hierarchy(name="x", source="none", mac_pj=1, levels=[{"name": "a", "read_pj": float("inf"), "write_pj": 1}])
    with pytest.raises(BadInput, match="no hierarchy called 'tpu9'; there are eyeriss"):
        library.hierarchy("tpu9")
    with pytest.raises(BadInput, match="layers must differ; p came twice"):
        Network(name="n", layers=(Problem(name="p"), Problem(name="p", K=2)))
    bottom = {"name": "a", "keeps": ["weights"], "read_pj": 1, "write_pj": 1}
    with pytest.raises(BadInput, match="outermost level \\(a\\) must keep weights, inputs and outputs"):
        Hierarchy(name="x", source="none", mac_pj=1, levels=[bottom, bottom | {"name": "b"}])


def test_the_eyeriss_like_design_is_the_cited_one():
    """Words of 8 bits: physical words of 64 bits in memory and buffer, of 16 in the scratchpads, whose sums have 16 bits."""
    design = library.hierarchy("eyeriss")
    assert design.mac_pj == 0.749
    assert design.latches == ()
    sizes = {level.name: (level.words, level.access_words, level.read_words, level.write_words) for level in design.levels}
    assert sizes == {
        "dram": (None, 8, None, None),
        "global_buffer": (16_384 * 8, 8, 16, 16),
        "input_spad": (12 * 2, 2, 2, 2),
        "weight_spad": (192 * 2, 2, 2, 2),
        "psum_spad": (16, 1, 2, 2),
    }
    assert [(level.read_pj, level.write_pj) for level in design.levels] == [
        (512.0, 512.0),
        (18.232, 14.186),
        (0.268, 0.235),
        (2.524, 2.404),
        (0.329, 0.289),
    ]
    assert [set(level.keeps) for level in design.levels] == [set(TENSORS), {"inputs", "outputs"}, {"inputs"}, {"weights"}, {"outputs"}]
    assert not any(level.may_keep for level in design.levels)
    assert [set(level.loops) for level in design.levels] == [set(oracle.DIMS), set(oracle.DIMS), set(), {"R", "C"}, {"K"}]
    arrays = [(axis.size, set(axis.loops) - {"G"}) for level in design.levels for axis in level.inside]  # ResNet-18 has no groups
    assert arrays == [(14, {"Q", "K"}), (12, {"C", "S", "K"})]
    assert all(layer.G == 1 for layer in library.network("resnet18").layers)


@pytest.mark.parametrize("name", library.names(library.HIERARCHIES))
def test_hierarchies_name_their_source(name):
    assert len(library.hierarchy(name).source) > 20
    assert library.hierarchy(name).origin == "cited"


def test_networks_have_their_published_products():
    """Multiplications of one image (He et al. 2016 without the classifier; Sandler et al. 2018: 300 M) and of a block of 128 tokens."""
    made = {name: sum(layer.count * layer.products for layer in library.network(name).layers) for name in library.names(library.NETWORKS)}
    assert made == {
        "mobilenet_v2": 300_774_272,
        "resnet18": 1_813_561_344,
        "transformer_block": 128 * (4 * 768**2 + 2 * 768 * 3072 + 2 * 128 * 768),
    }


def test_a_layer_becomes_a_problem():
    layer = Layer(name="c", operator=integer(8), C=8, K=16, H=10, W=12, R=3, S=3, stride=2, padding=1, groups=4)
    problem = Problem.of(layer, images=2, count=3)
    assert problem.sizes == (4, 2, 4, 2, 5, 6, 3, 3)
    assert (problem.name, problem.stride, problem.count) == ("c", 2, 3)
    assert problem.products == 2 * layer.products
