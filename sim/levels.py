"""In which order the cells of a netlist are evaluated: by level, and within a level cells of one kind side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput
from gatewright.sim.netlist import OPEN, Nets

Longs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Combinational cells that one kernel evaluates: row i of `inputs` and `outputs` is cell i (OPEN outputs allowed)."""

    kernel: int
    inputs: Nets
    outputs: Nets


def levels(batches: Sequence[Batch], nets: int) -> NDArray[np.int32]:
    """The level of every cell, batches one after another: 0 for cells that no other cell feeds, else one above the highest that does.

    Raises BadInput where cells feed themselves in a loop.
    """
    sizes = [len(batch.inputs) for batch in batches]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    total = int(starts[-1])
    driven = np.zeros(nets, dtype=np.bool_)
    for batch in batches:
        driven[batch.outputs[batch.outputs != OPEN]] = True
    waits = np.concatenate([driven[batch.inputs].sum(axis=1) for batch in batches] or [np.zeros(0)]).astype(np.int32)

    first, readers = _adjacency(batches, starts, nets, outputs=False)
    out_first, drives = _adjacency(batches, starts, nets, outputs=True)
    level = np.full(total, -1, dtype=np.int32)
    front, number = np.flatnonzero(waits == 0), 0
    while len(front):
        level[front] = number
        outputs = _gather(out_first, drives, front)
        cells, times = np.unique(_gather(first, readers, outputs), return_counts=True)
        waits[cells] -= times.astype(np.int32)
        front, number = cells[waits[cells] == 0], number + 1
    if (level < 0).any():
        loops = int((level < 0).sum())
        raise BadInput(f"{loops} of {total} cells feed themselves in a loop without a flip-flop. Break the loop in the design.")
    return level


def _adjacency(batches: Sequence[Batch], starts: Longs, nets: int, outputs: bool) -> tuple[Longs, Longs]:
    """Net to the cells that read it, or (`outputs`) cell to the nets it drives: item i is `values[first[i]:first[i + 1]]`."""
    cells, pins = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start, batch in zip(starts, batches, strict=False):
        array = batch.outputs if outputs else batch.inputs
        rows = np.repeat(np.arange(start, start + len(array)), array.shape[1])
        flat = array.ravel().astype(np.int64)
        cells.append(rows[flat != OPEN])
        pins.append(flat[flat != OPEN])
    cell, pin = np.concatenate(cells), np.concatenate(pins)
    keys, values = (cell, pin) if outputs else (pin, cell)
    count = int(starts[-1]) if outputs else nets
    order = np.argsort(keys, kind="stable")
    return np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))]), values[order]


def _gather(first: Longs, values: Longs, items: Longs) -> Longs:
    """The values of all `items`, one after another."""
    counts = first[items + 1] - first[items]
    ends = np.cumsum(counts)
    if not len(ends):
        return np.zeros(0, np.int64)
    within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    return values[np.repeat(first[items], counts) + within]


RUN = np.dtype([("kernel", np.int32), ("count", np.int32), ("first", np.int64)])


def schedule(batches: Sequence[Batch], level: NDArray[np.int32], start: int = 0) -> tuple[NDArray[np.void], Nets]:
    """Runs (kernel, count, first) in a legal order, and the table of nets they index: per cell its inputs, then its outputs.

    `first` counts from `start`, where the caller puts this table in a longer one.
    """
    parts, kernels, firsts, counts, depths = [], [], [], [], []
    row = 0
    for batch in batches:
        own = level[row : row + len(batch.inputs)]
        row += len(own)
        order = np.argsort(own, kind="stable")
        table = np.hstack([batch.inputs, batch.outputs])[order]
        depth, first, count = np.unique(own[order], return_index=True, return_counts=True)
        parts.append(table.ravel())
        kernels.append(np.full(len(depth), batch.kernel))
        firsts.append(start + first * table.shape[1])
        counts.append(count)
        depths.append(depth)
        start += table.size
    runs = np.zeros(sum(map(len, kernels)), dtype=RUN)
    if not len(runs):
        return runs, np.zeros(0, np.int32)
    runs["kernel"], runs["first"], runs["count"] = np.concatenate(kernels), np.concatenate(firsts), np.concatenate(counts)
    return runs[np.lexsort((runs["kernel"], np.concatenate(depths)))], np.concatenate(parts)
