"""A claim about a circuit and what came of trying to prove it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gatewright.hw.errors import Mismatch
from gatewright.sim.formal.equivalence import Proof, Undecided

Result = Literal["proved", "bounded", "refuted", "undecided"]


@dataclass(frozen=True)
class Claim:
    """`prove` gets the seconds a method may take; it returns a Proof or raises Mismatch or Undecided. `size`: width or registers."""

    block: str
    says: str
    size: str
    prove: Callable[[float], Proof]


@dataclass(frozen=True)
class Verdict:
    """A claim's row in the table; `note` is the counterexample where it was refuted."""

    claim: Claim
    result: Result
    method: str
    seconds: float
    note: str = ""


def judge(claim: Claim, seconds: float) -> Verdict:
    """Try to prove a claim."""
    began = time.monotonic()
    try:
        proof = claim.prove(seconds)
    except Undecided as error:
        return Verdict(claim, "undecided", "-", time.monotonic() - began, str(error))
    except Mismatch as error:
        return Verdict(claim, "refuted", "-", time.monotonic() - began, str(error))
    return Verdict(claim, "bounded" if proof.depth else "proved", proof.method, proof.seconds)
