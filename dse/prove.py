"""The winner proven: its Verilog on test images against the golden model, its gates measured, the prediction beside the measurement."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from pathlib import Path

import numpy as np

from gatewright.dse.check import probe_check
from gatewright.dse.config import Measure
from gatewright.dse.evaluate import Pricing, Source, mapper, moved
from gatewright.dse.finalists import Finalist
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.noun import Noun
from gatewright.sim.accelerator import Measured, measure
from gatewright.sim.delivery import PROGRAM, VERILOG, deliver
from gatewright.sim.metrics import Metrics
from gatewright.sim.network import TOP
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology, from_liberty, technology_named
from gatewright.sim.verification import verify
from gatewright.sw import checkpoint
from gatewright.sw.data import Split, encode
from gatewright.sw.mapping import Mapping
from gatewright.sw.program import Program, lower


class Verified(Noun):
    """Test images on the generated RTL: `mismatches` counts images with any logit that differs from the golden model's."""

    images: int
    mismatches: int
    cycles_predicted: int
    cycles_simulated: tuple[int, ...]

    @property
    def passed(self) -> bool:
        return self.mismatches == 0 and self.cycles_simulated == (self.cycles_predicted,)


class Layer(Noun):
    """One layer of the winner: what it is, and its energy per image in pJ by kind of block, predicted and measured."""

    name: str
    operator: str
    shape: str
    products: int
    cycles: int
    counted: int
    predicted: dict[str, float]
    measured: dict[str, float]


class Checked(Noun):
    """A block that was measured on this machine, beside the model: all instances' area in um2, energy in pJ per run of the program."""

    part: str
    area_um2: float
    predicted_um2: float
    energy_pj: float
    predicted_pj: float


class Proof(Noun):
    """What was found out about the winner. `predicted` and `measured` are per image.

    `streams` batches of `images` images ran on the gates side by side. `calibrated_on`: how many accelerators the model was fitted to;
    `calibrated_here`: this one among them. `area`: um2 by kind of block, predicted and measured. `checks`: the last is a whole accelerator.
    """

    verified: Verified
    predicted: Metrics
    measured: Metrics
    layers: tuple[Layer, ...]
    area: dict[str, tuple[float, float]]
    checks: tuple[Checked, ...] = ()
    technology: str
    memories: str
    model_technology: str
    calibrated_on: int
    calibrated_here: bool
    streams: int
    images: int
    cells: int

    @property
    def errors(self) -> dict[str, float]:
        """Signed relative errors of the prediction."""
        names = ("energy_pj", "area_um2", "cycles", "latency_ns")
        return {name: getattr(self.predicted, name) / getattr(self.measured, name) - 1 for name in names}


def prepare(network: Path, config: AcceleratorConfig, mappings: tuple[Mapping, ...], images: int, folder: Path) -> Program:
    """Lower a trained network and write program, Verilog and memory image to `folder`; a run classifies `images`."""
    program = lower(checkpoint.load(network).export(), config, mappings, images)
    deliver(folder, config, program)
    return program


def on_rtl(folder: Path, source: Source, images: int) -> Verified:
    """Simulate the Verilog in `folder` with its program on test images. Runs in a worker."""
    program, data = Program.load(folder / PROGRAM), source.load()
    codes = operands(program, data.test(), images, data.maximum)
    result = verify(program, codes, verilog=(folder / VERILOG).read_text())
    return Verified(
        images=result.images,
        mismatches=result.mismatches,
        cycles_predicted=result.cycles_predicted,
        cycles_simulated=result.cycles_simulated,
    )


def run_gates(folder: Path, source: Source, how: Measure) -> Measured:
    """Synthesise the Verilog in `folder` and run its program with validation images on the gates, `how.images` batches side by side.

    Raises Mismatch if a gate's result differs from the golden model's, or a cycle from the prediction.
    """
    program, data, process = Program.load(folder / PROGRAM), source.load(), technology(how)
    images = program.schedule.images
    streams = max(1, min(how.images, len(data.validation) // images))
    codes = operands(program, data.validation, streams * images, data.maximum)
    netlist = synthesise((folder / VERILOG).read_text(), TOP, process.liberty_files())
    return measure(program, codes, process, how.clock_ns, netlist)


def on_gates(folder: Path, finalist: Finalist, pricing: Pricing, source: Source, how: Measure) -> Proof:
    """Synthesise the Verilog in `folder` and run validation images on its gates, all compared with the golden model. Runs in a worker.

    The proof lacks the verification on RTL. Raises Mismatch if a gate's result or a cycle differs.
    """
    measured = run_gates(folder, source, how)
    program, streams, process, planner = measured.program, measured.streams, measured.technology, mapper(pricing)
    predicted = planner.predict(program.schedule, moved(program.network, finalist.config, source.load()))
    layers = []
    for i, layer in enumerate(program.schedule.workload.layers):
        layers.append(
            Layer(
                name=layer.name,
                operator=layer.operator.name,
                shape=f"{layer.C} x {layer.H} x {layer.W} to {layer.K} x {layer.out_h} x {layer.out_w}",
                products=layer.products,
                cycles=measured.layer_cycles[i],
                counted=round(measured.layers[i].cycles / streams),
                predicted=predicted.layers[i],
                measured={kind: pj / pricing.images for kind, pj in measured.by_block()[i].items()},
            )
        )
    area = {kind: (predicted.area.get(kind, 0.0), um2) for kind, (_, um2) in measured.area_by_block().items()}
    return Proof(
        verified=Verified(images=0, mismatches=0, cycles_predicted=0, cycles_simulated=()),
        predicted=predicted.metrics.replace(accuracy=finalist.validation.value),
        measured=measured.metrics,
        layers=tuple(layers),
        area=area,
        technology=process.name,
        memories=process.memories_note,
        model_technology=planner.model.technology,
        calibrated_on=len(planner.model.samples),
        calibrated_here=any(item.config == program.config for item in planner.model.samples),
        streams=streams,
        images=pricing.images,
        cells=measured.netlist.size,
    )


def check_model(network: Path, config: AcceleratorConfig, pricing: Pricing, source: Source, how: Measure, seed: int) -> tuple[Checked, ...]:
    """Blocks of a small accelerator measured on this machine, with the trained network's operands, beside the model. Runs in a worker.

    Nothing where the winner is measured in a technology that the model is not of.
    """
    model, process = mapper(pricing).model, technology(how)
    if process.name != model.technology:
        return ()
    if source.folder:
        os.environ["GATEWRIGHT_DATA"] = source.folder
    rows = probe_check(model, checkpoint.load(network), config, process, how.probes, seed)
    return tuple(
        Checked(
            part=row.part,
            area_um2=row.area_um2,
            predicted_um2=row.predicted_um2,
            energy_pj=row.energy_pj,
            predicted_pj=row.predicted_pj,
        )
        for row in rows
    )


def prove(
    pool: Executor,
    folder: Path,
    network: Path,
    finalist: Finalist,
    roomy: AcceleratorConfig,
    pricing: Pricing,
    source: Source,
    how: Measure,
    progress: Callable[[], None],
) -> Proof:
    """The cost model checked, the RTL verified and the gates measured, side by side.

    roomy: the winner's accelerator with large buffers, for a small grid to check the model on.
    """
    checks = pool.submit(check_model, network, roomy, pricing, source, how, finalist.recipe.seed) if how.probes else None
    rtl = pool.submit(on_rtl, folder, source, how.verify_images)
    gates = pool.submit(on_gates, folder, finalist, pricing, source, how)
    for job in as_completed([job for job in (checks, rtl, gates) if job is not None]):
        job.result()
        progress()
    return gates.result().replace(verified=rtl.result(), checks=checks.result() if checks else ())


def technology(how: Measure) -> Technology:
    """The embedded technology named, or that of some Liberty files."""
    return from_liberty(*how.liberty) if how.liberty else technology_named(how.technology)


def operands(program: Program, split: Split, images: int, maximum: int) -> np.ndarray:
    """The first images of a split as the program's first layer reads them, [images, C, H, W]."""
    return encode(program.network.layers[0].layer.operator, split.images[:images], maximum)
