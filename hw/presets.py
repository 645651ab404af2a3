"""Configurations to start from."""

from gatewright.hw.config import AcceleratorConfig, integer, xnor

INT8 = AcceleratorConfig(
    rows=16,
    cols=16,
    operators=(integer(8),),
    pipeline_stages=2,
    activation_words=1024,
    weight_words=1024,
    output_words=1024,
)
"""16 x 16 elements of 8 lanes: 2,048 eight-bit products a cycle."""

SPLIT = INT8.replace(operators=(integer(8), integer(4), integer(2), xnor()), split=True)
"""The same with lanes that divide for each layer: 8 int8, 16 int4, 32 int2 or 64 XNOR products an element and cycle."""
