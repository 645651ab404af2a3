"""Compiled work on several threads: it holds no lock of the interpreter's."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def limit() -> int:
    """Threads that one piece of work may take: as many as PyTorch's, which the workers of a search set to 1."""
    from torch import get_num_threads  # seconds, where nothing is computed

    return get_num_threads()


def together(tasks: Sequence[Callable[[], None]], threads: int) -> None:
    """Runs the tasks, up to `threads` at a time; they write to places of their own."""
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def slices(size: int, parts: int, least: int = 1) -> list[slice]:
    """A range in at most `parts` nearly equal slices, none shorter than `least` unless the range is."""
    parts = max(1, min(parts, size // least))
    return [slice(size * i // parts, size * (i + 1) // parts) for i in range(parts)]
