"""Where cycles and words go: every cycle marked one by one, and the input words that gradients reach."""

import random
from itertools import islice

import pytest
import torch

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.hw.instructions import Opcode
from gatewright.sw.counts import count, layer_ends
from gatewright.sw.cycles import START, compute_cycles, load_cycles, timing
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.mapping import mappings
from gatewright.sw.occupancy import occupancy, traffic
from gatewright.sw.schedule import Schedule, schedule

I8, X = integer(8), xnor()
LAYERS = (
    Layer(name="strided", operator=I8, C=3, K=12, H=9, W=8, R=3, S=2, stride=2, padding=1),
    Layer(name="pooled", operator=X, C=12, K=10, H=5, W=5, R=3, S=3, padding=1, pooling="max", pool_window=2, pool_stride=2),
    Layer(name="fc", operator=I8, C=10, K=7, H=2, W=2, R=2, S=2),
)
CONFIG = AcceleratorConfig(rows=2, cols=2, operand_bits=32, operators=(I8, X), activation_words=64, weight_words=64, accumulator_depth=4)


def planned(seed: int) -> Schedule:
    draw = random.Random(seed)
    work = Workload(name="three", layers=LAYERS)
    images = draw.choice((1, 2))
    config = CONFIG.replace(memory_interval=draw.choice((1, 1, 3)), pipeline_stages=draw.choice((0, 1, 2)))
    chosen = [draw.choice(list(islice(mappings(layer, config, images, work.context(i)), 80))) for i, layer in enumerate(LAYERS)]
    return schedule(work, config, tuple(chosen), images)


@pytest.mark.parametrize("seed", range(8))
def test_every_cycle_is_counted_once(seed: int) -> None:
    made = planned(seed)
    times, counts = timing(made), count(made)
    computing, loading, storing = set[int](), set[int](), set[int]()
    for instruction, finished in zip(made.instructions, times.finished, strict=True):
        if instruction.opcode == Opcode.COMPUTE:
            computing |= set(range(finished - START - compute_cycles(instruction, made.config) + 1, finished + 1))
        elif instruction.opcode == Opcode.STORE:
            storing |= set(range(finished - 2 - (instruction.facts["words"] - 1) * made.config.memory_interval, finished + 1))
        elif instruction.opcode != Opcode.END:
            mine = set(range(finished - load_cycles(instruction, made.config) + 1, finished + 1))
            assert not mine & loading  # one load at a time
            loading |= mine
    start = 0
    for end, n, o in zip(layer_ends(made), counts, occupancy(made), strict=True):
        window = set(range(start + 1, end + 1))
        assert (o.cycles, o.issuing) == (n.cycles, n.issues)
        assert o.issuing + o.filling == len(window & computing)
        assert o.hidden == len(window & loading & computing)
        assert o.loading == len(window & loading - computing)
        assert o.storing == len(window & storing - loading - computing)
        assert o.issuing + o.filling + o.loading + o.storing + o.control == o.cycles
        assert min(o.filling, o.control) >= 0
        start = end


def test_some_loading_hides_behind_computing() -> None:
    assert any(layer.hidden for seed in range(8) for layer in occupancy(planned(seed)))


@pytest.mark.parametrize("seed", range(4))
def test_inputs_are_the_pixels_that_gradients_reach(seed: int) -> None:
    made = planned(seed)
    for i, (layer, n, t) in enumerate(zip(LAYERS, count(made), traffic(made), strict=True)):
        pixels = torch.ones(1, 1, layer.H, layer.W, requires_grad=True)
        sums = torch.nn.functional.conv2d(pixels, torch.ones(1, 1, layer.R, layer.S), stride=layer.stride, padding=layer.padding)
        if layer.pooling:
            sums = torch.nn.functional.avg_pool2d(sums, layer.pool_window, layer.pool_stride)
        sums.sum().backward()
        assert pixels.grad is not None
        assert t.inputs == int((pixels.grad > 0).sum()) * made.tiling(i).words * made.images
        assert t.outputs == n.stored_words
        assert t.moved == n.instruction_words + n.linear_words + n.image_words + n.stored_words
        assert t.compulsory <= t.moved
        columns = -(-layer.K // made.config.cols) * made.config.cols  # each has a bias and a scale, used or not
        assert t.constants == layer.K * layer.R * layer.S * made.tiling(i).words + columns * 64 // made.config.operand_bits
