"""What a publication claims, beside what was measured here."""

from gatewright.hw.noun import Noun


class Claim(Noun):
    """A published figure and ours. `measured` None: there was nothing to compare. `holds`: ours is at least as good.

    `note`: how ours was taken, in a sentence.
    """

    name: str
    paper: float
    measured: float | None
    unit: str
    holds: bool
    note: str = ""
