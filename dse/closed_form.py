"""What a layer costs under a mapping, in closed form: legality, exact counts, a lower bound of its cycles, and its exact cycles.

Compiled twins of `Tiling.broken_rule`, `sw.counts.count` and `sw.cycles.timing` for a layer on its own (`dse.mapper.alone`). They make no
instructions: sums over tiles factor by axis, since tiles differ at the edges only, and the recurrence of cycles jumps over runs of equal
tiles. A problem is a record of `PROBLEM`; a mapping is a row of eight integers, its fields in `MAPPING`'s order.

Compiled code is kept from run to run, and renewed when this file changes: it may use nothing of another file, nor be used by compiled code
in one. Constants of other files come in with the problem.
"""

import numpy as np
from numba import njit

MAPPING = ("grid_n", "grid_y", "grid_x", "y", "x", "channels", "order", "inner")
ORDERS = ("channels_outside", "pixels_outside")
INNERS = ("none", "x", "channels")
PIXELS_OUTSIDE = 1
INNER_X, INNER_CHANNELS = 1, 2
MOST_TABLES = 12  # different tables of windows of a layer, at most

FIELDS = (
    # the layer and its place
    *("K", "R", "S", "H", "W", "stride", "padding", "pool_window", "pool_stride", "out_h", "out_w", "pools", "images"),
    *("sources", "kernel_rows", "words", "channel_groups", "reduction_one", "reduction_many", "reach_words_one", "reach_words_many"),
    *("reach_stride_one", "reach_stride_many", "steps", "output_width", "group_span", "raw", "mappable", "products", "busy"),
    # the configuration
    *("rows", "cols", "lanes", "operand_bits", "activation_words", "weight_words", "parameter_words", "output_words", "output_bits"),
    *("block_capacity", "longest_load", "interval", "linear_words", "image_words", "compute_words", "store_words"),
    # the circuits' latencies: `sw.cycles.START`, `TOKEN` with the pipeline, and `POST`
    *("start", "token", "post"),
    # limits of the instruction set, and memory words of input and output and of a pixel of the latter
    *("counts", "addresses", "map_words", "pixel_words"),
    # what is loaded for the layer that reads the results, before the last of them is stored; 0: nothing reads them
    *("reader_weights", "reader_parameters", "reader_waits"),
)
PROBLEM = np.dtype([(name, np.int64) for name in FIELDS])

NUMBERS = (
    *("cycles", "issues", "products", "slots", "busy", "activation_reads", "weight_reads", "activation_writes", "beats", "output_writes"),
    *("parameter_reads", "linear_words", "image_words", "padding_words", "instruction_words", "stored_words"),  # as sw.counts.Counts
    *("weight_writes", "parameter_writes"),  # words loaded into the weight buffers and each parameter buffer
    *("linear_loads", "image_cycles"),  # instructions that load words, cycles of those that load images: for the bound
)
USEFUL = ("issues", "activation_reads", "weight_reads")
TERMS = (*NUMBERS[:18], *(f"useful_{name}" for name in USEFUL), "switches")  # what energy is linear in; see dse.work.BASIS

compiled = njit(cache=True, nogil=True, error_model="numpy")  # no divisor is zero


@compiled
def parts(size, part):
    """Parts that cover a size: its quotient, rounded up. By a division of floats, which is faster and exact below 2**53."""
    return np.int64(np.float64(size + part - 1) / np.float64(part))


@compiled
def legal(p, m):
    """Whether a mapping breaks no rule; see `Tiling.broken_rule`."""
    grid, y, x, channels, inner = m[0] * m[1] * m[2], m[3], m[4], m[5], m[7]
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
    """Whether a mapping that keeps the other rules exceeds no limit of the instruction set; see `sw.limits.broken_limit`."""
    reduction, columns, ragged = p.reduction_one if m[5] == 1 else p.reduction_many, m[5] * p.cols, p.K % p.cols
    if ragged and m[5] == p.channel_groups:
        columns = max(columns - p.cols, ragged)
    if max(columns * reduction, m[5] * p.cols * 64 // p.operand_bits) > p.longest_load:
        return False
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    if most_inside(m[1], m[3], p.out_h, pitch_y, window_y, p.padding, p.H, p.counts) >= p.counts:
        return False
    columns = most_inside(m[2], m[4], p.out_w, pitch_x, window_x, p.padding, p.W, p.counts)
    if columns >= p.counts or columns * p.words > p.longest_load or stored(p, m[5], 0) > p.counts:
        return False
    if max(m[3] * p.out_w, m[4]) * p.pixel_words >= p.addresses:
        return False
    tiles = parts(p.images, m[0]) * parts(p.out_h, m[1] * m[3]) * parts(p.out_w, m[2] * m[4]) * parts(p.channel_groups, m[5])
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
    pixels, rows_y, rows_x = tiles_n * tiles_y * tiles_x, parts(p.out_h, m[3]), parts(p.out_w, m[4])
    last_n, last_y, last_x = p.images - (tiles_n - 1) * m[0], rows_y - (tiles_y - 1) * m[1], rows_x - (tiles_x - 1) * m[2]
    loads, _ = windows(tiles_n, tiles_y, tiles_x, m, last_n, last_y, last_x, pixel_passes)
    loads += channel_passes * repeats(p, tiles_k, last_groups)
    found, number = np.empty((MOST_TABLES, 4), np.int64), 1
    first_n, first_y, first_x = min(m[0], p.images), min(m[1], rows_y), min(m[2], rows_x)
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
def instruction_words(p, linear_loads, image_loads, tiles):
    """Memory words of a layer's instructions."""
    words = linear_loads * p.linear_words + p.sources * image_loads * p.image_words + tiles * (p.compute_words + p.store_words)
    return words + (1 if p.raw else 0)  # END


@compiled
def enumerate_legal(p, y_sizes, x_sizes, choices, found, fill):
    """All of `sw.mapping.mappings` in its order: how many, and with `fill` the mappings themselves, in `found` [legal, 8].

    y_sizes, x_sizes [rows + 1, n]: `tile_sizes` of each grid size, zeros behind them. choices: `channel_choices`.
    """
    number, groups, m = 0, p.channel_groups, np.empty(8, np.int64)
    for grid_n in range(1, min(p.images, p.rows) + 1):
        for grid_y in range(1, min(p.out_h, p.rows // grid_n) + 1):
            for grid_x in range(1, min(p.out_w, p.rows // (grid_n * grid_y)) + 1):
                m[0], m[1], m[2] = grid_n, grid_y, grid_x
                for y in y_sizes[grid_y]:
                    for x in x_sizes[grid_x]:
                        if y == 0 or x == 0:
                            break
                        m[3], m[4] = y, x
                        for channels in choices:
                            m[5] = channels
                            for inner in range(1 if p.pools else 3):
                                m[7] = inner
                                held = 2 if inner == 0 else x if inner == INNER_X else channels
                                if held < 2 or not legal(p, m):
                                    continue
                                single = groups == 1 or (inner == INNER_CHANNELS and channels == groups)
                                for order in range(1 if single else 2):
                                    m[6] = order
                                    if fill:
                                        for j in range(8):
                                            found[number, j] = m[j]
                                    number += 1
    return number


@compiled
def compute_cycles(blocks, cycles, beats, token, post):
    """See `sw.cycles.compute_cycles`. token: from a block's last issue to its first possible beat; post: from a beat to its write."""
    latency, step, jumps = cycles - 1 + token + beats, max(cycles, beats), (blocks - 1) // 2
    return post + latency + (blocks - 1) * step + max(0, jumps * (latency - 2 * step))


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
def interior(tiles, grid, size, extent, pitch, window, padding, limit):
    """First and last of the tiles of an axis that touch no edge and are full, so that all are alike."""
    last = (limit + padding - (grid - 1) * pitch - window) // (grid * pitch)
    return parts(padding, grid * pitch), min(tiles - 1 if tiles * grid * size == extent else tiles - 2, last)


@compiled
def load_row(inside, length, words, interval):
    """Cycles to load one row of a tile that holds some of the image: a request, then words; padding costs one cycle a word."""
    return (1 + interval * inside * words if inside else 0) + (length - inside) * words


@compiled
def along(tiles, grid, size, extent, pitch, window, padding, limit, words, interval):
    """Sums over the tiles of an axis: input pixels with padding, input pixels, cycles of a row."""
    lengths, insides, cycles, i = 0, 0, 0, 0
    low, high = interior(tiles, grid, size, extent, pitch, window, padding, limit)
    while i < tiles:
        _, length, inside, _ = span(i, grid, size, extent, pitch, window, padding, limit)
        alike = high - low + 1 if i == low and high > low else 1
        lengths += alike * length
        insides += alike * inside
        cycles += alike * load_row(inside, length, words, interval)
        i += alike
    return lengths, insides, cycles


@compiled
def step(total, outside, inside, count, stride, mask):
    """One loop of `reads`, taken from the outermost: reads so far, product of the loops outside, address moved by the loops inside."""
    inside -= (count - 1) * stride
    if (stride - inside) & mask:
        total += (count - 1) * outside
    return total, outside * count, inside


@compiled
def reads(p, m, groups, width, area, reach_words, over_channels, weights):
    """Words one COMPUTE of `groups` channel groups reads from a row's activation buffer, or with `weights` from a column's.

    The loops and strides of `sw.loops.loops_of`, counted as `sw.counts._reads` does. width, area: words of a window's row, and of all rows.
    """
    y, x, order, inner = m[3], m[4], m[6], m[7]
    pixel, row, mask = p.words, width, p.activation_words - 1
    if weights:
        pixel, row, mask = 0, 0, p.weight_words - 1
    pitch = p.pool_stride * p.stride
    count_x, count_channels, held, stride_held = x, groups, 1, 0
    if inner == INNER_X:
        count_x, held, stride_held = 1, x, pitch * pixel
    elif inner == INNER_CHANNELS:
        count_channels, held, stride_held = 1, groups, over_channels
    kernel_y, kernel_x = (p.S * reach_words, reach_words) if weights else (area if p.sources > 1 else row, pixel)
    moved = (count_channels - 1) * over_channels + (y - 1) * pitch * row + (count_x - 1) * pitch * pixel
    moved += (p.pool_window - 1) * p.stride * (row + pixel) + (p.kernel_rows - 1) * kernel_y + (p.S - 1) * kernel_x + reach_words - 1
    moved += (held - 1) * stride_held
    total, outside = 1, 1
    if order != PIXELS_OUTSIDE:
        total, outside, moved = step(total, outside, moved, count_channels, over_channels, mask)
    total, outside, moved = step(total, outside, moved, y, pitch * row, mask)
    total, outside, moved = step(total, outside, moved, count_x, pitch * pixel, mask)
    if order == PIXELS_OUTSIDE:
        total, outside, moved = step(total, outside, moved, count_channels, over_channels, mask)
    total, outside, moved = step(total, outside, moved, p.pool_window, p.stride * row, mask)
    total, outside, moved = step(total, outside, moved, p.pool_window, p.stride * pixel, mask)
    total, outside, moved = step(total, outside, moved, p.kernel_rows, kernel_y, mask)
    total, outside, moved = step(total, outside, moved, p.S, kernel_x, mask)
    total, outside, moved = step(total, outside, moved, reach_words, 1, mask)
    total, outside, moved = step(total, outside, moved, held, stride_held, mask)
    return total


@compiled
def changed(n, y, x, before_n, before_y, before_x):
    """Words of the windows loaded when a tile uses n x y x x grid rows after one that used others; 0 if it used the same."""
    if n == before_n and y == before_y and x == before_x:
        return 0
    return max(n * y * x, before_n * before_y * before_x)


@compiled
def windows(tiles_n, tiles_y, tiles_x, m, last_n, last_y, last_x, passes):
    """How often the windows are loaded, and their words, in `passes` over all pixels. Only an axis's last tile uses fewer rows."""
    first_n, first_y, first_x = last_n, last_y, last_x
    if tiles_n > 1:
        first_n = m[0]
    if tiles_y > 1:
        first_y = m[1]
    if tiles_x > 1:
        first_x = m[2]
    times, words = 1, first_n * first_y * first_x
    for last in range(2):  # all images' tiles but the last one, then that
        n, number = (last_n, 1) if last else (first_n, tiles_n - 1)
        if number == 0:
            continue
        a, b = changed(n, first_y, last_x, n, first_y, first_x), changed(n, last_y, last_x, n, last_y, first_x)  # along a row of tiles
        c, d = changed(n, first_y, first_x, n, first_y, last_x), changed(n, last_y, first_x, n, first_y, last_x)  # from row to row
        times += number * passes * ((tiles_y - 1) * (a > 0) + (b > 0) + max(0, tiles_y - 2) * (c > 0) + (tiles_y > 1) * (d > 0))
        words += number * passes * ((tiles_y - 1) * a + b + max(0, tiles_y - 2) * c + (tiles_y > 1) * d)
    a, b = changed(first_n, first_y, first_x, first_n, last_y, last_x), changed(last_n, first_y, first_x, first_n, last_y, last_x)
    times += passes * (max(0, tiles_n - 2) * (a > 0) + (tiles_n > 1) * (b > 0))
    words += passes * (max(0, tiles_n - 2) * a + (tiles_n > 1) * b)
    a = changed(first_n, first_y, first_x, last_n, last_y, last_x)
    return times + (passes - 1) * (a > 0), words + (passes - 1) * a


@compiled
def stored(p, channels, first):
    """Memory words of one pixel of a tile with `channels` column groups from `first`."""
    values = channels * p.cols * 4 if p.raw else min(channels * p.cols, p.K - first * p.cols)
    return parts(values * p.output_width, p.operand_bits)


@compiled
def tiling(p, m):
    """Tiles over images, output rows, output columns and channels, column groups of the last one; how often the pixels and how often the
    channels are loaded; words a column reads of a pixel, their step between column groups, operand pairs of a sum."""
    tiles_n, tiles_y, tiles_x = parts(p.images, m[0]), parts(p.out_h, m[1] * m[3]), parts(p.out_w, m[2] * m[4])
    tiles_k = parts(p.channel_groups, m[5])
    pixels = tiles_n * tiles_y * tiles_x
    outside = m[6] == PIXELS_OUTSIDE
    pixel_passes = tiles_k if pixels > 1 and not outside else 1
    channel_passes = pixels if tiles_k > 1 and outside else 1
    reach_words, reach_stride, reduction = p.reach_words_many, p.reach_stride_many, p.reduction_many
    if m[5] == 1:
        reach_words, reach_stride, reduction = p.reach_words_one, p.reach_stride_one, p.reduction_one
    last_groups = p.channel_groups - (tiles_k - 1) * m[5]
    return tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, reach_words, reach_stride, reduction


@compiled
def axes(p, m):
    """Of the rows and of the columns: input pixels from one grid row's first to the next one's, input pixels of a grid row."""
    pitch_y, pitch_x = m[3] * p.pool_stride * p.stride, m[4] * p.pool_stride * p.stride
    overlap = (p.pool_window - 1) * p.stride - p.pool_stride * p.stride
    return pitch_y, pitch_y + overlap + p.R, pitch_x, pitch_x + overlap + p.S


@compiled
def repeats(p, tiles_k, last_groups):
    """Linear loads of all channels once: weights and parameters of every tile, a ragged last column group's weights apart."""
    return 2 * tiles_k + (1 if p.K % p.cols and last_groups > 1 else 0)


@compiled
def first_loads(p, m, tiles_k, last_groups, reduction):
    """Linear loads of the first tile's channels, and their words."""
    groups, weights, loads = m[5], m[5] * reduction * p.cols, 2
    if tiles_k == 1:
        groups, weights, loads = last_groups, reduction * p.K, repeats(p, 1, last_groups)
    return loads, weights + groups * p.cols * (64 // p.operand_bits)


@compiled
def count(p, m, out):
    """The `NUMBERS` of a legal mapping but for the cycles, into `out`."""
    tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, reach_words, reach_stride, reduction = tiling(p, m)
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    y, x, channels, words = m[3], m[4], m[5], p.words
    pixels = tiles_n * tiles_y * tiles_x
    rows_y, rows_x = parts(p.out_h, y), parts(p.out_w, x)  # grid rows in use in all tiles of an axis
    rows = p.images * rows_y * rows_x

    weights, parameters = reduction * p.K, p.channel_groups * p.cols
    last_n, last_y, last_x = p.images - (tiles_n - 1) * m[0], rows_y - (tiles_y - 1) * m[1], rows_x - (tiles_x - 1) * m[2]
    window_loads, window_words = windows(tiles_n, tiles_y, tiles_x, m, last_n, last_y, last_x, pixel_passes)
    linear_loads = channel_passes * repeats(p, tiles_k, last_groups) + window_loads

    sizes_y, insides_y, _ = along(tiles_y, m[1], y, p.out_h, pitch_y, window_y, p.padding, p.H, words, p.interval)
    sizes_x, insides_x, row_cycles = along(tiles_x, m[2], x, p.out_w, pitch_x, window_x, p.padding, p.W, words, p.interval)
    images = pixel_passes * p.images * p.sources
    inside, walked = insides_y * insides_x * words, sizes_y * sizes_x * words

    width, area = window_x * words, window_y * window_x * words
    activation_reads, weight_reads, pixel_words = 0, 0, 0
    full = tiles_k if tiles_k * channels * p.cols == p.K else tiles_k - 1
    for last in range(2):  # all full tiles of channels, then the last one if it is not
        groups, number = (last_groups, tiles_k - full) if last else (channels, full)
        if number:
            pixel_words += number * stored(p, groups, last * (tiles_k - 1) * channels)
            activation_reads += number * reads(p, m, groups, width, area, reach_words, reach_stride, False)
            weight_reads += number * reads(p, m, groups, width, area, reach_words, reduction, True)
    sums = p.channel_groups * y * x * p.pool_window**2
    values = 4 if p.raw else 1
    issues = pixels * sums * reduction * p.steps

    out[1] = issues
    out[2] = p.products
    out[3] = issues * p.rows * p.cols * p.lanes // p.steps
    out[4] = p.busy
    out[5] = pixels * activation_reads
    out[6] = pixels * weight_reads
    out[7] = pixel_passes * rows * p.sources * area
    out[8] = sums * rows * values
    out[9] = p.channel_groups * y * x * rows * values
    out[10] = pixels * sums
    out[11] = channel_passes * (weights + parameters * (64 // p.operand_bits)) + window_words
    out[12] = images * inside
    out[13] = images * (walked - inside)
    out[14] = instruction_words(p, linear_loads, pixel_passes * pixels, pixels * tiles_k)
    out[15] = p.images * p.out_h * p.out_w * pixel_words
    out[16] = channel_passes * weights
    out[17] = channel_passes * parameters
    out[18] = linear_loads
    out[19] = images * (insides_y * row_cycles + (sizes_y - insides_y) * sizes_x * words)


@compiled
def block(p, m, groups, reach_words):
    """Of a COMPUTE of `groups` column groups: blocks, cycles to accumulate one, sums in one."""
    blocks, held = groups * m[3] * m[4] * p.pool_window**2, 1
    if m[7] == INNER_X:
        blocks, held = groups * m[3], m[4]
    elif m[7] == INNER_CHANNELS:
        blocks, held = m[3] * m[4], groups
    return blocks, p.kernel_rows * p.S * reach_words * held * p.steps, held


@compiled
def computing(p, m, groups, reach_words, rows):
    """Cycles of a COMPUTE of `groups` column groups on `rows` grid rows, from its last word until its engine is free."""
    blocks, cycles, held = block(p, m, groups, reach_words)
    return p.start + compute_cycles(blocks, cycles, held * rows * (4 if p.raw else 1), p.token, p.post)


@compiled
def waits(p, m, reduction, window_y, window_x):
    """Whether loads of weights and of activations wait for the grid: those that fill more than half a buffer."""
    return m[5] * reduction > p.weight_words // 2, p.sources * window_y * window_x * p.words > p.activation_words // 2


@compiled
def bound(p, m, out):
    """A lower bound of a legal mapping's cycles, from its `count`.

    The longest of three chains, each without waiting for the others: everything that goes through the read channel; every COMPUTE after the
    one before it, with the loads that wait for it; every STORE after the one before it.
    """
    tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, reach_words, _, reduction = tiling(p, m)
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    waits_weights, waits_image = waits(p, m, reduction, window_y, window_x)
    pixels, interval, halves = tiles_n * tiles_y * tiles_x, p.interval, 64 // p.operand_bits
    tiles, image_loads, image_cycles = pixels * tiles_k, pixel_passes * pixels, out[19]
    # From an instruction's request to the next one's without waits and without data.
    linear, image = interval * p.linear_words + 3, interval * p.image_words + 2
    compute, store = interval * p.compute_words + 1, interval * p.store_words + 1

    first_n, last_n = min(m[0], p.images), p.images - (tiles_n - 1) * m[0]
    first_y, length_y, inside_y, _ = span(0, m[1], m[3], p.out_h, pitch_y, window_y, p.padding, p.H)
    first_x, length_x, inside_x, _ = span(0, m[2], m[4], p.out_w, pitch_x, window_x, p.padding, p.W)
    last_y, _, _, end_y = span(tiles_y - 1, m[1], m[3], p.out_h, pitch_y, window_y, p.padding, p.H)
    last_x, _, _, end_x = span(tiles_x - 1, m[2], m[4], p.out_w, pitch_x, window_x, p.padding, p.W)
    first_map = first_n * (inside_y * load_row(inside_x, length_x, p.words, interval) + (length_y - inside_y) * length_x * p.words)
    first_image, more = p.sources * first_map, (p.sources - 1) * image  # of all maps; loads of further maps
    first_groups = last_groups if tiles_k == 1 else m[5]
    loads, loaded = first_loads(p, m, tiles_k, last_groups, reduction)
    start = 1 + (loads + 1) * linear + interval * (loaded + first_n * first_y * first_x) + image + more + first_image + compute - 1
    tail = 3 + interval * (last_n * end_y * end_x * stored(p, last_groups, (tiles_k - 1) * m[5]) - 1)

    channel = 1 + out[18] * linear + interval * out[11] + image_loads * (image + more) + image_cycles + tiles * (compute + store) + tail
    if p.reader_weights and not p.reader_waits and not waits_weights:
        channel += 2 * linear + interval * (p.reader_weights + p.reader_parameters)

    chain, plain, new_images = start + tail, tiles - 1, image_loads - 1  # after the first: tiles, and those that load pixels
    for last in range(2):
        groups, number_k = (last_groups, 1) if last else (m[5], tiles_k - 1)
        for corner in range(8 if number_k else 0):
            used_n, number = (first_n, tiles_n - 1) if corner & 1 else (last_n, 1)
            used_y, number_y = (first_y, tiles_y - 1) if corner & 2 else (last_y, 1)
            used_x, number_x = (first_x, tiles_x - 1) if corner & 4 else (last_x, 1)
            number *= number_k * number_y * number_x
            if number:
                chain += number * computing(p, m, groups, reach_words, used_n * used_y * used_x)
    if waits_weights and tiles_k > 1:
        number, both, both_cycles = tiles - 1, new_images, image_cycles - first_image  # tiles that load channels; and those with pixels too
        if m[6] != PIXELS_OUTSIDE:
            number = tiles_k - 1
            both = number if pixels > 1 else 0
            both_cycles = both * first_image
        repeated = channel_passes * repeats(p, tiles_k, last_groups) - loads
        chain += repeated * linear + interval * (out[16] + out[17] * halves - loaded) + number * (compute - 2 - interval * p.linear_words)
        chain += both * (image + more) + both_cycles
        plain, new_images, image_cycles = plain - number, new_images - both, image_cycles - both_cycles
    if waits_image:
        chain += image_cycles - first_image + new_images * (compute + more)
        plain -= new_images
    chain += plain * (compute - 1 - 2 * interval)

    first = computing(p, m, first_groups, reach_words, first_n * first_y * first_x)
    storing = start + first + tiles * (3 - interval) + interval * out[15] + (tiles - 1) * (store - 2 * interval)
    return max(channel, chain, storing) + (1 if p.raw else 0)


@compiled
def send(request, compute_free, store_free, words, fetch, interval):
    """A STORE of `words`, whose own words take `fetch` cycles: when the next instruction may be requested, when the store is over."""
    last_word = max(request + 2 * interval, store_free) + fetch
    return last_word + 1, max(last_word + 1, compute_free) + 3 + (words - 1) * interval


@compiled
def cycles(p, m, scratch):
    """Exact cycles of a legal mapping, equal to the first of `sw.counts.layer_ends` of the layer on its own.

    The recurrence over tiles only adds and takes maxima of three times, and a tile depends on the one before it by its grid rows and its
    store alone, which are the same for all but an axis's last. Where a tile, a row of tiles or a pass moved all three times by as much, so
    will those that follow it and are equal. scratch [4, 7]: of each loop its index, tiles, first (not 0) and last tile of the run that is
    alike, and the times when its last index ended.
    """
    tiles_n, tiles_y, tiles_x, tiles_k, last_groups, _, _, reach_words, _, reduction = tiling(p, m)
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    waits_weights, waits_image = waits(p, m, reduction, window_y, window_x)
    # Locals, since every write to `scratch` could change `p`.
    interval, words, begin, token, post, values = p.interval, p.words, p.start, p.token, p.post, 4 if p.raw else 1
    fetch_linear, fetch_image, fetch_compute, fetch_store = (
        interval * p.linear_words + 1,
        interval * p.image_words + 1,
        interval * (p.compute_words - 2),
        interval * (p.store_words - 2),
    )
    parameters = interval * p.cols * (64 // p.operand_bits)
    images, sources, out_h, out_w, height, width, padding = p.images, p.sources, p.out_h, p.out_w, p.H, p.W, p.padding
    at_k, at_n, at_y, at_x = (3, 0, 1, 2) if m[6] == PIXELS_OUTSIDE else (0, 1, 2, 3)
    low_y, high_y = interior(tiles_y, m[1], m[3], p.out_h, pitch_y, window_y, p.padding, p.H)
    low_x, high_x = interior(tiles_x, m[2], m[4], p.out_w, pitch_x, window_x, p.padding, p.W)
    full_words, last_words = stored(p, m[5], 0), stored(p, last_groups, (tiles_k - 1) * m[5])
    full_weights, last_weights = reduction * m[5] * p.cols, reduction * (p.K - (tiles_k - 1) * m[5] * p.cols)
    last_loads = 2 if p.K % p.cols and last_groups > 1 else 1
    high_k = tiles_k - 1 if tiles_k * m[5] * p.cols == p.K else tiles_k - 2
    high_n = tiles_n - 1 if tiles_n * m[0] == images else tiles_n - 2
    scratch[at_k, 0], scratch[at_k, 1], scratch[at_k, 2], scratch[at_k, 3] = 0, tiles_k, 1, high_k
    scratch[at_n, 0], scratch[at_n, 1], scratch[at_n, 2], scratch[at_n, 3] = 0, tiles_n, 1, high_n
    scratch[at_y, 0], scratch[at_y, 1], scratch[at_y, 2], scratch[at_y, 3] = 0, tiles_y, max(1, low_y), high_y
    scratch[at_x, 0], scratch[at_x, 1], scratch[at_x, 2], scratch[at_x, 3] = 0, tiles_x, max(1, low_x), high_x
    request, compute_free, store_free = 1, 0, 0
    before_k, before_n, before_y, before_x = -1, -1, -1, -1
    used_n, used_y, used_x, rows_n, rows_y, rows_x = 0, 0, 0, 0, 0, 0  # grid rows of this tile; those of the windows loaded last
    weights, loads, groups, pixel_words, image_cycles = 0, 0, 0, 0, 0
    blocks, block_cycles, held, rows, taken = 0, 0, 0, 0, 0
    length_y, inside_y, end_y, length_x, inside_x, end_x, pending = 0, 0, 0, 0, 0, 0, 0
    level = 0
    while level >= 0:
        k, n, y, x = scratch[at_k, 0], scratch[at_n, 0], scratch[at_y, 0], scratch[at_x, 0]
        new_pixels = n != before_n or y != before_y or x != before_x
        if k != before_k:
            last = k == tiles_k - 1
            groups = last_groups if last else m[5]
            loads, weights = (last_loads, last_weights) if last else (1, full_weights)
            pixel_words = last_words if last else full_words
            blocks, block_cycles, held = block(p, m, groups, reach_words)
            rows = 0
            if waits_weights:
                if pending:
                    request, store_free = send(request, compute_free, store_free, pending, fetch_store, interval)
                    pending = 0
                request = max(request, compute_free - fetch_linear)
            request += (loads + 1) * (fetch_linear + 2) + interval * weights + parameters * groups
        if new_pixels:
            used_n = min(m[0], images - n * m[0])
            if y != before_y:
                used_y, length_y, inside_y, end_y = span(y, m[1], m[3], out_h, pitch_y, window_y, padding, height)
            if x != before_x:
                used_x, length_x, inside_x, end_x = span(x, m[2], m[4], out_w, pitch_x, window_x, padding, width)
            image_cycles = used_n * (inside_y * load_row(inside_x, length_x, words, interval) + (length_y - inside_y) * length_x * words)
            loaded = changed(used_n, used_y, used_x, rows_n, rows_y, rows_x)
            if loaded:
                request += fetch_linear + 2 + interval * loaded
            rows_n, rows_y, rows_x = used_n, used_y, used_x
            if waits_image:
                if pending:
                    request, store_free = send(request, compute_free, store_free, pending, fetch_store, interval)
                    pending = 0
                request = max(request, compute_free - fetch_image)
            request += sources * (fetch_image + 1 + image_cycles)
        if pending:
            request, store_free = send(request, compute_free, store_free, pending, fetch_store, interval)
        if rows != used_n * used_y * used_x:
            rows = used_n * used_y * used_x
            taken = begin + compute_cycles(blocks, block_cycles, held * rows * values, token, post)
        last_word = max(request + 2 * interval, compute_free) + fetch_compute
        request, compute_free = last_word + 1, last_word + taken
        pending = used_n * end_y * end_x * pixel_words
        before_k, before_n, before_y, before_x = k, n, y, x
        level = 3
        while level >= 0:
            at = scratch[level]
            i, moved = at[0], request - at[4]
            if at[2] <= i < at[3] and compute_free - at[5] == moved and store_free - at[6] == moved:
                ahead = at[3] - i
                request, compute_free, store_free = request + ahead * moved, compute_free + ahead * moved, store_free + ahead * moved
                i += ahead
            at[4], at[5], at[6] = request, compute_free, store_free
            at[0] = i + 1
            if i + 1 < at[1]:
                break
            at[0] = 0
            level -= 1
    if p.reader_weights and not p.reader_waits and not waits_weights:
        request += 2 * (fetch_linear + 2) + interval * (p.reader_weights + p.reader_parameters)
        loaded = changed(1, 1, 1, rows_n, rows_y, rows_x)
        if loaded:
            request += fetch_linear + 2 + interval * loaded
    request, store_free = send(request, compute_free, store_free, pending, fetch_store, interval)
    if p.raw:
        return max(request + interval + 1, compute_free, store_free) + 1
    return store_free


@compiled
def energy(p, n, cost):
    """Energy in pJ of a point with the numbers `n`: the `TERMS` times their cost."""
    total = 0.0
    for i in range(18):
        total += n[i] * cost[i]
    useful = n[2] / n[3]  # products of the slots
    total += useful * n[1] * cost[18] + useful * n[5] * cost[19] + useful * n[6] * cost[20]
    return total + max(0.0, n[1] / p.steps - min(n[5], n[6])) * cost[21]


@compiled
def evaluate(problems, which, mappings, costs, exact, energies, times):
    """Energy in pJ and cycles of every point [n]; without `exact` a lower bound of the cycles, and the energy with that."""
    out, scratch, m = np.empty(len(NUMBERS), np.int64), np.empty((4, 7), np.int64), np.empty(8, np.int64)
    for i in range(len(which)):
        p = problems[which[i]]
        for j in range(8):
            m[j] = mappings[i, j]
        count(p, m, out)
        out[0] = cycles(p, m, scratch) if exact else bound(p, m, out)
        times[i] = out[0]
        energies[i] = energy(p, out, costs[which[i]])


@compiled
def tabulate(problems, which, mappings, numbers):
    """The exact `NUMBERS` of every point, [n, NUMBERS]."""
    scratch, m = np.empty((4, 7), np.int64), np.empty(8, np.int64)
    for i in range(len(which)):
        p = problems[which[i]]
        for j in range(8):
            m[j] = mappings[i, j]
        count(p, m, numbers[i])
        numbers[i, 0] = cycles(p, m, scratch)
