"""How much of the grid works: exact counts of layers that fill it, of depthwise layers, and of loading that overlaps computing."""

import pytest

from gatewright.hw.config import AcceleratorConfig, integer
from gatewright.hw.presets import INT8
from gatewright.sw.counts import count, utilisation
from gatewright.sw.layers import Context, Layer, Workload
from gatewright.sw.mapping import Mapping, mappings
from gatewright.sw.schedule import Schedule, schedule

I8 = integer(8)
DENSE = Layer(name="dense", operator=I8, C=64, K=64, H=32, W=32, R=3, S=3, padding=1)
DEPTHWISE = DENSE.replace(name="depthwise", groups=64)


def one_layer(layer: Layer, config: AcceleratorConfig, mapping: Mapping, images: int) -> Schedule:
    """The layer, and after it one output channel of one pixel, so that the layer's results are requantised and stored."""
    last = Layer(name="last", operator=layer.operator, C=layer.K, K=1, H=layer.out_h, W=layer.out_w, stride=max(layer.out_h, layer.out_w))
    chosen = next(mappings(last, config, images, Context()))
    return schedule(Workload(name="two", layers=(layer, last)), config, (mapping, chosen), images)


def test_a_layer_that_fills_the_grid_keeps_nine_tenths_of_it_busy() -> None:
    made = one_layer(DENSE, INT8, Mapping(grid_y=8, grid_x=2, y=1, x=4, channels=4), 8)
    counts = count(made)[0]
    assert counts.products == counts.slots  # every lane of every element, in every issue
    assert utilisation(made)[0] > 0.9  # weights, loading, draining and storing included


def test_a_depthwise_layer_keeps_half_of_the_grid_busy() -> None:
    """On 8 columns each word has a channel for every column; on 16, for half of them: the other half of the grid waits."""
    config = INT8.replace(rows=8, cols=8)
    made = one_layer(DEPTHWISE, config, Mapping(grid_y=2, grid_x=4, y=4, x=2, channels=8), 1)
    assert utilisation(made)[0] > 0.5
    counts = count(made)[0]
    assert counts.busy == counts.issues * 64
    wide = count(one_layer(DEPTHWISE, INT8, Mapping(grid_y=2, grid_x=8, y=4, x=2, channels=4), 1))[0]
    assert wide.busy * 2 == wide.issues * 256


def test_depthwise_reads_only_its_words() -> None:
    dense, depthwise = (
        count(one_layer(layer, INT8, Mapping(grid_y=2, grid_x=8, y=4, x=2, channels=4), 1))[0] for layer in (DENSE, DEPTHWISE)
    )
    assert depthwise.issues * 4 == dense.issues  # two of eight words


@pytest.mark.parametrize("images", [1, 4])
def test_loading_overlaps_computing(images: int) -> None:
    """What is loaded and stored after the first tile costs no time of its own."""
    counts = count(one_layer(DENSE, INT8, Mapping(grid_y=8, grid_x=2, y=1, x=4, channels=4), images))[0]
    moved = counts.linear_words + counts.image_words + counts.padding_words + counts.instruction_words + counts.stored_words
    assert counts.cycles < counts.issues + moved / 2
