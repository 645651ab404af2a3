"""The FPGA chart of layers: certified least cycles of every shape over the measured clock of the accelerator it runs on.

Energy is left out: neither Yosys nor nextpnr estimates it, and no board's supply was measured.
"""

from collections.abc import Callable
from itertools import product

from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.sim.platforms import fpga
from gatewright.sim.platforms.chart import LAYER_AXES, Chart, Cost, Value
from gatewright.sw.layers import Context

SHAPE = tuple(axis.name for axis in LAYER_AXES)


def layers(accelerators: Chart, note: Callable[[str], None] = lambda text: None) -> Chart:
    """Layers on the largest accelerators of a chart, one image. Raises BadInput for a plan with a layer that has no mapping."""
    rows: list[tuple[Value, ...]] = []
    for board, config in fpga.largest():
        plan, operator, mapper = fpga.PLANS[board], config.operators[0], Mapper(CostModel.default())
        note(f"Scheduling layers in {operator.name} on {board}")
        built = accelerators.at(board=board, operator=operator.name, rows=config.rows, cols=config.cols)
        for shape in product(plan.channels, plan.channels, plan.sizes, fpga.KERNELS):
            cycles = mapper.certify(fpga.layer(operator, *shape), config, Context(operator), "latency").cycles
            rows.append((board, operator.name, *shape, cycles, cycles / built["fmax_mhz"], round(built["luts"])))
    return Chart(
        platform="fpga",
        name="layer",
        title="A convolution on the largest accelerator of each board",
        axes=(*accelerators.axes[:2], *LAYER_AXES),
        costs=(
            Cost(name="cycles", title="cycles of one image, the least of all mappings", origin="from_measured", rises_with=SHAPE),
            Cost(name="latency_us", title="latency of one image, us", origin="from_measured", rises_with=SHAPE),
            Cost(name="luts", title="LUTs of the accelerator", origin="measured"),
        ),
        rows=tuple(rows),
        provenance=accelerators.provenance.replace(
            method="exact cycles (gatewright.sw.cycles, equal to simulation) of the certified fastest mapping, the layer alone, all loads "
            "counted, external memory as declared; over the clock of the accelerator chart"
        ),
    )
