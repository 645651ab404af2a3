"""How the closed forms are compiled, and kept from run to run until one of their files changes.

Numba renews a function it has kept when the function's own file changes, but not when that of a function inside it does. So what all files
of this folder say is part of what a compiled function is found by.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


class FolderCache(FunctionCache):
    """Where Numba keeps a function: as always, but found by the folder's sources too."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), SOURCES)


def compiled(function: Callable[..., Any]) -> Any:
    """A function of this folder, compiled when it is first called or read from disk; it holds no lock, and no divisor of it is zero."""
    dispatcher: Any = njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = FolderCache(function)  # as `cache=True` does
    return dispatcher
