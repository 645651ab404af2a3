"""Operators in whole programs: trained on digits to integers that equal PyTorch's, and random networks on RTL."""

from collections import Counter

import numpy as np
import torch

from gatewright.hw.config import AcceleratorConfig, Operator, integer, multiplication_free, shift
from gatewright.sw import golden
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import encode, load
from gatewright.sw.models import Architecture
from gatewright.sw.train import train
from tests.generators import features, random_case
from tests.rtl.checks import complaint

MIXED = AcceleratorConfig(
    rows=2,
    cols=4,
    operand_bits=32,
    operators=(
        shift(),
        shift(3, 4, exponents=3, signed=True),
        multiplication_free("l1"),
        multiplication_free("mfnet", 4, 6, signed=True, zero_sign=0),
        integer(8),
    ),
    accumulator_bits=32,
    accumulator_depth=4,
    activation_words=64,
    weight_words=128,
    output_words=64,
    parameter_words=16,
)


def check_training(operator: Operator, widths: tuple[int, ...], least: float, epochs: int) -> None:
    """A network reaches a validation accuracy on digits, and every layer's integers agree with the golden model's.

    One width makes a fully connected network, more make convolutions, each with pooling.
    """
    digits = load("digits")
    pooled = tuple(range(len(widths))) if len(widths) > 1 else ()
    network = Architecture(
        family="vgg" if pooled else "mlp",
        channels=1,
        height=8,
        width=8,
        widths=widths,
        operators=(operator,) * (len(widths) + 1),
        pool_after=pooled,
    )
    trained = train(network, digits, Recipe(epochs=epochs))
    assert trained.history[-1].validation >= least
    codes = encode(operator, digits.validation.images, digits.maximum)
    traced = trained.network.trace(torch.from_numpy(codes).float())
    for ours, theirs in zip(golden.forward(trained.export(), codes), traced, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


def check_rtl(operators: tuple[Operator, ...], programs: int) -> None:
    """Random programs of these operators beside `int` on one accelerator: every layer and all cycles as predicted."""
    config, used = MIXED, Counter[str]()
    cases = [random_case(config, 7, seed) for seed in range(programs)]
    assert [found for found in map(complaint, cases) if found] == []
    for case in cases:
        used.update(features(case.program))
        used.update(layer.operator.name for layer in case.program.schedule.workload.layers)
    assert all(
        used[name] >= 3 for name in (*(operator.name for operator in operators), "padding", "ragged lanes", "several words of channels")
    )
