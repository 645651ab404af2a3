"""The `multiplication_free` operator's integers against both published sums, written out case by case."""

import numpy as np
import pytest
import torch

from gatewright.hw.config import Operator, multiplication_free
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.differentiable import convolve
from gatewright.sw.operators import arithmetic, pack_weights, product, unused_product, unused_weight_bits
from tests.operators.arithmetic_checks import check_products, check_sums, checked_passes

OPERATORS = [
    multiplication_free(variant, *bits, signed=signed, zero_sign=zero)
    for variant in ("l1", "mfnet")
    for zero in (0, 1)
    for signed in (False, True)
    for bits in ((2, 2), (4, 6), (8, 8))
]
parametrise = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


def case_by_case(operator: Operator, a: int, w: int) -> int:
    """The four pairs of signs, and zeros: a zero leaves the other operand (in `mfnet` its magnitude) or, where sgn(0) is 0, nothing."""
    if a == 0 or w == 0:
        other = a or w
        return 0 if operator.zero_sign == 0 else abs(other) if operator.variant == "mfnet" else other
    if a > 0 and w > 0:
        return a + w
    if operator.variant == "l1":
        return -a - w if a < 0 and w < 0 else min(a, w) - max(a, w)
    return a + w if a < 0 and w < 0 else -a - w


@parametrise
def test_products(operator: Operator) -> None:
    half = 1 << (operator.weight_bits - 1)
    check_products(operator, range(-half, half), case_by_case)


@parametrise
def test_sums_with_zero_outside(operator: Operator) -> None:
    check_sums(operator, case_by_case, outside=0)


@parametrise
def test_torch(operator: Operator) -> None:
    """PyTorch's forward, padding included, is the integers; both operands get a gradient."""
    for found in checked_passes(operator):
        gradients = torch.autograd.grad(found.sums.square().sum(), (found.inputs, found.latent))
        assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_gradients_of_one_product() -> None:
    """l1, a = 5 and w = 3: by a it is sgn(w); by w it is sgn(a), and a times the steepness of sgn near zero."""
    made = arithmetic(multiplication_free("l1", 4))
    a, w = torch.tensor(5.0).reshape(1, 1, 1, 1).requires_grad_(), torch.tensor(3.0).reshape(1, 1, 1, 1).requires_grad_()
    got = convolve(made, a, w.detach(), w, 1, 0, exact=False)
    by_a, by_w = torch.autograd.grad(got, (a, w))
    assert (got.item(), by_a.item()) == (8, 1)
    assert by_w.item() == pytest.approx(1 + 5 * 4 / 7)


@parametrise
def test_the_name_names_it(operator: Operator) -> None:
    assert operator_named(operator.name) == operator


def test_names() -> None:
    assert [multiplication_free().name, multiplication_free("mfnet", 4, 8, signed=True, zero_sign=0).name] == [
        "mf_l1_8",
        "mf_mfnet_4x8s_sgn0",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variant": None}, "kind 'multiplication_free' needs variant"),
        ({"variant": "l2"}, r"variant: Input should be 'l1' or 'mfnet' \(got 'l2'\)"),
        ({"zero_sign": 2}, r"zero_sign: Input should be 0 or 1 \(got 2\)"),
        ({"weight_bits": 1}, "multiplication_free takes weights and activations of 2 to 8 bits; got 1 and 8"),
        ({"activation_bits": 9}, "got 8 and 9"),
        ({"exponents": 4}, "exponents cannot be given with kind 'multiplication_free'"),
    ],
)
def test_other_operators_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Operator(**{"kind": "multiplication_free", "variant": "l1", "weight_bits": 8, "activation_bits": 8} | fields)


@parametrise
def test_unused_lanes_add_nothing(operator: Operator) -> None:
    """sgn(0) times 0 is 0 whatever sgn(0) is."""
    assert (unused_weight_bits(operator), unused_product(operator)) == (0, 0)


def test_packing_and_range() -> None:
    operator = multiplication_free("l1", 4)
    np.testing.assert_array_equal(pack_weights(operator, np.array([-8, -1, 7])), [0b1000, 0b1111, 0b0111])
    with pytest.raises(BadInput, match="mf_l1_4 weight codes go from -8 to 7; got 8"):
        product(operator, np.array([1]), np.array([8]))
    assert arithmetic(operator).weight_range == (-7, 7)
