"""Operators by their names and accelerators from tables: what a person writes in a configuration file."""

import re
from collections.abc import Mapping
from typing import Any

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, stochastic, xnor
from gatewright.hw.errors import BadInput

EXAMPLES = "int8, int4, int4x8 (weights x activations), xnor, bw8 (binary weights), sc_sign_magnitude_sobol64_8, sc_bipolar_lfsr256_8"

_INT = re.compile(r"int(\d)(?:x(\d))?(s?)")
_BINARY_WEIGHT = re.compile(r"bw(\d)(s?)")
_STOCHASTIC = re.compile(r"sc_(bipolar|sign_magnitude)_(lfsr|sobol)(\d+)_(\d)")


def operator_named(name: str) -> Operator:
    """The inverse of `Operator.name`. Raises BadInput for a name that is no operator's."""
    if name == "xnor":
        return xnor()
    if match := _INT.fullmatch(name):
        return integer(int(match[1]), int(match[2] or match[1]), signed=bool(match[3]))
    if match := _BINARY_WEIGHT.fullmatch(name):
        return binary_weight(int(match[1]), signed=bool(match[2]))
    if match := _STOCHASTIC.fullmatch(name):
        return stochastic(int(match[3]), match[1], match[2], int(match[4]))  # type: ignore[arg-type]
    raise BadInput(f"There is no operator named {name!r}. Names are like {EXAMPLES}.")


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
