"""What a publication claims, beside what was measured here."""

from gatewright.hw.noun import Noun


class Claim(Noun):
    """A published figure and ours. `paper` None: the comparison is our own, and holds where ours is no worse than the other. `measured`
    None: there was nothing to compare. `holds`: ours is at least as good.

    `bound`: what was measured is a lower bound, which can show that a claim holds and cannot show that it does not.
    `note`: how ours was taken, in a sentence.
    """

    name: str
    paper: float | None
    measured: float | None
    unit: str
    holds: bool
    bound: bool = False
    note: str = ""

    @property
    def found(self) -> str:
        """What was measured, in words; a dash where there was nothing to compare."""
        return "–" if self.measured is None else f"{'≥ ' * self.bound}{self.measured:.3g} {self.unit}"

    @property
    def claimed(self) -> str:
        """What the paper says, in words; a dash where the comparison is our own."""
        return "–" if self.paper is None else f"{self.paper:.3g} {self.unit}"
