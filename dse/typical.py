"""How much operands move where no one knows the network: the mean over measured layers, of the same operator if there are some."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.activity import Activity, Toggles

CHANGES = ("both", "pixel", "channel")
NETWORK = "the network's own operands"


@dataclass(frozen=True)
class Seen:
    """A measured layer's operator and activity."""

    operator: Operator
    activity: Activity


@lru_cache(maxsize=1024)
def _bits(operator: Operator) -> dict[str, int]:
    """Bits that could change, of each field of `Toggles` that counts those of a lane."""
    stream = operator.kind == "stochastic"
    a, w = (operator.width, operator.width) if stream else (operator.activation_bits, operator.weight_bits)
    both = {"partial": operator.width, "product": operator.width} if stream else {"partial": a * w, "product": a + w}
    return {"activation_word": operator.activation_width, "weight_word": operator.weight_width, "activation": a, "weight": w, **both}


def typical(seen: Sequence[Seen], operator: Operator, operand_bits: int, filled: float) -> tuple[Activity, str]:
    """The mean activity of an operator in elements of `operand_bits`, and what it is the mean of.

    `filled`: the part of a word's lanes with a channel. Other operators than those measured take the mean of their kind, by bit.
    """
    rules = (
        (lambda other: other == operator, operator.name),
        (lambda other: (other.kind, other.coding) == (operator.kind, operator.coding), f"operators of kind {operator.kind}"),
        (lambda other: True, "all operators"),
    )
    for rule, name in rules:
        if donors := [item for item in seen if rule(item.operator)]:
            levels = (operand_bits // operator.width).bit_length() - 1
            changes = {change: _mean([(s.operator, getattr(s.activity, change)) for s in donors], operator, levels) for change in CHANGES}
            return Activity(filled=filled, **changes), f"the mean of {len(donors)} measured layers with {name}"
    raise BadInput("No measured layer says how much operands move. Calibrate with a plan that holds layers.")


def _mean(donors: list[tuple[Operator, Toggles]], operator: Operator, levels: int) -> Toggles:
    mine = _bits(operator)
    lanes = {name: size * float(np.mean([getattr(t, name) / _bits(o)[name] for o, t in donors])) for name, size in mine.items()}
    trees = np.mean([np.pad(t.tree, (0, max(0, levels - len(t.tree))), "edge")[:levels] for _, t in donors if t.tree or not levels], axis=0)
    rest = {name: float(np.mean([getattr(t, name) for _, t in donors])) for name in ("sum_sign", "accumulator", "sign")}
    return Toggles(**lanes, tree=tuple(trees.tolist()) if levels else (), **rest)
