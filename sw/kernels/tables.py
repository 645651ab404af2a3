"""Sums of tabulated products, compiled: of rows built by steps where there are many sums, by looking each product up where there are few.

The activations of a layer are numbers of a table's rows, in one array; sum m of group g adds the products at m's place plus each of the
group's offsets, so that no matrix of patches is made. Compiled code is kept from run to run, and renewed when this file changes: it may use
nothing of another file, nor be used by compiled code in one.
"""

import numpy as np
from numba import njit

WIDTH = 512  # products of a row built at once: positions times kernels
BLOCK = 1024  # sums whose accumulators stay in a cache together


@njit(
    "void(uint16[::1], int64[::1], int64[:, ::1], int64[:, ::1], uint16[:, :, ::1], int32[:, :, ::1], int64[:, :, ::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def look_up(rows, places, offsets, lanes, weights, tables, sums):
    """Adds to sums [M, groups, K] the products tables[lane, rows[place + offset], weight].

    places: [M]; offsets, lanes: [groups, n]; weights: [groups, n, K], columns of the tables [lanes, rows, columns].
    """
    for m in range(sums.shape[0]):
        for g in range(sums.shape[1]):
            for i in range(offsets.shape[1]):
                row = tables[lanes[g, i], rows[places[m] + offsets[g, i]]]
                for k in range(sums.shape[2]):
                    sums[m, g, k] += row[weights[g, i, k]]


@njit(
    "void(uint16[::1], int64[::1], int64[::1], int64[::1], uint16[:, ::1], int64[:, ::1], int16[:, ::1], int16[::1], int16[::1],"
    " int16[::1], int16[::1], int64, int64[:, ::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def step_up(rows, places, offsets, lanes, weights, first, start, magnitude, sign, level, height, safe, sums):
    """Adds the same products of one group to sums [M, K]: positions in order of their lanes, a row of products from the one before it.

    start: [lanes, columns], the products of row 0. Row r adds height * sign to those whose magnitude is above a step's level, for steps
    first[lane, r - 1] to first[lane, r] - 1; magnitude, sign: [columns]. No `safe` products, four or
    more, exceed 16 bits.
    """
    kernels, number, positions = sums.shape[1], first.shape[1], offsets.shape[0]
    batch = max(4, min(WIDTH // kernels, safe, positions + 3) // 4 * 4)
    width = batch * kernels
    table = np.empty((number, batch, kernels), np.int16)
    flat = table.reshape(number, width)
    magnitudes, signs = np.empty((batch, kernels), np.int16), np.empty((batch, kernels), np.int16)
    of, by = magnitudes.reshape(width), signs.reshape(width)
    place = np.zeros(batch, np.int64)
    partial = np.empty((min(BLOCK, sums.shape[0]), kernels), np.int16)
    for block in range(0, sums.shape[0], BLOCK):
        size = min(BLOCK, sums.shape[0] - block)
        partial[:] = 0
        held, i = 0, 0
        while i < positions:
            lane, count = lanes[i], 0
            while count < batch and i + count < positions and lanes[i + count] == lane:
                place[count] = offsets[i + count]
                for k in range(kernels):
                    column = weights[i + count, k]
                    table[0, count, k] = start[lane, column]
                    magnitudes[count, k], signs[count, k] = magnitude[column], sign[column]
                count += 1
            i += count
            used = (count + 3) // 4 * 4
            for j in range(count, used):  # fills up the last four
                place[j] = place[0]
                for k in range(kernels):
                    table[0, j, k], magnitudes[j, k], signs[j, k] = 0, 0, 0
            for r in range(1, number):
                begin, end = first[lane, r - 1], first[lane, r]
                if begin == end:
                    for j in range(used * kernels):
                        flat[r, j] = flat[r - 1, j]
                else:
                    above, rise = level[begin], height[begin]
                    for j in range(used * kernels):
                        flat[r, j] = flat[r - 1, j] + (np.int16(by[j] * rise) if of[j] > above else np.int16(0))
                for step in range(begin + 1, end):
                    above, rise = level[step], height[step]
                    for j in range(used * kernels):
                        flat[r, j] += np.int16(by[j] * rise) if of[j] > above else np.int16(0)
            if held + used > safe:
                for m in range(size):
                    for k in range(kernels):
                        sums[block + m, k] += partial[m, k]
                        partial[m, k] = 0
                held = 0
            held += used
            for j in range(0, used, 4):
                for m in range(size):
                    here = places[block + m]
                    a, b, c, d = rows[here + place[j]], rows[here + place[j + 1]], rows[here + place[j + 2]], rows[here + place[j + 3]]
                    for k in range(kernels):
                        partial[m, k] += np.int16(table[a, j, k] + table[b, j + 1, k]) + np.int16(table[c, j + 2, k] + table[d, j + 3, k])
        for m in range(size):
            for k in range(kernels):
                sums[block + m, k] += partial[m, k]
