"""A measured accelerator, or one kind of block in it, in a few numbers; and the network it runs where none is named."""

from collections.abc import Mapping
from typing import Any

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sim.measurement import Measurement
from gatewright.sim.metrics import with_memories
from gatewright.sw.models import Architecture, workload

WIDTH = 16  # output channels of every layer of the network that runs where none is named


def network_for(config: AcceleratorConfig, table: Mapping[str, Any] | None) -> Architecture:
    """The network in a file's table, or a convolution with each of the accelerator's operators and the logits with the first."""
    if table is not None:
        return architecture_from(table, channels=1, height=8, width=8)
    operators = (*config.operators, config.operators[0])
    pooled = (0,) if config.pooling else ()
    widths = (WIDTH,) * len(config.operators)
    return Architecture(family="vgg", channels=1, height=8, width=8, widths=widths, operators=operators, pool_after=pooled)


def architecture_from(table: Mapping[str, Any], **otherwise: int) -> Architecture:
    """The network of a file's [network] table, its operators by name; `otherwise` is what holds for keys that the table leaves out."""
    fields = {**otherwise, **table}
    if "operators" in fields:  # else the family's own, if it has any
        if not isinstance(operators := fields["operators"], list):
            raise BadInput(f"[network] operators must be a list of names, such as ['int8', 'xnor']; got {operators!r}.")
        fields["operators"] = tuple(operator_named(entry) if isinstance(entry, str) else entry for entry in operators)
    if isinstance(join := fields.get("join"), str):
        fields["join"] = operator_named(join)
    return Architecture(**fields)


def summary(m: Measurement, kind: str | None = None) -> dict[str, Any]:
    """Area (of one instance, if a kind of block is asked for), leakage, and cycles and logic energy (with glitches, and without)
    per useful product.

    Of a complete accelerator also the memories' area, and the energy with them at half, once and twice their cited cost.
    """
    chosen = {key: part for key, part in m.parts.items() if kind in (None, key.partition(":")[0])}
    instances = 1 if kind is None else max(part.instances for part in chosen.values())
    products = sum(layer.products for layer in workload(m.architecture).layers) * m.images
    cycles = sum(layer.cycles for layer in m.layers)
    causes = [layer.energy[key] for layer in m.layers for key in layer.energy if kind in (None, key.partition(":")[0])]
    leakage = sum(cause[1] for cause in causes)
    logic, glitches = sum(map(sum, causes)) / products, sum(cause[3] for cause in causes) / products
    memories = {"memory_area_um2": m.memory_area_um2, "energy_with_memories_pj_per_op": with_memories(logic, m.memory_pj / products)}
    return {
        "block": kind or "accelerator",
        "instances": instances,
        "area_um2": sum(part.area_um2 for part in chosen.values()) / instances,
        "energy_pj_per_op": logic,
        "zero_delay_pj_per_op": logic - glitches,
        "leakage_nw": leakage / (cycles * m.clock_ns) * 1e6 / instances,
        "cycles_per_op": cycles / products,
        "products": products,
        "cycles": cycles,
    } | (memories if kind is None else {})
