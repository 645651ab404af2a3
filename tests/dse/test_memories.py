"""On-chip memories in predictions: priced as the technology's own, whatever that is."""

from collections.abc import Iterable

import pytest

from gatewright.dse import memories
from gatewright.dse.cost import CostModel
from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.sim.measurement import load, shipped
from gatewright.sim.memories import Memories, MemoryCost, Ports
from gatewright.sim.technology import EMBEDDED, memories_of
from gatewright.sw.layers import Context, Layer, Workload
from gatewright.sw.mapping import mappings
from gatewright.sw.schedule import Schedule, schedule

CONFIG = AcceleratorConfig(
    rows=2, cols=2, operand_bits=32, operators=(integer(8),), activation_words=64, weight_words=64, output_words=32, parameter_words=16
)


class Flat(Memories):
    """Everything costs a bit's price: area 1, read 2, write 3, idle 5 a word, leakage 7 nW."""

    source = note = "by hand"

    def tilings(self, depth: int, width: int, ports: Ports) -> Iterable[MemoryCost]:
        costs = {"area_um2": depth * width, "read_pj": 2 * width, "write_pj": 3 * width, "idle_pj": 5 * depth, "leakage_nw": 7e6}
        return [MemoryCost(depth=depth, width=width, ports=ports, **costs, access_ns=0, setup_ns=0, macros=("m",))]

    def figures(self) -> list[str]:
        return []


def test_prices_by_hand() -> None:
    """Buffers: weights 64 x 64, activations 2 of 64 x 32, outputs 32 x output_bits, biases 16 x 2 accumulators, scales 16 x 2 of 32 bits;
    7e6 nW for 10 ns are 70 pJ a cycle in each of the six."""
    out, accumulators = CONFIG.output_bits, 2 * CONFIG.accumulator_bits
    scales = next(buffer.width for buffer in memories.buffers(CONFIG) if buffer.name == "scales")
    area = 64 * 64 + 2 * 64 * 32 + 32 * out + 16 * accumulators + 16 * scales
    assert memories.area_um2(CONFIG, Flat()) == area
    layer = {"weights": (10, 1), "activations": (0, 4), "outputs": (0, 0), "biases": (1, 0), "scales": (0, 0)}
    moved = 10 * 2 * 64 + 1 * 3 * 64 + 4 * 3 * 32 + 2 * accumulators
    standing = 100 * (5 * (64 + 2 * 64 + 32 + 16 + 16) + 6 * 70)
    assert memories.energy_pj(CONFIG, layer, 100, 10.0, Flat()) == pytest.approx(moved + standing)


def planned() -> Schedule:
    layer = Layer(name="logits", operator=integer(8), C=16, K=10)
    return schedule(Workload(name="one", layers=(layer,)), CONFIG, (next(iter(mappings(layer, CONFIG, 1, Context()))),), 1)


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_model_prices_its_own_technologys_memories(name: str) -> None:
    """The same measurements under another technology's name: equal logic, that technology's memories."""
    few = [m for m in load(shipped()) if m.name in ("int8", "int8_tall", "int8_wide", "int8_narrow")]
    model = CostModel([m.replace(technology=name) for m in few])
    assert model.memories is memories_of(name)
    assert model.without(0).memories is model.memories
    item = planned()
    metrics = model.predict(item).metrics
    assert metrics.memory_area_um2 == memories.area_um2(CONFIG, memories_of(name))
    assert metrics.energy_pj == pytest.approx(CostModel(few).predict(item).metrics.energy_pj)
    (counts,) = model.predict(item).counts
    (layer,) = memories.accesses(item, (counts,))
    assert metrics.memory_energy_pj == pytest.approx(memories.energy_pj(CONFIG, layer, counts.cycles, 20.0, memories_of(name)))
    assert metrics.with_memories(2.0) == pytest.approx(metrics.energy_pj + 2 * metrics.memory_energy_pj)
