"""Worker processes: their results, and that none outlives a failure."""

import multiprocessing
import os
import time

import pytest

from gatewright.sim.processes import workers


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def test_workers_have_the_threads_asked_for() -> None:
    with workers(1, threads=1) as pool:
        assert pool.submit(_threads).result() == 1
        assert pool.submit(os.getpid).result() != os.getpid()


def test_no_worker_outlives_an_interrupt() -> None:
    """Its work would take an hour."""
    mine: list[multiprocessing.process.BaseProcess] = []
    with pytest.raises(KeyboardInterrupt):
        _interrupted(mine)
    for child in mine:
        child.join(30)
    assert mine
    assert not any(child.is_alive() for child in mine)


def _interrupted(children: list[multiprocessing.process.BaseProcess]) -> None:
    with workers(1) as pool:
        pool.submit(os.getpid).result()
        pool.submit(time.sleep, 3600)
        children += multiprocessing.active_children()
        raise KeyboardInterrupt
