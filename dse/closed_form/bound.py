"""A lower bound of a layer's cycles, for the order in which the mapper evaluates and for what it need not evaluate."""

from gatewright.dse.closed_form import numbers
from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.compute import computing
from gatewright.dse.closed_form.loads import first_loads, load_row, repeats, waits
from gatewright.dse.closed_form.records import PIXELS_OUTSIDE
from gatewright.dse.closed_form.tiles import axes, span, stored, tiling


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
    tiles, image_loads, image_cycles = pixels * tiles_k, pixel_passes * pixels, out[numbers.IMAGE_CYCLES]
    # From an instruction's request to the next one's without waits and without data.
    linear, image = interval * p.linear_words + 3, interval * p.image_words + 2
    compute, store = interval * p.compute_words + 1, interval * p.store_words + 1

    first_n, last_n = min(m.grid_n, p.images), p.images - (tiles_n - 1) * m.grid_n
    first_y, length_y, inside_y, _ = span(0, m.grid_y, m.y, p.out_h, pitch_y, window_y, p.padding, p.H)
    first_x, length_x, inside_x, _ = span(0, m.grid_x, m.x, p.out_w, pitch_x, window_x, p.padding, p.W)
    last_y, _, _, end_y = span(tiles_y - 1, m.grid_y, m.y, p.out_h, pitch_y, window_y, p.padding, p.H)
    last_x, _, _, end_x = span(tiles_x - 1, m.grid_x, m.x, p.out_w, pitch_x, window_x, p.padding, p.W)
    first_map = first_n * (inside_y * load_row(inside_x, length_x, p.words, interval) + (length_y - inside_y) * length_x * p.words)
    first_image, more = p.sources * first_map, (p.sources - 1) * image  # of all maps; loads of further maps
    loads, loaded = first_loads(p, m, tiles_k, last_groups, reduction)
    start = 1 + (loads + 1) * linear + interval * (loaded + first_n * first_y * first_x) + image + more + first_image + compute - 1
    tail = 3 + interval * (last_n * end_y * end_x * stored(p, last_groups, (tiles_k - 1) * m.channels) - 1)

    channel = (
        1
        + out[numbers.LINEAR_LOADS] * linear
        + interval * out[numbers.LINEAR_WORDS]
        + image_loads * (image + more)
        + image_cycles
        + tiles * (compute + store)
        + tail
    )
    if p.reader_weights and not p.reader_waits and not waits_weights:
        channel += 2 * linear + interval * (p.reader_weights + p.reader_parameters)

    chain, plain, new_images = start + tail, tiles - 1, image_loads - 1  # after the first: tiles, and those that load pixels
    for last in range(2):
        groups, number_k = (last_groups, 1) if last else (m.channels, tiles_k - 1)
        for corner in range(8 if number_k else 0):
            used_n, number = (first_n, tiles_n - 1) if corner & 1 else (last_n, 1)
            used_y, number_y = (first_y, tiles_y - 1) if corner & 2 else (last_y, 1)
            used_x, number_x = (first_x, tiles_x - 1) if corner & 4 else (last_x, 1)
            number *= number_k * number_y * number_x
            if number:
                chain += number * computing(p, m, groups, reach_words, used_n * used_y * used_x)
    if waits_weights and tiles_k > 1:
        number, both, both_cycles = tiles - 1, new_images, image_cycles - first_image  # tiles that load channels; and those with pixels too
        if m.order != PIXELS_OUTSIDE:
            number = tiles_k - 1
            both = number if pixels > 1 else 0
            both_cycles = both * first_image
        repeated = channel_passes * repeats(p, tiles_k, last_groups) - loads
        chain += (
            repeated * linear
            + interval * (out[numbers.WEIGHT_WRITES] + out[numbers.PARAMETER_WRITES] * halves - loaded)
            + number * (compute - 2 - interval * p.linear_words)
        )
        chain += both * (image + more) + both_cycles
        plain, new_images, image_cycles = plain - number, new_images - both, image_cycles - both_cycles
    if waits_image:
        chain += image_cycles - first_image + new_images * (compute + more)
        plain -= new_images
    chain += plain * (compute - 1 - 2 * interval)

    first = computing(p, m, m.channels, reach_words, first_n * first_y * first_x)
    storing = start + first + tiles * (3 - interval) + interval * out[numbers.STORED_WORDS] + (tiles - 1) * (store - 2 * interval)
    return max(channel, chain, storing) + (1 if p.raw else 0)
