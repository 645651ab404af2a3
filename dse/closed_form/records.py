"""What compiled code is given: a layer in its place on a configuration, and its mapping, as records of integers.

Limits and latencies come in with the problem, so that they are written down once, where they belong.
"""

import numpy as np

from gatewright.dse.closed_form.compiled import compiled

ORDERS = ("channels_outside", "pixels_outside")
INNERS = ("none", "x", "channels")
PIXELS_OUTSIDE = 1
INNER_X, INNER_CHANNELS = 1, 2

MAPPING = ("grid_n", "grid_y", "grid_x", "y", "x", "channels", "order", "inner")
MAPPED = np.dtype([(name, np.int64) for name in MAPPING])

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


@compiled
def take(m, rows, i):
    """Row i of rows of integers [n, 8] into a mapping."""
    m.grid_n, m.grid_y, m.grid_x, m.y = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
    m.x, m.channels, m.order, m.inner = rows[i, 4], rows[i, 5], rows[i, 6], rows[i, 7]


@compiled
def give(rows, i, m):
    """A mapping into row i of rows of integers [n, 8]."""
    rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3] = m.grid_n, m.grid_y, m.grid_x, m.y
    rows[i, 4], rows[i, 5], rows[i, 6], rows[i, 7] = m.x, m.channels, m.order, m.inner
