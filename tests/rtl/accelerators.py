"""Accelerators of the whole-network tests that several files share, so that each is built once."""

from gatewright.hw.config import AcceleratorConfig, integer, stochastic, xnor

SMALL = AcceleratorConfig(
    rows=3,
    cols=4,
    operand_bits=32,
    operators=(integer(4), xnor(), stochastic(32, bits=4), stochastic(16, "bipolar", "lfsr", bits=4)),
    accumulator_bits=14,
    accumulator_depth=6,
    activation_words=64,
    weight_words=128,
    output_words=64,
    parameter_words=16,
)
