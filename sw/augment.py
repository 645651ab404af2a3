"""Training images moved and mirrored, a batch at a time and repeatable from a generator."""

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(codes: Tensor, margin: int, mirror: bool, generator: torch.Generator) -> Tensor:
    """Each image of codes [N, C, H, W] moved by up to `margin` pixels along both axes, and mirrored left to right in half of the cases.

    What comes in from outside is black, code 0. The result is laid out channels last. Draws come from `generator` (on the CPU).
    """
    count, _, height, width = codes.shape
    rows = torch.randint(2 * margin + 1, (count, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(2 * margin + 1, (count, 1), generator=generator) + torch.arange(width)
    if mirror:
        columns = torch.where(torch.rand(count, 1, generator=generator) < 0.5, columns.flip(1), columns)
    image, rows, columns = (part.to(codes.device) for part in (torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]))
    return F.pad(codes, (margin,) * 4)[image, :, rows, columns].permute(0, 3, 1, 2)
