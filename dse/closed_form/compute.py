"""One COMPUTE: the words that it reads from the buffers, and the cycles that it takes."""

from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.records import INNER_CHANNELS, INNER_X, PIXELS_OUTSIDE


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
    y, x, order, inner = m.y, m.x, m.order, m.inner
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
def block(p, m, groups, reach_words):
    """Of a COMPUTE of `groups` column groups: blocks, cycles to accumulate one, sums in one."""
    blocks, held = groups * m.y * m.x * p.pool_window**2, 1
    if m.inner == INNER_X:
        blocks, held = groups * m.y, m.x
    elif m.inner == INNER_CHANNELS:
        blocks, held = m.y * m.x, groups
    return blocks, p.kernel_rows * p.S * reach_words * held * p.steps, held


@compiled
def compute_cycles(blocks, cycles, beats, token, post):
    """See `sw.cycles.compute_cycles`. token: from a block's last issue to its first possible beat; post: from a beat to its write."""
    latency, step, jumps = cycles - 1 + token + beats, max(cycles, beats), (blocks - 1) // 2
    return post + latency + (blocks - 1) * step + max(0, jumps * (latency - 2 * step))


@compiled
def computing(p, m, groups, reach_words, rows):
    """Cycles of a COMPUTE of `groups` column groups on `rows` grid rows, from its last word until its engine is free."""
    blocks, cycles, held = block(p, m, groups, reach_words)
    return p.start + compute_cycles(blocks, cycles, held * rows * (4 if p.raw else 1), p.token, p.post)
