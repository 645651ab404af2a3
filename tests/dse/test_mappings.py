"""What must hold of every mapping that the model accepts: all products once, no faster than the grid, no less traffic than the tensors."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import ceil

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gatewright.dse.batch import Batch, row_of
from gatewright.dse.closed_form.numbers import NUMBERS
from gatewright.dse.cost import CostModel
from gatewright.hw.errors import BadInput
from gatewright.hw.instructions import Opcode
from gatewright.sw.mapping import Mapping
from gatewright.sw.schedule import Schedule
from tests.dse.coverage import complaint
from tests.dse.problems import Problem, drawn, random_problem

SEEDS = st.integers(0, 2**32 - 1)
PRODUCTS = 12_000  # of a problem that is walked
quick = settings(max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
long = settings(quick, max_examples=1000)


def accepted(seed: int, number: int, largest: int, products: int = 1 << 60) -> Iterator[tuple[Problem, Mapping, Schedule]]:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, largest)
    layer = problem.layer
    assume(layer.K * layer.R * layer.S * layer.out_h * layer.out_w * layer.pool_window**2 * problem.images * 2 < products)
    for mapping, schedule in drawn(rng, problem, number):
        yield problem, mapping, schedule


def walk(seed: int) -> None:
    for problem, mapping, schedule in accepted(seed, 2, 6, PRODUCTS):
        assert complaint(schedule) is None, (problem, mapping)


@quick
@given(SEEDS)
def test_every_product_is_made_once(seed: int) -> None:
    walk(seed)


@pytest.mark.thorough
@pytest.mark.timeout(3000)
@long
@given(SEEDS)
def test_every_product_is_made_once_in_thousands_of_mappings(seed: int) -> None:
    walk(seed)


def compulsory(problem: Problem) -> dict[str, int]:
    """Words that any mapping must move: each weight, each input that a window touches, each output, once."""
    layer, config, t = problem.layer, problem.config, problem.tiling(Mapping())
    rows, columns = (
        {
            at
            for o, p, k in product(range(out), range(layer.pool_window), range(kernel))
            if 0 <= (at := (o * layer.pool_stride + p) * layer.stride + k - layer.padding) < size
        }
        for out, kernel, size in ((layer.out_h, layer.R, layer.H), (layer.out_w, layer.S, layer.W))
    )
    least = ceil(layer.group_channels / config.lanes(layer.operator))  # words of a pixel that one output channel needs
    held = sum(ceil(channels / config.lanes(layer.operator)) for parts in t.inputs for channels in parts)
    return {
        "weight_writes": layer.K * layer.R * layer.S * least,
        "image_words": problem.images * len(rows) * len(columns) * (held if layer.groups == 1 and not layer.gather else least),
        "stored_words": ceil(problem.images * layer.out_h * layer.out_w * layer.K * t.group_span / config.operand_bits),
    }


@settings(quick, max_examples=60)
@given(SEEDS)
def test_no_faster_than_the_grid_and_no_less_traffic_than_the_tensors(seed: int) -> None:
    for problem, mapping, _ in accepted(seed, 3, 12):
        batch, which, row = Batch(CostModel.default(), problem.images), np.zeros(1, int), np.array([row_of(mapping)])
        batch.add(problem.layer, problem.config, problem.context)
        numbers = dict(zip(NUMBERS, batch.numbers(which, row)[0].tolist(), strict=True))
        config, operator = problem.config, problem.layer.operator
        peak = config.rows * config.cols * config.lanes(operator) / operator.steps
        assert numbers["cycles"] >= numbers["issues"] >= problem.layer.products * problem.images / peak
        assert batch.evaluate(which, row, exact=False)[1][0] >= numbers["issues"]
        assert numbers["busy"] <= numbers["issues"] * config.rows * config.cols
        assert numbers["products"] * operator.steps <= numbers["busy"] * config.lanes(operator)
        assert numbers["cycles"] >= config.memory_interval * (numbers["linear_words"] + numbers["image_words"])
        for name, least in compulsory(problem).items():
            assert numbers[name] >= least, (name, problem, mapping)


def test_a_schedule_that_leaves_something_out_is_noticed() -> None:
    """One address, one bound or one instruction of each kind at a time."""
    wrong = {"base", "length", "last_x", "top", "last_row", "last5", "activation_delta7", "weight_base", "output_delta2", "end_y"}
    noticed: set[tuple[str, Opcode]] = set()
    for seed in range(40):
        for _, _, schedule in accepted_or_none(seed):
            assert complaint(schedule) is None
            for place, instruction in enumerate(schedule.instructions):
                for name in wrong & set(instruction.fields):
                    if instruction.layer == 0 and (name, instruction.opcode) not in noticed:
                        changed = instruction.fields | {name: instruction.fields[name] + 1}
                        bad = list(schedule.instructions)
                        bad[place] = type(instruction)(instruction.opcode, 0, changed, facts=instruction.facts)
                        if complaint(replace(schedule, instructions=tuple(bad))):
                            noticed.add((name, instruction.opcode))
    names = {name for name, _ in noticed}
    assert names == wrong
    assert {opcode for _, opcode in noticed} == set(Opcode) - {Opcode.END, Opcode.LOAD_PARAMETERS, Opcode.LOAD_WINDOWS}


def accepted_or_none(seed: int) -> list[tuple[Problem, Mapping, Schedule]]:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, 4)
    small = problem.layer.K * problem.layer.R * problem.layer.S * problem.layer.out_h * problem.layer.out_w * problem.images < 600
    return [(problem, mapping, schedule) for mapping, schedule in drawn(rng, problem, 1)] if small else []


@given(st.text(min_size=1).filter(lambda name: name not in Mapping.model_fields))
@settings(quick, max_examples=30)
def test_unknown_keys_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is not a known key"):
        Mapping(**{"y": 2, name: 1})
