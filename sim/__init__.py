"""The measuring library: simulate, synthesise and price a block of hardware, from a test. docs/library.md is its tutorial.

Names are imported when first asked for, so that a module of this package costs no more than itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.sim.design import Design
    from gatewright.sim.formal.equivalence import Proof, assert_equivalent
    from gatewright.sim.library import Synthesis, energy, simulate, synthesise
    from gatewright.sim.lut_mapping import Luts, luts
    from gatewright.sim.mutation import Score, mutate
    from gatewright.sim.technology import Conventions, Technology, from_liberty, ihp130, technology_named

__all__ = [
    "Conventions",
    "Design",
    "Luts",
    "Proof",
    "Score",
    "Synthesis",
    "Technology",
    "assert_equivalent",
    "energy",
    "from_liberty",
    "ihp130",
    "luts",
    "mutate",
    "simulate",
    "synthesise",
    "technology_named",
]

_HOMES = {
    "design": ("Design",),
    "formal.equivalence": ("Proof", "assert_equivalent"),
    "library": ("Synthesis", "energy", "simulate", "synthesise"),
    "lut_mapping": ("Luts", "luts"),
    "mutation": ("Score", "mutate"),
    "technology": ("Conventions", "Technology", "from_liberty", "ihp130", "technology_named"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
