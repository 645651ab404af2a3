"""Bits packed in words of 64, compiled: how many of two vectors of bits differ, and what pulses joined by OR count.

As in `tables`, sum m of a group takes what lies at m's place plus each of the group's offsets. Two places are worked on at a time, and four
words, so that what is loaded is used. Compiled code is kept from run to run, and renewed when this file changes: it may use nothing of
another file, nor be used by compiled code in one.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic


def _ones(context, word):
    """How many bits of a word are 1."""
    return types.uint64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


ones: Any = intrinsic(_ones)


@njit("void(int64[:, :, :, ::1], int64, uint64[:, :, :, :, ::1])", cache=True, nogil=True, error_model="numpy")
def pack(bits, padding, words):
    """Bits [N, groups * C, H, W] into words of zeros [N, padded H, padded W, groups, C / 64 rounded up], channel c at bit c."""
    channels, area = bits.shape[1] // words.shape[3], bits.shape[2] * bits.shape[3]
    for n in range(bits.shape[0]):
        for g in range(words.shape[3]):
            if area < 64:  # a kernel's: word by word, else channel by channel
                for y in range(bits.shape[2]):
                    for x in range(bits.shape[3]):
                        for j in range(words.shape[4]):
                            word = np.uint64(0)
                            for b in range(min(64, channels - 64 * j)):
                                word |= np.uint64(bits[n, g * channels + 64 * j + b, y, x]) << np.uint64(b)
                            words[n, y + padding, x + padding, g, j] = word
            else:
                for c in range(channels):
                    for y in range(bits.shape[2]):
                        for x in range(bits.shape[3]):
                            bit = np.uint64(bits[n, g * channels + c, y, x]) << np.uint64(c % 64)
                            words[n, y + padding, x + padding, g, c // 64] |= bit


@njit("void(uint64[::1], int64[::1], int64[:, ::1], uint64[:, :, ::1], int64[:, :, ::1])", cache=True, nogil=True, error_model="numpy")
def differing(words, places, offsets, weights, counts):
    """Adds to counts [M, groups, K] the bits in which words[place + offset] and the weights differ.

    places: [M]; offsets: [groups, n]; weights: [groups, n, K].
    """
    fours, spare = offsets.shape[1] // 4 * 4, np.empty(weights.shape[2], np.int64)
    for m in range(0, counts.shape[0], 2):
        pair = m + 1 < counts.shape[0]
        one, two = places[m], places[m + 1] if pair else places[m]
        for g in range(counts.shape[1]):
            here, there = counts[m, g], counts[m + 1, g] if pair else spare
            for i in range(0, fours, 4):
                o, p, q, r = offsets[g, i], offsets[g, i + 1], offsets[g, i + 2], offsets[g, i + 3]
                a, b, c, d = words[one + o], words[one + p], words[one + q], words[one + r]
                e, f, h, j = words[two + o], words[two + p], words[two + q], words[two + r]
                for k in range(weights.shape[2]):
                    s, t, u, v = weights[g, i, k], weights[g, i + 1, k], weights[g, i + 2, k], weights[g, i + 3, k]
                    first = ones(a ^ s) + ones(b ^ t) + ones(c ^ u) + ones(d ^ v)
                    second = ones(e ^ s) + ones(f ^ t) + ones(h ^ u) + ones(j ^ v)
                    here[k] += np.int64(first)
                    there[k] += np.int64(second)
            for i in range(fours, offsets.shape[1]):
                a, e = words[one + offsets[g, i]], words[two + offsets[g, i]]
                for k in range(weights.shape[2]):
                    first, second = ones(a ^ weights[g, i, k]), ones(e ^ weights[g, i, k])
                    here[k] += np.int64(first)
                    there[k] += np.int64(second)


@njit(
    "void(uint16[::1], int64[::1], int64[:, ::1], int64[:, ::1], uint16[:, :, ::1], uint64[:, :, ::1], uint64[:, :, ::1],"
    " uint64[:, :, ::1], int64[:, ::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def joined(operands, places, offsets, lanes, weights, activations, positive, negative, sums):
    """Adds to sums [M, K] the pulses of positive products joined by OR, less those of negative ones, of each set of positions.

    operands: activations by their bits; offsets, lanes: [sets, n], n a multiple of four; weights: [sets, n, K], by their bits. Streams:
    activations [lanes, operands, words]; of positive and negative weights [lanes, words, operands], the others being silent, and so is that
    of what is left out.
    """
    length, kernels = activations.shape[2], sums.shape[1]
    fours, spare = offsets.shape[1] // 4, np.empty(kernels, np.int64)
    streams = np.empty((fours, length, 8, kernels), np.uint64)  # of each four positions: positive, then negative
    held = np.zeros((4, kernels), np.uint64)
    up, down, up2, down2 = held[0], held[1], held[2], held[3]
    for number in range(offsets.shape[0]):
        for i in range(4 * fours):
            lane = lanes[number, i]
            for j in range(length):
                for k in range(kernels):
                    streams[i // 4, j, i % 4, k] = positive[lane, j, weights[number, i, k]]
                for k in range(kernels):
                    streams[i // 4, j, 4 + i % 4, k] = negative[lane, j, weights[number, i, k]]
        for j in range(length):  # outside, so that its streams stay in a cache
            for m in range(0, sums.shape[0], 2):
                pair = m + 1 < sums.shape[0]
                one, two = operands[places[m] :], operands[places[m + 1] if pair else places[m] :]
                here, there = sums[m], sums[m + 1] if pair else spare
                for four in range(fours):
                    at, lane, w = offsets[number, 4 * four :], lanes[number, 4 * four :], streams[four, j]
                    a, e = activations[lane[0], one[at[0]], j], activations[lane[0], two[at[0]], j]
                    b, f = activations[lane[1], one[at[1]], j], activations[lane[1], two[at[1]], j]
                    c, g = activations[lane[2], one[at[2]], j], activations[lane[2], two[at[2]], j]
                    d, h = activations[lane[3], one[at[3]], j], activations[lane[3], two[at[3]], j]
                    if four + 1 < fours:
                        for k in range(kernels):
                            p, q, r, s, t, u, v, x = w[0, k], w[1, k], w[2, k], w[3, k], w[4, k], w[5, k], w[6, k], w[7, k]
                            up[k] |= (a & p) | (b & q) | (c & r) | (d & s)
                            down[k] |= (a & t) | (b & u) | (c & v) | (d & x)
                            up2[k] |= (e & p) | (f & q) | (g & r) | (h & s)
                            down2[k] |= (e & t) | (f & u) | (g & v) | (h & x)
                    else:
                        for k in range(kernels):
                            p, q, r, s, t, u, v, x = w[0, k], w[1, k], w[2, k], w[3, k], w[4, k], w[5, k], w[6, k], w[7, k]
                            more = ones(up[k] | (a & p) | (b & q) | (c & r) | (d & s))
                            less = ones(down[k] | (a & t) | (b & u) | (c & v) | (d & x))
                            more2 = ones(up2[k] | (e & p) | (f & q) | (g & r) | (h & s))
                            less2 = ones(down2[k] | (e & t) | (f & u) | (g & v) | (h & x))
                            here[k] += np.int64(more) - np.int64(less)
                            there[k] += np.int64(more2) - np.int64(less2)
                if fours > 1:
                    held[:] = np.uint64(0)
