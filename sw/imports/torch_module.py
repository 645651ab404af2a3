"""The family "module": a user's `nn.Module`, named `file.py:Name` by an architecture's `source`.

Name is a class or function to call without arguments. The file is Python and is run, with all that it does. Weights that do not depend on
PyTorch's seed, hence were loaded, are those that training starts from. Where all are random it starts as it does for every family.
"""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.network import FloatNetwork
from gatewright.sw.imports.torch_fx import from_module
from gatewright.sw.imports.zoo import imported_family
from gatewright.sw.models.architecture import Architecture

ARGUMENTS = "It is called without arguments: where it needs some, write a function without arguments that returns the module, and name it."


def load_module(source: str, seed: int = 0) -> nn.Module:
    """The module that `file.py:Name` gives under PyTorch's `seed`. Raises BadInput where there is none; the file is run."""
    file, _, name = source.rpartition(":")
    path = Path(file)
    if not file or not name.isidentifier() or path.suffix != ".py":
        raise BadInput(f"module must be 'file.py:Name', a file and a class or function in it that gives an nn.Module; got {source!r}.")
    if not path.is_file():
        raise BadInput(f"{file} is not there; module = {source!r} names a Python file, seen from the folder the command runs in.")
    with torch.random.fork_rng(devices=[]), _beside(path):
        torch.manual_seed(seed)
        made = _run(path, name)
    if not isinstance(made, nn.Module):
        raise BadInput(f"{source}: {name} must give an nn.Module; got {type(made).__name__}.")
    return made


def _run(path: Path, name: str) -> object:
    spec = importlib.util.spec_from_file_location(f"gatewright_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    file = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(file)
        if not hasattr(file, name):
            raise BadInput(f"{path} has no {name}; it has {', '.join(_candidates(vars(file))) or 'no class or function of its own'}.")
        made = getattr(file, name)
        return made() if callable(made) and not isinstance(made, nn.Module) else made
    except BadInput:
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.absolute()]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
        where, remedy = ("", f" {ARGUMENTS}") if line is None else (f", line {line}", "")
        raise BadInput(f"{path}:{name} could not be made{where}: {type(error).__name__}: {error}.{remedy}") from None


def _candidates(names: dict[str, object]) -> list[str]:
    own = names.get("__name__")
    return [name for name, thing in names.items() if callable(thing) and getattr(thing, "__module__", None) == own and name[0] != "_"]


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Modules in the file's folder can be imported while it runs."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def read(a: Architecture) -> FloatNetwork:
    """The float network of an architecture of this family."""
    file = Path(a.source.rpartition(":")[0])
    stamp = file.stat().st_mtime_ns if file.is_file() else 0
    return _read(a.source, stamp, a.channels, a.height, a.width)


@lru_cache(maxsize=8)
def _read(source: str, stamp: int, channels: int, height: int, width: int) -> FloatNetwork:
    found, again = (from_module(load_module(source, seed), channels, height, width, source) for seed in (0, 1))
    pairs = zip(found.operator_steps, again.operator_steps, strict=True)
    return replace(found, trained=any(torch.equal(one.weight, other.weight) for one, other in pairs))


FAMILIES = {"module": imported_family(read)}
