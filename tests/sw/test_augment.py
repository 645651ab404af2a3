"""Augmentation against shifts and mirrors written out image by image."""

import numpy as np
import pytest
import torch

from gatewright.sw.augment import augment


def images(count: int = 64) -> torch.Tensor:
    """Codes 1..127, so that black is only what came in from outside."""
    return torch.randint(1, 128, (count, 3, 6, 5), generator=torch.Generator().manual_seed(3), dtype=torch.int16)


def variants(image: np.ndarray, margin: int, mirror: bool) -> dict[tuple[int, int, bool], np.ndarray]:
    """Every image that augmentation may make of one [C, H, W]."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)))
    found = {}
    for top in range(2 * margin + 1):
        for left in range(2 * margin + 1):
            crop = padded[:, top : top + height, left : left + width]
            found[top, left, False] = crop
            if mirror:
                found[top, left, True] = crop[:, :, ::-1]
    return found


@pytest.mark.parametrize(("margin", "mirror"), [(1, False), (2, True), (0, True)])
def test_every_image_is_a_legal_variant_and_all_occur(margin: int, mirror: bool) -> None:
    given = images(600)
    made = augment(given, margin, mirror, torch.Generator().manual_seed(0)).numpy()
    seen = set()
    for before, after in zip(given.numpy(), made, strict=True):
        matching = [how for how, variant in variants(before, margin, mirror).items() if np.array_equal(variant, after)]
        assert len(matching) == 1
        seen.add(matching[0])
    assert len(seen) == (2 * margin + 1) ** 2 * (1 + mirror)


def test_nothing_to_do() -> None:
    assert torch.equal(augment(images(), 0, False, torch.Generator()), images())


def test_it_repeats_itself_by_seed() -> None:
    made = [augment(images(), 2, True, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert made[0].dtype == torch.int16


def test_the_next_batch_draws_anew() -> None:
    generator = torch.Generator().manual_seed(4)
    assert not torch.equal(augment(images(), 2, True, generator), augment(images(), 2, True, generator))
