"""One component, ours or a user's: found, driven, measured."""

import importlib
import importlib.util
import inspect
import sys
import traceback
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib.wiring import Component
from numpy.typing import NDArray

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.hw.names import accelerator_from, operator_named
from gatewright.hw.noun import Noun
from gatewright.sim.design import Design, Port
from gatewright.sim.energy_analysis import energy
from gatewright.sim.library import Synthesis, run_gates, stimulus_arrays, synthesise
from gatewright.sim.lut_mapping import Family, luts
from gatewright.sim.regress.baseline import Figures
from gatewright.sim.regress.plan import Block, Drive, existing
from gatewright.sim.technology import Technology

Arrays = Mapping[str, NDArray[Any]]
TIMED_STREAMS = 8  # in which glitches are counted


def load(block: Block, folder: Path) -> Design:
    """The component a block names, made with its arguments. Raises BadInput for one that cannot be found or made."""
    make = _find(block.component or "", folder)
    with _blaming(f"{block.component} cannot be made with {block.arguments}"):
        component = make(**{name: _argument(make, name, value) for name, value in block.arguments.items()})
    if not isinstance(component, Component | str):
        raise BadInput(
            f"{block.component} must be an Amaranth component (a wiring.Component, whose ports are known), a function that makes one, "
            "or one that gives Verilog text."
        )
    with _blaming(f"{block.component} cannot be elaborated"):
        return Design.of(component)


@contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Whatever a user's code raises, sys.exit too, is one paragraph with the place where it was raised."""
    try:
        yield
    except GatewrightError:
        raise
    except (Exception, SystemExit) as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInput(f"{what}: {message.rstrip('.')}{_place(error)}.") from error


def _place(error: BaseException) -> str:
    """The innermost frame with a file; frames of this module and of the importer say nothing about the user's."""
    if isinstance(error, SyntaxError):
        return f" at {error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__ and frame.filename[0] != "<"]
    frames = [frame for frame in frames if Path(frame.filename).parent.name != "importlib"]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _find(spec: str, folder: Path) -> Any:
    home, _, name = spec.rpartition(":")
    if not home or not name:
        raise BadInput(f"component must be file.py:Name or package.module:Name; got {spec!r}.")
    with _blaming(f"{home} cannot be imported"):
        if home.endswith(".py"):
            module = _from_file(existing(folder, home))
        else:
            with _importable(folder):
                module = importlib.import_module(home)
    if not callable(getattr(module, name, None)):
        raise BadInput(f"{home} has no class or function {name!r}.")
    return getattr(module, name)


def _from_file(path: Path) -> Any:
    found = importlib.util.spec_from_file_location(f"gatewright_regress_{path.stem}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    with _importable(path.parent):
        found.loader.exec_module(module)
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the file can be imported, as when it is run."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _argument(make: Any, name: str, value: Any) -> Any:
    """Where a noun or a dataclass is wanted, a table of its fields; where an operator is, its name too."""
    parameters = inspect.signature(make, eval_str=True).parameters
    hint = parameters[name].annotation if name in parameters else None
    if hint is Operator and isinstance(value, str):
        return operator_named(value)
    if hint is AcceleratorConfig and isinstance(value, Mapping):
        return accelerator_from({"accelerator": value}, name)
    if isinstance(hint, type) and (issubclass(hint, Noun) or is_dataclass(hint)) and isinstance(value, Mapping):
        return hint(**value)
    return value


def stimulus(design: Design, block: Block, folder: Path, seed: int) -> dict[str, NDArray[Any]]:
    """Integers [cycles, streams] for every input, as the block says. Every input draws numbers of its own."""
    if isinstance(block.stimulus, str):
        given: Mapping[str, Any] = _archive(existing(folder, block.stimulus))
    else:
        given = {name: _values(value, folder) for name, value in block.stimulus.items()}
    if unknown := sorted(set(given) - set(design.inputs)):
        raise BadInput(f"{design.top} has no input {', '.join(unknown)}; its inputs are {', '.join(design.inputs)}.")
    shapes = {values.shape for values in given.values() if isinstance(values, np.ndarray)} or {(block.cycles, block.streams)}
    shape = max(shapes, key=len)
    drawn = {}
    for name, port in design.inputs.items():
        value = given.get(name)
        if value is None or isinstance(value, Drive):
            drawn[name] = _draw(port, value, shape, seed)
        else:
            drawn[name] = value if isinstance(value, np.ndarray) else np.full(shape, value)
    return stimulus_arrays(design, drawn)[0]


def _archive(path: Path) -> dict[str, Any]:
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, AttributeError) as error:
        raise BadInput(f"{path} is not an .npz file of arrays ({error}).") from None


def _values(value: int | str | Drive, folder: Path) -> Any:
    if not isinstance(value, str):
        return value
    path = existing(folder, value)
    try:
        return np.asarray(np.load(path))
    except (ValueError, OSError) as error:
        raise BadInput(f"{path} is not a .npy file ({error}).") from None


def _draw(port: Port, drive: Drive | None, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    rng = np.random.default_rng([seed, zlib.crc32(port.name.encode())])
    if drive is not None and drive.chance is not None:
        if port.width != 1:
            raise BadInput(f"Input {port.name} has {port.width} bits; chance is for inputs of one bit. Give low and high.")
        return (rng.random(shape) < drive.chance).astype(np.int64)
    if drive is not None:
        return rng.integers(drive.low or 0, drive.high or 0, shape, endpoint=True)
    if port.width < 64:
        return rng.integers(0, 1 << port.width, shape)
    limbs = rng.integers(0, 1 << 32, (*shape, -(-port.width // 32))).astype(object)
    return np.asarray(sum(limbs[..., i] << (32 * i) for i in range(limbs.shape[-1])) & ((1 << port.width) - 1))


def measure(
    design: Design, block: Block, driven: dict[str, NDArray[Any]], technology: Technology, clock_ns: float, fpga: Family
) -> Figures:
    """All figures of a component; a latency nobody sees, or a rate without logic, is None."""
    synthesis = synthesise(design, technology, memories=block.memories)
    run = run_gates(synthesis, driven, timed=TIMED_STREAMS)
    report = energy(synthesis.netlist, run.toggles, technology, clock_ns)
    operations = _operations(design, block, driven, run.outputs)
    fmax = synthesis.fmax_mhz_estimate
    return {
        "area_um2": synthesis.area_um2 + synthesis.memory_area_um2,
        "luts": luts(design, fpga).lut4,
        "latency_cycles": _latency(synthesis, block, driven, run.outputs),
        "cycles_per_op": run.toggles.samples / operations,
        "energy_pj_per_op": report.logic_pj / operations,
        "zero_delay_pj_per_op": report.zero_delay_pj / operations,
        "fmax_mhz_estimate": fmax if np.isfinite(fmax) else None,
    }


def _operations(design: Design, block: Block, driven: Arrays, shown: Arrays) -> float:
    if not isinstance(block.operations, str):
        return block.operations * next(iter(driven.values())).size
    ports = {**driven, **shown}
    if block.operations not in ports or design.ports[block.operations].width != 1:
        raise BadInput(f"{design.top}: operations must be a number or a port of one bit; got {block.operations!r}.")
    done = int(ports[block.operations].astype(bool).sum())
    if not done:
        raise BadInput(
            f"{design.top}: {block.operations} was never high under this stimulus, so no operation was done. Drive it otherwise."
        )
    return done


def _latency(synthesis: Synthesis, block: Block, driven: Arrays, shown: Arrays) -> int | None:
    """Cycles from a change of the inputs to the first change of the results: the second half of the stimulus is played backwards."""
    if unknown := [name for name in block.result if name not in shown]:
        raise BadInput(f"{synthesis.netlist.name} has no output {', '.join(unknown)}; its outputs are {', '.join(shown)}.")
    start = len(next(iter(driven.values()))) // 2
    turned = {name: np.concatenate([values[:start], values[: start - 1 : -1]]) for name, values in driven.items()}
    other = run_gates(synthesis, turned).outputs
    differs = [(shown[name] != other[name]).any(axis=1) for name in block.result or shown]
    first = np.flatnonzero(np.any(differs, axis=0)) if differs else np.zeros(0, dtype=np.intp)
    return int(first[0]) - start if first.size else None
