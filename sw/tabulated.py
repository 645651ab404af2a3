"""Sums of products that stand in tables, whatever the operator: the exact arithmetic of every operator that is not linear.

A row of a table holds an activation's products with every weight. Tables of counted pulses go from one row to the next by few steps, each
adding `height` to the products of all weights above a `level`. Steps are second differences, found here from the table's numbers alone.
Where they are many, or sums are few, products are looked up one by one. Equal rows are one.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from gatewright.sw.kernels import threads

WORTH = 16  # rows and steps that building takes no longer for than looking up one sum: measured from 8 to 128 kernels
FEW_KERNELS = 4  # below which rows are not worth building
WIDE = 128  # kernels whose rows are built together
LARGE = 1 << 20  # products that are worth a thread
SIXTEEN = (1 << 15) - 1


@dataclass(frozen=True)
class Steps:
    """How rows follow from one another: the last arguments of `step_up`."""

    first: np.ndarray
    start: np.ndarray
    magnitude: np.ndarray
    sign: np.ndarray
    level: np.ndarray
    height: np.ndarray
    safe: int


class Tabulated:
    """Sums of products in tables, int64 [lanes, activations, weights], both operands by their bits.

    rows: the row of each activation among the table's different ones, uint16. steps: None where products are too large for them.
    """

    def __init__(self, tables: np.ndarray) -> None:
        half = tables.shape[1] // 2
        choices = [_steps(tables, *choice) for choice in product({0, half}, _scales(tables))]
        self.rows, kept, steps = min(choices, key=lambda choice: len(choice[2].level))
        self.tables = np.ascontiguousarray(tables[:, kept], dtype=np.int32)
        self.steps = steps if steps.safe >= 4 else None
        self.building = len(kept) + len(steps.level) / len(tables)

    def worth(self, sums: int, kernels: int) -> Steps | None:
        """The steps, where rows are worth building for so many sums of so many kernels."""
        return self.steps if kernels >= FEW_KERNELS and WORTH * sums >= self.building else None

    def sums(self, rows: np.ndarray, places: np.ndarray, offsets: np.ndarray, lanes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Sum m of group g: all products of the activations at places[m] + offsets[g], int64 [M, groups, K].

        rows: any array of activations, each as its row. offsets, lanes: [groups, n]; weights: [groups, K, n], by their bits.
        """
        from gatewright.sw.kernels.tables import look_up  # takes a second, and many who know an operator never compute

        groups, kernels, positions = weights.shape
        result = np.zeros((len(places), groups, kernels), dtype=np.int64)
        flat, columns = rows.reshape(-1), np.ascontiguousarray(weights.transpose(0, 2, 1), dtype=np.uint16)
        workers = max(1, min(threads.limit(), result.size * positions // LARGE))
        steps = self.worth(len(places), kernels)
        if steps is None:
            parts = threads.slices(len(places), workers)
            work = [partial(look_up, flat, places[part], offsets, lanes, columns, self.tables, result[part]) for part in parts]
        else:
            parts = threads.slices(kernels, max(workers, -(-kernels // WIDE)), WIDE // 4)
            alone = [slice(None)] if len(parts) * groups >= workers else threads.slices(len(places), workers)
            work = [
                partial(_step_up, steps, flat, places[some], offsets[g], lanes[g], columns[g, :, part], result[some, g, part])
                for g, part, some in product(range(groups), parts, alone)
            ]
        threads.together(work, workers)
        return result


def _step_up(
    steps: Steps, rows: np.ndarray, places: np.ndarray, offsets: np.ndarray, lanes: np.ndarray, columns: np.ndarray, into: np.ndarray
) -> None:
    """`step_up` into sums that may stand among others."""
    from gatewright.sw.kernels.tables import step_up

    order, sums = np.argsort(lanes, kind="stable"), np.zeros(into.shape, dtype=np.int64)
    tables = (steps.first, steps.start, steps.magnitude, steps.sign, steps.level, steps.height, steps.safe)
    step_up(rows, places, offsets[order], lanes[order], columns[order], *tables, sums)
    into[:] = sums


def _scales(tables: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ways to read a weight's bits as a magnitude and a sign: a sign beside the magnitude, where products are odd in it, or a number."""
    bits, half = np.arange(tables.shape[2]), tables.shape[2] // 2
    if np.array_equal(tables[:, :, half:], -tables[:, :, :half]):
        return [(bits % half, np.where(bits < half, 1, -1))]
    return [(bits, np.ones_like(bits)), (bits ^ half, np.ones_like(bits))]


def _steps(tables: np.ndarray, turn: int, scale: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, Steps]:
    """Each activation's row, an activation of each row, and the steps, if the activations' order is that of their bits XOR `turn`."""
    order = np.arange(tables.shape[1]) ^ turn
    magnitude, sign = scale
    columns = np.argsort(magnitude[sign > 0], kind="stable")  # of the weights that are not negative, in order of their magnitudes
    rises = np.diff(tables[:, order][:, :, columns], axis=1)
    changes = rises.any(axis=(0, 2))
    rows = np.empty(len(order), dtype=np.uint16)
    rows[order] = np.concatenate([[0], np.cumsum(changes)])
    kept = order[np.concatenate([[True], changes])]
    second = np.diff(rises[:, changes], axis=2, prepend=0)
    lane, row, column = np.nonzero(second)
    first = np.searchsorted(lane * len(kept) + row, np.arange(len(tables))[:, None] * len(kept) + np.arange(len(kept)))
    parts = tables[:, kept[0]], magnitude, sign, column - 1, second[lane, row, column]
    start, size, turned, level, height = (np.ascontiguousarray(part, dtype=np.int16) for part in parts)
    return rows, kept, Steps(first, start, size, turned, level, height, SIXTEEN // max(1, int(np.abs(tables).max())))
