"""The tiles of a layer under a mapping: how many along each axis, how far each reaches, and what it stores of a pixel."""

import numpy as np

from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.records import PIXELS_OUTSIDE


@compiled
def parts(size, part):
    """Parts that cover a size: its quotient, rounded up. By a division of floats, which is faster and exact below 2**53."""
    return np.int64(np.float64(size + part - 1) / np.float64(part))


@compiled
def tiling(p, m):
    """Tiles over images, output rows, output columns and channels, column groups of the last one; how often the pixels and how often the
    channels are loaded; words a column reads of a pixel, their step between column groups, operand pairs of a sum."""
    tiles_n, tiles_y, tiles_x = parts(p.images, m.grid_n), parts(p.out_h, m.grid_y * m.y), parts(p.out_w, m.grid_x * m.x)
    tiles_k = parts(p.channel_groups, m.channels)
    pixels = tiles_n * tiles_y * tiles_x
    outside = m.order == PIXELS_OUTSIDE
    pixel_passes = tiles_k if pixels > 1 and not outside else 1
    channel_passes = pixels if tiles_k > 1 and outside else 1
    reach_words, reach_stride, reduction = p.reach_words_many, p.reach_stride_many, p.reduction_many
    if m.channels == 1:
        reach_words, reach_stride, reduction = p.reach_words_one, p.reach_stride_one, p.reduction_one
    last_groups = p.channel_groups - (tiles_k - 1) * m.channels
    return tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, reach_words, reach_stride, reduction


@compiled
def axes(p, m):
    """Of the rows and of the columns: input pixels from one grid row's first to the next one's, input pixels of a grid row."""
    pitch_y, pitch_x = m.y * p.pool_stride * p.stride, m.x * p.pool_stride * p.stride
    overlap = (p.pool_window - 1) * p.stride - p.pool_stride * p.stride
    return pitch_y, pitch_y + overlap + p.R, pitch_x, pitch_x + overlap + p.S


@compiled
def span(i, grid, size, extent, pitch, window, padding, limit):
    """Tile i of an axis: grid rows in use, input pixels with padding, input pixels, output pixels."""
    left = extent - i * grid * size
    used = grid if left >= grid * size else parts(left, size)  # a division only where it is needed
    length = (used - 1) * pitch + window
    start = i * grid * pitch - padding
    before = max(0, -start)
    return used, length, max(0, min(limit - max(0, start), length - before)), min(left, used * size)


@compiled
def interior(grid, pitch, window, padding, limit):
    """First and last of the tiles of an axis that touch no edge, so that all are alike: one with less to do would, if it were full."""
    return parts(padding, grid * pitch), (limit + padding - (grid - 1) * pitch - window) // (grid * pitch)


@compiled
def stored(p, channels, first):
    """Memory words of one pixel of a tile with `channels` column groups from `first`."""
    values = channels * p.cols * 4 if p.raw else min(channels * p.cols, p.K - first * p.cols)
    return parts(values * p.output_width, p.operand_bits)
