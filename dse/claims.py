"""What a publication claims, beside what was measured here."""

from gatewright.hw.noun import Noun


class Claim(Noun):
    """A published figure and ours. `paper` None: the comparison is our own, and holds where ours is no worse than the other. `measured`
    None: there was nothing to compare. `holds`: ours is at least as good.

    `note`: how ours was taken, in a sentence.
    """

    name: str
    paper: float | None
    measured: float | None
    unit: str
    holds: bool
    note: str = ""
