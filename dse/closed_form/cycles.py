"""Exact cycles of a layer on its own, twin of `sw.cycles.timing`: its recurrence over tiles, which jumps over runs of equal ones."""

from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.compute import block, compute_cycles
from gatewright.dse.closed_form.loads import changed, load_row, waits
from gatewright.dse.closed_form.records import PIXELS_OUTSIDE
from gatewright.dse.closed_form.tiles import axes, interior, span, stored, tiling


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
    at_k, at_n, at_y, at_x = (3, 0, 1, 2) if m.order == PIXELS_OUTSIDE else (0, 1, 2, 3)
    low_y, high_y = interior(m.grid_y, pitch_y, window_y, p.padding, p.H)
    low_x, high_x = interior(m.grid_x, pitch_x, window_x, p.padding, p.W)
    full_words, last_words = stored(p, m.channels, 0), stored(p, last_groups, (tiles_k - 1) * m.channels)
    full_weights, last_weights = reduction * m.channels * p.cols, reduction * (p.K - (tiles_k - 1) * m.channels * p.cols)
    last_loads = 2 if p.K % p.cols and last_groups > 1 else 1
    high_k = tiles_k - 1 if tiles_k * m.channels * p.cols == p.K else tiles_k - 2
    high_n = tiles_n - 1 if tiles_n * m.grid_n == images else tiles_n - 2
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
            groups = last_groups if last else m.channels
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
            used_n = min(m.grid_n, images - n * m.grid_n)
            if y != before_y:
                used_y, length_y, inside_y, end_y = span(y, m.grid_y, m.y, out_h, pitch_y, window_y, padding, height)
            if x != before_x:
                used_x, length_x, inside_x, end_x = span(x, m.grid_x, m.x, out_w, pitch_x, window_x, padding, width)
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
