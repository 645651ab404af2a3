"""A design built and proven: its Verilog on test images against the golden model, its gates measured on validation images."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import gatewright
from gatewright.dse.config import Measure
from gatewright.dse.evaluate import Source
from gatewright.dse.prove import Verified, on_rtl, operands, prepare, run_gates, technology
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Design
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim import cache, tools
from gatewright.sim.delivery import PROGRAM, VERILOG
from gatewright.sim.metrics import Metrics
from gatewright.sw.program import Program

TOOLS = ("pyosys", "verilator", "g++")


def prove(design: Design, network: Path, folder: Path, plan: Plan, source: Source) -> Design:
    """The design with what was measured on its gates and what became of its Verilog, which is written to `folder`. Runs in a worker.

    network: its checkpoint. Results are cached by everything they rest on. Raises Mismatch where gates or Verilog compute anything else
    than the golden model, BadInput for a design without circuits.
    """
    if design.config is None:
        raise BadInput(
            f"{design.label} has no accelerator: floating point is measured as a multiply-add unit. Prove a design with circuits."
        )
    program = prepare(network, design.config, design.mappings, plan.images, folder)
    return proven(design, program, folder, plan, source)


def proven(design: Design, program: Program, folder: Path, plan: Plan, source: Source) -> Design:
    """`prove` for the Verilog and the program that lie in `folder`."""
    how = Measure(clock_ns=plan.clock_ns, images=max(1, plan.gates // plan.images), verify_images=plan.verified, probes=0)

    def found() -> dict[str, Any]:
        verified = on_rtl(folder, source, how.verify_images)
        if not verified.passed:
            raise Mismatch(
                f"{design.label}: on the Verilog {verified.mismatches} of {verified.images} test images differ from the golden model, "
                f"in {verified.cycles_simulated} cycles; {verified.cycles_predicted} were predicted. Something changed the Verilog."
            )
        measured = run_gates(folder, source, how)
        return {
            "metrics": measured.metrics.model_dump(mode="json"),
            "cells": measured.netlist.size,
            "verified": verified.model_dump(mode="json"),
        }

    result = cache.value("designs", _key(program, folder, source, how), found)
    return design.replace(
        measured=Metrics(**result["metrics"]).replace(accuracy=design.validation.value),
        cells=result["cells"],
        verified=Verified(**result["verified"]),
    )


def _key(program: Program, folder: Path, source: Source, how: Measure) -> str:
    data = source.load()
    seen = ((data.validation, how.images * program.schedule.images), (data.test(), how.verify_images))
    images = [cache.digest(operands(program, split, number, data.maximum).tobytes()) for split, number in seen]
    return cache.key(
        verilog=cache.digest(folder / VERILOG),
        program=cache.digest(folder / PROGRAM),
        images=images,
        how=how,
        technology=technology(how).hash,
        tools=tools.versions(*TOOLS),
        sources=_sources(),
    )


@lru_cache(maxsize=1)
def _sources() -> tuple[str, ...]:
    """Of everything that simulates and counts."""
    root = Path(gatewright.__file__).parent
    files = (path for folder in ("sim", "sw") for path in (root / folder).rglob("*") if path.suffix in (".py", ".hpp", ".json"))
    return tuple(cache.digest(path) for path in sorted(files))
