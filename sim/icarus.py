"""Icarus Verilog as a second opinion on timed simulation: the netlist as Verilog with the same delays, every net's transitions compared.

    python -m gatewright.sim.icarus

fetches Icarus where it is not installed (Debian's package, unpacked into the cache; needs no root) and prints the comparison on the
blocks of `gatewright.sim.icarus_blocks`. A cell's output is `assign #(rise, fall) y = f(...)`, with f spelled from the library's own
text. So that all changes of one time are seen together, as in `timed.hpp`, f is computed after `#0`: Verilog leaves the order of events
of one time open, and one input changing before another would take back a pending change and schedule it anew.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput, Missing
from gatewright.sim import cache, tools
from gatewright.sim.delays import delays as library_delays
from gatewright.sim.gates import Delays, simulate
from gatewright.sim.netlist import OPEN, Memory, Netlist, Nets
from gatewright.sim.technology import Technology

PERIOD = 1_000_000  # ps; longer than any netlist takes to settle
_ENTRY = "1"  # of the cache; other contents need another name


@dataclass(frozen=True)
class Agreement:
    """Nets compared, transitions that Icarus counted on them, and the nets on which the simulators differ."""

    nets: int
    transitions: int
    mismatches: tuple[int, ...]


def fetch() -> Path:
    """Icarus from Debian's archive, in the cache. Raises Missing where there is no apt-get, or no way to the archive."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as download:
            for command in (["apt-get", "download", "iverilog"], ["dpkg", "-x", "*.deb", str(folder)]):
                found = [str(path) for path in Path(download).glob("*.deb")]
                words = [word for part in command for word in (found if part == "*.deb" else [part])]
                if not shutil.which(command[0]):
                    raise Missing(f"{command[0]} is not on this machine, so Icarus cannot be fetched. {tools.tool('iverilog').remedy}")
                done = subprocess.run(words, cwd=download, capture_output=True, text=True, check=False, timeout=120)
                if done.returncode:
                    reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
                    raise Missing(f"Icarus cannot be fetched: {' '.join(words[:3])} says {reason}. {tools.tool('iverilog').remedy}")
        shutil.rmtree(folder / "usr" / "share")

    return cache.folder("icarus", _ENTRY, make)


def find() -> tuple[list[str], list[str]]:
    """The commands `iverilog` and `vvp`: those on PATH, or those in the cache. Raises Missing where neither is there."""
    if shutil.which("iverilog") and shutil.which("vvp"):
        return ["iverilog"], ["vvp"]
    if not cache.holds("icarus", _ENTRY):
        raise Missing("Icarus Verilog is not on this machine. Fetch it with: python -m gatewright.sim.icarus")
    entry = cache.location() / "icarus" / _ENTRY
    (library,) = (path.parent for path in entry.rglob("system.vpi"))
    return [str(entry / "usr/bin/iverilog"), f"-B{library}"], [str(entry / "usr/bin/vvp"), f"-M{library}"]


def compare(netlist: Netlist, technology: Technology, stimulus: Mapping[str, NDArray[Any]], delays: Delays | None = None) -> Agreement:
    """Both simulators on integers [cycles, streams] of every input, after one cycle of reset; with `delays` for Icarus alone, if given."""
    own = library_delays(netlist, technology)
    timed = simulate(netlist, technology.library, stimulus, delays=own).toggles.timed
    assert timed is not None
    theirs = transitions(netlist, technology, delays or own, stimulus)
    wrong = np.flatnonzero(timed.toggles != theirs)
    return Agreement(netlist.nets - 2, int(theirs.sum()), tuple(wrong.tolist()))


def transitions(netlist: Netlist, technology: Technology, delays: Delays, stimulus: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Transitions of every net in Icarus, summed over the streams, the cycle of reset left out."""
    compiler, simulator = find()
    streams = next(iter(stimulus.values())).shape[1]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        (at / "bench.v").write_text(verilog(netlist, technology, delays, stimulus))
        _run([*compiler, "-g2005", "-o", "bench.vvp", "bench.v"], at)
        total = np.zeros(netlist.nets, dtype=np.int64)
        for stream in range(streams):
            for number, (name, values) in enumerate(stimulus.items()):
                ones = (1 << len(netlist.inputs[name])) - 1
                (at / f"given{number}.hex").write_text("".join(f"{int(value) & ones:x}\n" for value in values[:, stream]))
            counts = [int(line) for line in _run([*simulator, "-n", "bench.vvp"], at).split()]
            if len(counts) != netlist.nets:
                raise BadInput(f"{netlist.name}: Icarus printed {len(counts)} counts for {netlist.nets} nets.")
            total += counts
    return total


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise BadInput(f"{Path(command[0]).name} failed: {done.stderr[:1000]}")
    return done.stdout


def verilog(netlist: Netlist, technology: Technology, delays: Delays, stimulus: Mapping[str, NDArray[Any]]) -> str:
    """A bench that plays `given<number>.hex` to the netlist's inputs and prints a count for every net."""
    cycles = len(next(iter(stimulus.values())))
    lines = ["`timescale 1ps/1ps", "module bench;", "  reg clk = 0, counting = 0;", f"  integer cycle, i, counts [0:{netlist.nets - 1}];"]
    lines += [f"  wire n{net};" for net in range(2, netlist.nets)]
    lines += [f"  always @(n{net}) if (counting) counts[{net}] = counts[{net}] + 1;" for net in range(2, netlist.nets)]
    lines += _cells(netlist, technology, delays)
    for number, memory in enumerate(netlist.memories):
        lines += _memory(number, memory, delays)
    apply, start = [], []
    for number, (name, nets) in enumerate(netlist.inputs.items()):
        if netlist.clock in nets:
            lines.append(f"  assign n{netlist.clock} = clk;")
            continue
        lines.append(f"  reg [{len(nets) - 1}:0] port{number} = {int(name == 'rst')};")
        lines += [f"  assign n{net} = port{number}[{bit}];" for bit, net in enumerate(nets.tolist())]
        if name in stimulus:
            given = list(stimulus).index(name)
            lines.append(f"  reg [{len(nets) - 1}:0] given{given} [0:{cycles - 1}];")
            start.append(f'$readmemh("given{given}.hex", given{given});')
            apply.append(f"port{number} <= given{given}[cycle];")
        else:
            apply.append(f"port{number} <= 0;")
    lines += [
        "  initial begin",
        *(f"    {text}" for text in start),
        f"    for (i = 0; i < {netlist.nets}; i = i + 1) counts[i] = 0;",
        f"    #{PERIOD - 1} counting = 1; #1;",
        f"    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin",
        "      clk = 1;",
        *(f"      {text}" for text in apply),
        f"      #{PERIOD // 2} clk = 0; #{PERIOD // 2};",
        "    end",
        f'    for (i = 0; i < {netlist.nets}; i = i + 1) $display("%0d", counts[i]);',
        "    $finish;",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _cells(netlist: Netlist, technology: Technology, delays: Delays) -> Iterator[str]:
    for cell in netlist.each_cell():
        kind = technology.library.cells[cell.type]
        pins = {name: _net(cell.pins.get(name, OPEN)) for name in kind.pins}
        if kind.ff is not None:
            state, *inverse = kind.ff.names
            pins |= {state: f"s_{cell.name}", **dict.fromkeys(inverse, f"~s_{cell.name}")}
            yield f"  reg s_{cell.name} = 0;"
            yield f"  always @(posedge clk) s_{cell.name} <= {_function(kind.ff.next_state or '', pins)[0]};"
        for pin in kind.outputs:
            if (net := cell.pins.get(pin.name, OPEN)) == OPEN:
                continue
            text, causes = _function(pin.function or "", pins)
            wait = f"@({' or '.join(causes)});" if causes else "wait (0);"
            yield f"  reg f{net}; always begin #0 f{net} = {text}; {wait} end"
            yield f"  assign #({delays.rise[net]}, {delays.fall[net]}) n{net} = f{net};"


def _function(text: str, pins: Mapping[str, str]) -> tuple[str, list[str]]:
    """A Liberty function in Verilog, and the nets it depends on. Raises BadInput for what needs more than other signs."""
    if "'" in text or ("^" in text and re.search(r"[*&+|]", text)) or re.search(r"[\w)]\s+[\w(!]", text):
        raise BadInput(f"The function {text!r} cannot be spelled in Verilog sign by sign; use a library that writes *, + and ! alone.")
    spelled = text.translate(str.maketrans("*+!", "&|~"))
    names = list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", spelled)))
    nets = [pins[name].removeprefix("~") for name in names]
    spelled = re.sub(r"[A-Za-z_]\w*", lambda match: f"({pins[match[0]]})", spelled)
    return re.sub(r"(?<![\w'])([01])(?![\w'])", r"1'b\1", spelled), [net for net in dict.fromkeys(nets) if "'" not in net]


def _memory(number: int, memory: Memory, delays: Delays) -> Iterator[str]:
    def join(nets: Nets) -> str:
        return "{" + ", ".join(_net(net) for net in reversed(nets.tolist())) + "}"

    word, held, top = f"words{number}", f"held{number}", memory.width - 1
    yield f"  reg [{top}:0] {word} [0:{memory.depth - 1}], {held} = 0;"
    yield f"  initial for (i = 0; i < {memory.depth}; i = i + 1) {word}[i] = 0;"
    yield "  always @(posedge clk) begin"
    yield f"    if ({join(memory.read_enable)}) {held} <= {word}[{join(memory.read_address)}];"
    at, mask = f"{word}[{join(memory.write_address)}]", join(memory.write_enable)
    yield f"    if (|{mask}) {at} <= ({at} & ~{mask}) | ({join(memory.write_data)} & {mask});"
    yield "  end"
    for bit, net in enumerate(memory.read_data.tolist()):
        yield f"  assign #({delays.rise[net]}, {delays.fall[net]}) n{net} = {held}[{bit}];"


def _net(net: int) -> str:
    return {0: "1'b0", 1: "1'b1", OPEN: "1'b0"}.get(net, f"n{net}")


if __name__ == "__main__":
    from gatewright.sim.icarus_blocks import table

    try:
        find()
    except Missing:
        fetch()
    sys.stdout.write(table())
