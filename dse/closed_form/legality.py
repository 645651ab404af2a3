"""Which mappings are legal, twin of `Tiling.broken_rule` and of `sw.limits`, and the list of them, twin of `sw.mapping.mappings`."""

import numpy as np

from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.loads import changed, instruction_words, repeats, windows
from gatewright.dse.closed_form.records import INNER_CHANNELS, INNER_X, MAPPED, give
from gatewright.dse.closed_form.tiles import axes, parts, span, stored, tiling

MOST_TABLES = 12  # different tables of windows of a layer, at most


@compiled
def legal(p, m):
    """Whether a mapping breaks no rule; see `Tiling.broken_rule`."""
    return fits(p, m) and addressed(p, m)


@compiled
def fits(p, m):
    """Whether a mapping breaks no rule that holds in either order."""
    grid, y, x, channels, inner = m.grid_n * m.grid_y * m.grid_x, m.y, m.x, m.channels, m.inner
    if grid > p.rows or channels > p.channel_groups or channels > p.parameter_words // 2 or not p.mappable:
        return False
    if channels * (p.reduction_one if channels == 1 else p.reduction_many) > p.weight_words:
        return False
    window_y = ((y - 1) * p.pool_stride + p.pool_window - 1) * p.stride + p.R
    window_x = ((x - 1) * p.pool_stride + p.pool_window - 1) * p.stride + p.S
    if p.sources * window_y * window_x * p.words > p.activation_words:
        return False
    if grid * y * x * parts(channels * p.group_span * p.cols, p.output_bits) > p.output_words // 2:
        return False
    if (x if inner == INNER_X else channels if inner == INNER_CHANNELS else 1) > p.block_capacity or (p.pools and inner):
        return False
    return (channels >= p.channel_groups or channels * p.group_span * p.cols % p.operand_bits == 0) and within(p, m)


@compiled
def within(p, m):
    """Whether a mapping that keeps the other rules exceeds no field of an instruction; see `sw.limits.broken_limit`."""
    reduction, columns, ragged = p.reduction_one if m.channels == 1 else p.reduction_many, m.channels * p.cols, p.K % p.cols
    if ragged and m.channels == p.channel_groups:
        columns = max(columns - p.cols, ragged)
    if max(columns * reduction, m.channels * p.cols * 64 // p.operand_bits) > p.longest_load:
        return False
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    if most_inside(m.grid_y, m.y, p.out_h, pitch_y, window_y, p.padding, p.H, p.counts) >= p.counts:
        return False
    columns = most_inside(m.grid_x, m.x, p.out_w, pitch_x, window_x, p.padding, p.W, p.counts)
    if columns >= p.counts or columns * p.words > p.longest_load or stored(p, m.channels, 0) > p.counts:
        return False
    return max(m.y * p.out_w, m.x) * p.pixel_words < p.addresses


@compiled
def addressed(p, m):
    """Whether the addresses reach all that the layer takes of the memory; see `sw.limits.memory_words`."""
    reduction = p.reduction_one if m.channels == 1 else p.reduction_many
    tiles = (
        parts(p.images, m.grid_n) * parts(p.out_h, m.grid_y * m.y) * parts(p.out_w, m.grid_x * m.x) * parts(p.channel_groups, m.channels)
    )
    constants = reduction * p.K + p.channel_groups * p.cols * (64 // p.operand_bits)
    rest = p.map_words + constants + 1
    most = rest + MOST_TABLES * p.rows + tiles * (4 * p.linear_words + p.sources * p.image_words + p.compute_words + p.store_words)
    return most < p.addresses or rest - 1 + program_words(p, m) < p.addresses


@compiled
def most_inside(grid, size, extent, pitch, window, padding, limit, counts):
    """Most input pixels of any tile of an axis, without padding; `counts`, which is too many, if there are too many with padding."""
    tiles = parts(extent, grid * size)
    if window >= counts or span(0, grid, size, extent, pitch, window, padding, limit)[1] > counts:
        return counts
    most, near, whole = 0, padding // (grid * pitch), max(0, tiles - 2)
    for i in (min(near, whole), min(near + 1, whole), tiles - 1):
        most = max(most, span(i, grid, size, extent, pitch, window, padding, limit)[2])
    return most


@compiled
def program_words(p, m):
    """Memory words of a layer's instructions and of its tables of windows."""
    tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, _, _, _ = tiling(p, m)
    pixels, rows_y, rows_x = tiles_n * tiles_y * tiles_x, parts(p.out_h, m.y), parts(p.out_w, m.x)
    last_n, last_y, last_x = p.images - (tiles_n - 1) * m.grid_n, rows_y - (tiles_y - 1) * m.grid_y, rows_x - (tiles_x - 1) * m.grid_x
    loads, _ = windows(tiles_n, tiles_y, tiles_x, m, last_n, last_y, last_x, pixel_passes)
    loads += channel_passes * repeats(p, tiles_k, last_groups)
    found, number = np.empty((MOST_TABLES, 4), np.int64), 1
    first_n, first_y, first_x = min(m.grid_n, p.images), min(m.grid_y, rows_y), min(m.grid_x, rows_x)
    found[0, 0], found[0, 1], found[0, 2], found[0, 3] = first_n, first_y, first_x, first_n * first_y * first_x
    for last in range(2):
        n = last_n if last else first_n
        if not last and tiles_n == 1:
            continue
        for end in range(2):
            y = last_y if end else first_y
            if (end or tiles_y > 1) and tiles_x > 1:
                number = table(found, number, n, y, first_x, n, y, last_x)
        if tiles_y > 2:
            number = table(found, number, n, first_y, last_x, n, first_y, first_x)
        if tiles_y > 1:
            number = table(found, number, n, first_y, last_x, n, last_y, first_x)
    if tiles_n > 2:
        number = table(found, number, first_n, last_y, last_x, first_n, first_y, first_x)
    if tiles_n > 1:
        number = table(found, number, first_n, last_y, last_x, last_n, first_y, first_x)
    if pixel_passes > 1:
        number = table(found, number, last_n, last_y, last_x, first_n, first_y, first_x)
    return instruction_words(p, loads, pixel_passes * pixels, pixels * tiles_k) + found[:number, 3].sum()


@compiled
def table(found, number, before_n, before_y, before_x, n, y, x):
    """Enter the table of windows for n x y x x grid rows after others into `found`; how many there are then."""
    words = changed(n, y, x, before_n, before_y, before_x)
    for i in range(number):
        if found[i, 0] == n and found[i, 1] == y and found[i, 2] == x and found[i, 3] == words:
            return number
    found[number, 0], found[number, 1], found[number, 2], found[number, 3] = n, y, x, words
    return number + (words > 0)


@compiled
def enumerate_legal(p, y_sizes, x_sizes, choices, found, fill):
    """All of `sw.mapping.mappings` in its order: how many, and with `fill` the mappings themselves, in `found` [legal, 8].

    y_sizes, x_sizes [rows + 1, n]: `tile_sizes` of each grid size, zeros behind them. choices: `channel_choices`.
    """
    number, groups, m = 0, p.channel_groups, np.empty(1, MAPPED)[0]
    for grid_n in range(1, min(p.images, p.rows) + 1):
        for grid_y in range(1, min(p.out_h, p.rows // grid_n) + 1):
            for grid_x in range(1, min(p.out_w, p.rows // (grid_n * grid_y)) + 1):
                m.grid_n, m.grid_y, m.grid_x = grid_n, grid_y, grid_x
                for y in y_sizes[grid_y]:
                    for x in x_sizes[grid_x]:
                        if y == 0 or x == 0:
                            break
                        m.y, m.x = y, x
                        for channels in choices:
                            m.channels = channels
                            for inner in range(1 if p.pools else 3):
                                m.inner = inner
                                held = 2 if inner == 0 else x if inner == INNER_X else channels
                                if held < 2 or not fits(p, m):
                                    continue
                                single = groups == 1 or (inner == INNER_CHANNELS and channels == groups)
                                for order in range(1 if single else 2):
                                    m.order = order
                                    if addressed(p, m):
                                        if fill:
                                            give(found, number, m)
                                        number += 1
    return number
