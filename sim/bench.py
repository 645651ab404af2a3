"""Runs cocotb benches on Verilog: the simulator is built once for a design, the tests of a Python module drive it."""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cocotb_tools.runner import VerilatorControlFile, get_runner

from gatewright.hw.errors import Mismatch
from gatewright.sim import cache, tools, verilator

_OPTIONS = ["--no-public-flat-rw", "-Wno-fatal", "-O3"]  # only the top's ports are public: several times faster


@dataclass(frozen=True)
class Results:
    """Names of the tests that ran and of those that failed, and the log. A simulator that ends early leaves no tests."""

    ran: tuple[str, ...]
    failed: tuple[str, ...]
    log: Path


def run(
    verilog: str,
    top: str,
    module: str,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    seed: int = 1,
    quick: bool = False,
) -> list[str]:
    """Run every cocotb test of the importable `module` on `top`, in `folder`; returns their names.

    `environment` is added for the bench, `seed` is cocotb's; `quick` compiles sooner what then runs slower.
    Raises Mismatch naming the tests that failed, with the log's end.
    """
    done = results(verilog, top, module, folder, environment=environment, seed=seed, quick=quick)
    if done.failed or not done.ran:
        raise Mismatch(f"cocotb: {', '.join(done.failed) or 'no test'} of {module} {'failed' if done.failed else 'ran'}: {_end(done.log)}")
    return list(done.ran)


def results(
    verilog: str,
    top: str,
    module: str,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    seed: int = 1,
    quick: bool = False,
) -> Results:
    """The same as `run`, where failures are results."""
    built = cache.folder("cocotb", _key(verilog, top, quick), lambda draft: _build(verilog, top, quick, draft))
    log, report = folder / "test.log", folder / "results.xml"
    report.unlink(missing_ok=True)
    # How the runner reports a failed test (which one stands in the results) and a simulator that gave up, on a loop without registers, say.
    with _environment(), suppress(SystemExit, RuntimeError):
        get_runner("verilator").test(
            test_module=module,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=built / "build",
            test_dir=folder,
            results_xml=str(report),
            log_file=log,
            seed=seed,
            extra_env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | dict(environment or {}),
        )
    cases = ElementTree.parse(report).getroot().findall("testsuite/testcase") if report.exists() else []
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return Results(tuple(case.get("name", "") for case in cases), tuple(case.get("name", "") for case in failed), log)


def _key(verilog: str, top: str, quick: bool) -> str:
    versions = tools.versions("verilator", "g++", "cocotb")
    options = [*_OPTIONS, _public(verilog, top)]
    return cache.key(verilog=verilog, top=top, options=options, quick=quick, tools=versions, processor=tools.processor())


def _public(verilog: str, top: str) -> str:
    """Verilator's control file: what a bench may see are the ports of the top, or all its signals where they are not understood."""
    header = re.search(rf"\bmodule\s+{re.escape(top)}\s*\(([^()]*)\)\s*;", verilog)
    names = re.findall(r"(\w+)\s*(?:,|$)", header[1].strip()) if header else []
    lines = [f'public_flat_rw -module "{top}" -var "{name}"' for name in names or ["*"]]
    return "\n".join(["`verilator_config", *lines, ""])


def _build(verilog: str, top: str, quick: bool, folder: Path) -> None:
    (folder / "design.v").write_text(verilog)
    (folder / "public.vlt").write_text(_public(verilog, top))
    with _environment("-O0" if quick else "-O2"):
        get_runner("verilator").build(
            sources=[str(folder / "design.v"), VerilatorControlFile(folder / "public.vlt")],
            build_args=[*_OPTIONS, *(["--output-split", "0", "-CFLAGS", f"-include {verilator.headers()}"] if quick else [])],
            hdl_toplevel=top,
            build_dir=folder / "build",
            log_file=folder / "build.log",
            always=True,
        )


@contextmanager
def _environment(optimise: str = "-O2") -> Iterator[None]:
    """cocotb's runner looks its tools up in this process's environment: ours for its time."""
    before = dict(os.environ)
    os.environ.update(tools.verilator_environment())
    os.environ["MAKEFLAGS"] += f" OPT_FAST={optimise}"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _end(log: Path) -> str:
    return " ".join(log.read_text().splitlines()[-3:]) if log.exists() else "there is no log."
