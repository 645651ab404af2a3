"""Operators by their names and accelerators from tables: what a person writes in a configuration file."""

from collections.abc import Mapping
from typing import Any

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput
from gatewright.hw.operators import modules


def operator_named(name: str) -> Operator:
    """The inverse of `Operator.name`. Raises BadInput for a name that is no operator's."""
    for kind, module in modules().items():
        fields = module.named(name)
        if fields is not None:
            return Operator(kind=kind, **fields)
    examples = ", ".join(module.EXAMPLES for _, module in sorted(modules().items()))
    raise BadInput(f"There is no operator named {name!r}. Names are like {examples}.")


def accelerator_from(tables: Mapping[str, Any], source: str) -> AcceleratorConfig:
    """The configuration in a TOML file's [accelerator] table; its operators may be names or tables. BadInput names `source`."""
    table = tables.get("accelerator")
    if not isinstance(table, Mapping):
        raise BadInput(f"{source} has no [accelerator] table; it needs one with rows, cols and operators, such as ['int8', 'xnor'].")
    fields = dict(table)
    operators = fields.get("operators", [])
    if not isinstance(operators, list):
        raise BadInput(f"{source}: operators must be a list of names or tables; got {operators!r}.")
    fields["operators"] = tuple(operator_named(entry) if isinstance(entry, str) else Operator(**entry) for entry in operators)
    return AcceleratorConfig(**fields)
