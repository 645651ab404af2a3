"""What goes through the read channel: images with their padding, tables of windows, weights and parameters, instructions."""

from gatewright.dse.closed_form.compiled import compiled
from gatewright.dse.closed_form.tiles import interior, span


@compiled
def load_row(inside, length, words, interval):
    """Cycles to load one row of a tile that holds some of the image: a request, then words; padding costs one cycle a word."""
    return (1 + interval * inside * words if inside else 0) + (length - inside) * words


@compiled
def along(tiles, grid, size, extent, pitch, window, padding, limit, words, interval):
    """Sums over the tiles of an axis: input pixels with padding, input pixels, cycles of a row."""
    lengths, insides, cycles, i = 0, 0, 0, 0
    low, high = interior(grid, pitch, window, padding, limit)
    while i < tiles:
        _, length, inside, _ = span(i, grid, size, extent, pitch, window, padding, limit)
        alike = high - low + 1 if i == low and high > low else 1
        lengths += alike * length
        insides += alike * inside
        cycles += alike * load_row(inside, length, words, interval)
        i += alike
    return lengths, insides, cycles


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
        first_n = m.grid_n
    if tiles_y > 1:
        first_y = m.grid_y
    if tiles_x > 1:
        first_x = m.grid_x
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
def repeats(p, tiles_k, last_groups):
    """Linear loads of all channels once: weights and parameters of every tile, a ragged last column group's weights apart."""
    return 2 * tiles_k + (1 if p.K % p.cols and last_groups > 1 else 0)


@compiled
def first_loads(p, m, tiles_k, last_groups, reduction):
    """Linear loads of the first tile's channels, and their words."""
    groups, weights, loads = m.channels, m.channels * reduction * p.cols, 2
    if tiles_k == 1:
        groups, weights, loads = last_groups, reduction * p.K, repeats(p, 1, last_groups)
    return loads, weights + groups * p.cols * (64 // p.operand_bits)


@compiled
def waits(p, m, reduction, window_y, window_x):
    """Whether loads of weights and of activations wait for the grid: those that fill more than half a buffer."""
    return m.channels * reduction > p.weight_words // 2, p.sources * window_y * window_x * p.words > p.activation_words // 2


@compiled
def instruction_words(p, linear_loads, image_loads, tiles):
    """Memory words of a layer's instructions."""
    words = linear_loads * p.linear_words + p.sources * image_loads * p.image_words + tiles * (p.compute_words + p.store_words)
    return words + (1 if p.raw else 0)  # END
