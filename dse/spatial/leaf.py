"""The two outermost levels, compiled: for groups of inner mappings that leave the same problem, every split of it and every order.

A group's inner mappings have equal tiles, so what the outer loops do to traffic is computed once for all of them.
"""

import numpy as np
from numba import njit

# Loops by number (DIMS): G 0, N 1, K 2, C 3, P 4, Q 5, R 6, S 7. Tensors: weights 0, inputs 1, outputs 2.
ENERGY, LATENCY, EDP = 0, 1, 2


@njit(cache=True, inline="always")
def _words(g, n, k, c, p, q, r, s, stride, tensor):
    if tensor == 0:
        return g * k * c * r * s
    if tensor == 2:
        return g * n * k * p * q
    return g * n * c * min(p * r, (p - 1) * stride + r) * min(q * s, (q - 1) * stride + s)


@njit(cache=True, nogil=True)
def best(tiles, reused, first, cost, copies, divisors, numbers, sizes, stride, keeps, limit, pj, ports, objective, incumbent):
    """The best whole mapping of each group.

    tiles: [groups, 8] trips inside; reused: [groups, 3]; first: [groups + 1] rows of `cost` [rows, ports + 1, 5] and `copies` [rows].
    divisors: [groups, 8, n] of what is left and may be walked at level 1, `numbers` [groups, 8] of them. keeps: [3] at level 1, `limit` its
    words. pj: read and write of level 0, of level 1. ports: [n, 3] level, writes, words a cycle. Mappings worse than `incumbent` are not
    looked for. Returns [groups, 2] objective and the second criterion, [groups, 4] row, split, order at level 1, at level 0 (row -1: none),
    and how many mappings each group had.
    """
    groups = tiles.shape[0]
    values = np.full((groups, 2), np.inf)
    found = np.full((groups, 4), -1, dtype=np.int64)
    looked = np.zeros(groups, dtype=np.int64)
    products = 1.0
    for size in sizes:
        products *= size
    for group in range(groups):
        tile = tiles[group]
        splits = 1
        for d in range(8):
            splits *= numbers[group, d]
        inner, outer, t = np.ones(8, np.int64), np.ones(8, np.int64), np.ones(8, np.int64)
        sets1, sets0 = np.ones(3, np.int64), np.ones(3, np.int64)
        fetches, arrivals = np.zeros(3), np.zeros(3)
        words = np.zeros(3)
        extra = np.zeros(ports.shape[0])
        trips = 1.0
        for d in range(8):
            trips *= sizes[d] // tile[d]
        best_value, best_second = incumbent, np.inf
        for split in range(splits):
            rest = split
            for d in range(8):
                inner[d] = divisors[group, d, rest % numbers[group, d]]
                rest //= numbers[group, d]
                outer[d] = sizes[d] // tile[d] // inner[d]
                t[d] = tile[d] * inner[d]
            held = 0
            for i in range(3):
                w = _words(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], stride, i)
                words[i] = w
                if keeps[i]:
                    held += w
            if limit > 0 and held > limit:
                continue
            sets1[0], sets1[1], sets1[2] = inner[1] * inner[4] * inner[5], inner[2], inner[3] * inner[6] * inner[7]
            sets0[0], sets0[1], sets0[2] = outer[1] * outer[4] * outer[5], outer[2], outer[3] * outer[6] * outer[7]
            all1, all0 = inner[0] * sets1[0] * sets1[1] * sets1[2], outer[0] * sets0[0] * sets0[1] * sets0[2]
            some1, some0 = sets1[0] * sets1[1] * sets1[2] > 1, sets0[0] * sets0[1] * sets0[2] > 1
            begun = float((all1 // sets1[2]) * (all0 // sets0[2]))
            begun0 = float(all0 // sets0[2])
            for order1 in range(3):
                if (some1 and sets1[order1] == 1) or (not some1 and order1 > 0):
                    continue
                for order0 in range(3):
                    if (some0 and sets0[order0] == 1) or (not some0 and order0 > 0):
                        continue
                    for i in range(3):
                        times, reuse = 1.0, reused[group, i]
                        step = all1 // sets1[i] if reuse and order1 == i else all1
                        times *= step
                        reuse = reuse and step == 1
                        step = all0 // sets0[i] if reuse and order0 == i else all0
                        fetches[i] = times * step
                        arrivals[i] = all0 // sets0[i] if order0 == i else all0
                    energy = 0.0
                    for i in range(2):
                        if keeps[i]:
                            energy += arrivals[i] * words[i] * (pj[0] + pj[3])
                    if keeps[2]:
                        energy += arrivals[2] * words[2] * (pj[1] + pj[2]) + (arrivals[2] - begun0) * words[2] * (pj[0] + pj[3])
                    for j in range(ports.shape[0]):
                        extra[j] = 0.0
                        if ports[j, 0] > 1:
                            continue
                        arriving = ports[j, 0] == ports[j, 1]  # level 0's reads and level 1's writes
                        for i in range(3):
                            if not keeps[i]:
                                continue
                            if i < 2:
                                extra[j] += arrivals[i] * words[i] if arriving else 0.0
                            else:
                                extra[j] += (arrivals[2] - begun0 if arriving else arrivals[2]) * words[2]
                    for row in range(first[group], first[group + 1]):
                        c = cost[row, 0]
                        total = energy + c[0] * trips + c[1] * fetches[0] + c[2] * fetches[1] + c[3] * fetches[2] - c[4] * begun
                        cycles = products / copies[row]
                        for j in range(ports.shape[0]):
                            c = cost[row, j + 1]
                            moved = c[0] * trips + c[1] * fetches[0] + c[2] * fetches[1] + c[3] * fetches[2] - c[4] * begun
                            cycles = max(cycles, (extra[j] + moved) / ports[j, 2])
                        if objective == ENERGY:
                            value, second = total, cycles
                        elif objective == LATENCY:
                            value, second = cycles, total
                        else:
                            value, second = total * cycles, total
                        if value < best_value or (value == best_value and second < best_second):
                            best_value, best_second = value, second
                            values[group, 0], values[group, 1] = value, second
                            found[group, 0], found[group, 1], found[group, 2], found[group, 3] = row, split, order1, order0
                    looked[group] += first[group + 1] - first[group]
    return values, found, looked
