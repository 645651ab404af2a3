"""Where feature maps lie in external memory: maps that do not live at the same time may share it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.sw.layers import Workload
from gatewright.sw.mapping import Tiling


@dataclass(frozen=True)
class Region:
    """A place in external memory: its first word, its length in words."""

    address: int
    words: int


def place_maps(work: Workload, tilings: Sequence[Tiling], start: int, reuse: bool) -> tuple[Region, ...]:
    """The feature maps from `start` on: one after the other, or with `reuse` each, the largest first, in the lowest gap between those
    that live while it does."""
    lives = lifetimes(work) if reuse else [(0, 0)] * len(work.maps)
    sizes = []
    for m in work.maps:
        words = tilings[m.producers[0]].pixel_words if m.producers else tilings[m.readers[0]].words
        sizes.append(tilings[0].images * m.height * m.width * words)
    placed: dict[int, Region] = {}
    for number in sorted(range(len(sizes)), key=lambda k: (-sizes[k], k)) if reuse else range(len(sizes)):
        born, dies = lives[number]
        beside = [region for k, region in placed.items() if lives[k][0] <= dies and born <= lives[k][1]]
        address = start
        for region in sorted(beside, key=lambda r: r.address):
            if address + sizes[number] <= region.address:
                break
            address = max(address, region.address + region.words)
        placed[number] = Region(address, sizes[number])
    return tuple(placed[k] for k in range(len(sizes)))


def lifetimes(work: Workload) -> list[tuple[int, int]]:
    """Of each map the first layer that writes it, the image from before the first, and the last that reads it, the results to the end."""
    return [(min(m.producers, default=-1), max(m.readers, default=len(work.layers))) for m in work.maps]
