"""Exact counts of what a layer makes every unit do, twin of `sw.counts.count`: sums over tiles, taken axis by axis."""

from gatewright.dse.closed_form import numbers
from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.compute import reads
from gatewright.dse.closed_form.loads import along, instruction_words, repeats, windows
from gatewright.dse.closed_form.tiles import axes, parts, stored, tiling


@compiled
def count(p, m, out):
    """The `NUMBERS` of a legal mapping but for the cycles, into `out`."""
    tiles_n, tiles_y, tiles_x, tiles_k, last_groups, pixel_passes, channel_passes, reach_words, reach_stride, reduction = tiling(p, m)
    pitch_y, window_y, pitch_x, window_x = axes(p, m)
    y, x, channels, words = m.y, m.x, m.channels, p.words
    pixels = tiles_n * tiles_y * tiles_x
    rows_y, rows_x = parts(p.out_h, y), parts(p.out_w, x)  # grid rows in use in all tiles of an axis
    rows = p.images * rows_y * rows_x

    weights, parameters = reduction * p.K, p.channel_groups * p.cols
    last_n, last_y, last_x = p.images - (tiles_n - 1) * m.grid_n, rows_y - (tiles_y - 1) * m.grid_y, rows_x - (tiles_x - 1) * m.grid_x
    window_loads, window_words = windows(tiles_n, tiles_y, tiles_x, m, last_n, last_y, last_x, pixel_passes)
    linear_loads = channel_passes * repeats(p, tiles_k, last_groups) + window_loads

    sizes_y, insides_y, _ = along(tiles_y, m.grid_y, y, p.out_h, pitch_y, window_y, p.padding, p.H, words, p.interval)
    sizes_x, insides_x, row_cycles = along(tiles_x, m.grid_x, x, p.out_w, pitch_x, window_x, p.padding, p.W, words, p.interval)
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

    out[numbers.ISSUES] = issues
    out[numbers.PRODUCTS] = p.products
    out[numbers.SLOTS] = issues * p.rows * p.cols * p.lanes // p.steps
    out[numbers.BUSY] = p.busy
    out[numbers.ACTIVATION_READS] = pixels * activation_reads
    out[numbers.WEIGHT_READS] = pixels * weight_reads
    out[numbers.ACTIVATION_WRITES] = pixel_passes * rows * p.sources * area
    out[numbers.BEATS] = sums * rows * values
    out[numbers.OUTPUT_WRITES] = p.channel_groups * y * x * rows * values
    out[numbers.PARAMETER_READS] = pixels * sums
    out[numbers.LINEAR_WORDS] = channel_passes * (weights + parameters * (64 // p.operand_bits)) + window_words
    out[numbers.IMAGE_WORDS] = images * inside
    out[numbers.PADDING_WORDS] = images * (walked - inside)
    out[numbers.INSTRUCTION_WORDS] = instruction_words(p, linear_loads, pixel_passes * pixels, pixels * tiles_k)
    out[numbers.STORED_WORDS] = p.images * p.out_h * p.out_w * pixel_words
    out[numbers.WEIGHT_WRITES] = channel_passes * weights
    out[numbers.PARAMETER_WRITES] = channel_passes * parameters
    out[numbers.LINEAR_LOADS] = linear_loads
    out[numbers.IMAGE_CYCLES] = images * (insides_y * row_cycles + (sizes_y - insides_y) * sizes_x * words)
