"""The size of what the energies leave out: wires, the clock tree, and what clock gating would save.

    python -m gatewright.sim.left_out

Models (`gatewright.sim.wires`, `gatewright.sim.clock_tree`) on our own netlists and their counted toggles; no other number rests on them.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.hw.element import Element
from gatewright.sim.clock_tree import clock_tree, gated
from gatewright.sim.design import Design
from gatewright.sim.energy_report import EnergyReport
from gatewright.sim.library import energy as energy_of
from gatewright.sim.plan import PROBES
from gatewright.sim.probe import run_probe
from gatewright.sim.technology import EMBEDDED, Technology, technology_named
from gatewright.sim.wires import PLACED, WIRE_FF_PER_UM, Regions, toggles_of


@dataclass(frozen=True)
class LeftOut:
    """One design in one technology; shares of its energy (logic alone, without what is left out) but for `tree_of_clock`."""

    technology: str
    design: str
    cells: int
    flip_flops: int
    wire_um: float  # a mean net, estimate
    wires: float
    wires_bound: float
    clock: float  # what clock pins and flip-flops take of the clock: counted, not left out
    tree: float
    tree_of_clock: float
    gated_each: float  # saved at most with a gate for every flip-flop
    gated_blocks: float  # saved at most with a gate for every block


def left_out(design: str, reports: Sequence[EnergyReport], weights: Sequence[float], technology: Technology) -> LeftOut:
    """Sizes for a netlist that was counted in some runs (layers, say), each standing for `weights` times its cycles."""
    netlist = reports[0].netlist
    regions = Regions(netlist, technology)
    bound = regions.lengths()
    toggles = sum(
        (toggles_of(report, technology) * weight for report, weight in zip(reports, weights, strict=True)), np.zeros(netlist.nets)
    )
    total = sum(report.logic_pj * weight for report, weight in zip(reports, weights, strict=True))
    clock = sum(report.parts["clock"] * weight for report, weight in zip(reports, weights, strict=True))
    cycles = sum(report.cycles * weight for report, weight in zip(reports, weights, strict=True))
    per_um = WIRE_FF_PER_UM[technology.name][0] * 0.5 * technology.library.voltage**2 * 1e-3
    wires = float((toggles * bound).sum()) * per_um
    number = sum(len(cells) for kind, cells in netlist.cells.items() if technology.library.cells[kind].ff is not None)
    made = clock_tree(number, regions.area, technology)
    saved = np.sum([np.multiply(gated(report, technology), weight) for report, weight in zip(reports, weights, strict=True)], axis=0)
    return LeftOut(
        technology=technology.name,
        design=design,
        cells=netlist.size,
        flip_flops=number,
        wire_um=PLACED * float(bound[bound > 0].mean()),
        wires=PLACED * wires / total,
        wires_bound=wires / total,
        clock=clock / total,
        tree=made.energy_pj * cycles / total,
        tree_of_clock=made.energy_pj * cycles / clock,
        gated_each=float(saved[0]) / total,
        gated_blocks=float(saved[1]) / total,
    )


def blocks(technology: Technology, seed: int = 0) -> Iterator[LeftOut]:
    """One processing element of int8, and one of XNOR, with random operands."""
    for operator in (integer(8), xnor()):
        config = AcceleratorConfig(rows=1, cols=1, operators=(operator,))
        design, rng = Design.of(Element(config)), np.random.default_rng(seed)
        stimulus = {name: rng.integers(0, 1 << min(port.width, 62), (64, 64)) for name, port in design.inputs.items()}
        stimulus |= {name: np.ones((64, 64), np.int64) for name in ("valid", "sum_enable", "sum_select") if name in stimulus}
        stimulus |= {"index": np.zeros((64, 64), np.int64), "clear": (rng.random((64, 64)) < 1 / 32).astype(np.int64)}
        yield left_out(f"element {operator.name}", [energy_of(design, stimulus, technology)], [1.0], technology)


def accelerators(technology: Technology, names: Sequence[str] = ("int8", "mixed")) -> Iterator[LeftOut]:
    """Two of the calibration's accelerators, complete, running their networks."""
    for chosen in (probe for probe in PROBES if probe.name in names):
        measured = run_probe(chosen, technology)
        weights = [measured.scale(i) for i in range(len(measured.layers))]
        yield left_out(f"accelerator {chosen.name}", measured.layers, weights, technology)


def table(rows: Sequence[LeftOut]) -> str:
    """As Markdown."""
    lines = [
        "| technology | design | flip-flops | um a net | wires | bound | clock | tree | of the clock | gated, each | gated, blocks |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = (row.wires, row.wires_bound, row.clock, row.tree, row.tree_of_clock, -row.gated_each, -row.gated_blocks)
        cells = " | ".join(f"{share:+.1%}" if i != 2 else f"{share:.1%}" for i, share in enumerate(shares))
        lines.append(f"| {row.technology} | {row.design} | {row.flip_flops} | {row.wire_um:.3g} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """All designs in all embedded technologies."""
    rows = []
    for technology in map(technology_named, EMBEDDED):
        for made in (blocks, accelerators):
            for row in made(technology):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
