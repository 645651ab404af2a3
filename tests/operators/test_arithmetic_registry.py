"""The registry of arithmetic: every circuit has one, other packages can add theirs, unknown kinds are refused."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gatewright.hw import operators as circuits
from gatewright.hw.config import Operator, integer
from gatewright.hw.errors import BadInput
from gatewright.sw import operators
from gatewright.sw.arithmetic import Arithmetic


@pytest.fixture
def fresh() -> Iterator[None]:
    operators.modules.cache_clear()
    yield
    operators.modules.cache_clear()


def test_every_kind_of_the_project_has_arithmetic() -> None:
    for kind, module in operators.modules().items():
        assert issubclass(module.ARITHMETIC, Arithmetic), kind
    assert {"int", "binary_weight", "shift", "multiplication_free", "xnor", "stochastic"} <= set(operators.modules()) & set(
        circuits.modules()
    )


def test_arithmetic_is_shared() -> None:
    assert operators.arithmetic(integer(8)) is operators.arithmetic(integer(8))


@pytest.mark.usefixtures("fresh")
def test_other_packages_add_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(ARITHMETIC=Arithmetic)
    groups = {"gatewright.operators.arithmetic": [SimpleNamespace(name="ternary", load=lambda: module)]}
    monkeypatch.setattr(operators, "entry_points", lambda group: groups[group])
    assert operators.modules()["ternary"] is module


def test_unknown_kinds_are_refused() -> None:
    unknown = Operator.model_construct(kind="magic", weight_bits=4, activation_bits=4)
    with pytest.raises(BadInput, match="no arithmetic for kind 'magic'; known kinds are .*int, multiplication_free, shift"):
        operators.arithmetic(unknown)
