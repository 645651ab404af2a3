"""The family "onnx": a network from an ONNX file, an architecture's `source`.

In floating point its weights are those that training starts from. A quantised file (QDQ) is the integer network itself: its operators are
those of its codes, `operators` is left out, and nothing is trained.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sw.imports import onnx_graph
from gatewright.sw.imports.network import FloatNetwork
from gatewright.sw.imports.onnx_graph import OnnxNetwork
from gatewright.sw.imports.onnx_integers import integers
from gatewright.sw.imports.zoo import imported_family
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.models.architecture import Architecture

GIVEN = (integer(8),)


def read(a: Architecture) -> FloatNetwork:
    """The float network of an architecture of this family."""
    return _source(a).network


def quantised(a: Architecture) -> IntegerNetwork | None:
    """The integer network of a quantised file, None of any other. Raises BadInput where operators are given for it."""
    source = _source(a)
    if not source.quantised:
        return None
    if a.operators != GIVEN:
        names = ", ".join(operator.name for operator in a.operators)
        raise BadInput(f"{a.source} is quantised and has its own operators: leave operators out, or train its float network; got {names}.")
    found = _integers(a.source, _stamp(a.source), a.channels, a.height, a.width)
    if (classes := found.workload.layers[-1].K) != a.classes:
        raise BadInput(f"{a.source} gives {classes} logits and {a.classes} classes are wanted.")
    return found


def _source(a: Architecture) -> OnnxNetwork:
    return _read(a.source, _stamp(a.source), a.channels, a.height, a.width)


def _stamp(source: str) -> int:
    """When a file was written; a file that is not there is reported by who reads it."""
    path = Path(source)
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=8)
def _read(source: str, stamp: int, channels: int, height: int, width: int) -> OnnxNetwork:
    return onnx_graph.read(source, (channels, height, width))


@lru_cache(maxsize=8)
def _integers(source: str, stamp: int, channels: int, height: int, width: int) -> IntegerNetwork:
    return integers(_read(source, stamp, channels, height, width))


FAMILIES = {"onnx": replace(imported_family(read), operators=GIVEN, integers=quantised)}
