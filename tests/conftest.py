"""Every test run starts from nothing: an empty cache that all workers share, removed at the end."""

import os
import shutil
import tempfile

import pytest

OWNED = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """In the first process only; xdist's workers inherit its environment. GATEWRIGHT_TEST_CACHE=FOLDER keeps a cache between runs."""
    if hasattr(config, "workerinput"):
        return
    kept = os.environ.get("GATEWRIGHT_TEST_CACHE")
    if not kept:
        config.stash[OWNED] = tempfile.mkdtemp(prefix="gatewright-tests-")
    os.environ["GATEWRIGHT_CACHE"] = kept or config.stash[OWNED]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many processes as cores already; and sums in one order


def pytest_unconfigure(config: pytest.Config) -> None:
    if OWNED in config.stash:
        shutil.rmtree(config.stash[OWNED], ignore_errors=True)
