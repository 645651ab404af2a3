"""The full calibration plan: small accelerators that between them hold every kind of block at several sizes, then drawn ones."""

from collections.abc import Mapping
from typing import Any

from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.sim.calibration import Plan
from gatewright.sim.drawn import drawn
from gatewright.sim.probe import Probe
from gatewright.sw.models import Architecture

I8, I4, I2, I48 = integer(8), integer(4), integer(2), integer(4, 8)
X, B8, B4 = xnor(), binary_weight(8), binary_weight(4)
L1, MFNET = multiplication_free("l1", signed=True), multiplication_free("mfnet", zero_sign=0)
L16, MFNET4 = multiplication_free("l1", 6), multiplication_free("mfnet", 4, signed=True)
S12, S46 = shift(exponents=12), shift(4, 6, signed=True)
I8S, I56S = integer(8, signed=True), integer(5, 6, signed=True)
SM, SM32, SM6 = stochastic(64), stochastic(32, source="lfsr"), stochastic(32, bits=6)
SM4, SML = stochastic(16, bits=4), stochastic(128, source="lfsr")
COUNTER, COUNTER_BP = stochastic(64, source="counter"), stochastic(128, "bipolar", "counter")
OR, MUX = stochastic(64, source="lfsr", sharing=1, adder="or"), stochastic(128, "bipolar", adder="mux")
MUX_SM, APPROXIMATE = stochastic(64, source="counter", adder="mux"), stochastic(64, source="counter", adder="approximate")
SHARED = stochastic(64, sharing=2)
BP, BPS, BP4 = stochastic(128, "bipolar", "lfsr"), stochastic(64, "bipolar"), stochastic(32, "bipolar", "sobol", 4)


def vgg(widths: tuple[int, ...], *operators: Operator, pool_after: tuple[int, ...] = (0,), pooling: str = "max") -> Architecture:
    """A small convolutional network for the digits; one operator stands for all layers."""
    chosen = operators if len(operators) > 1 else operators * (len(widths) + 1)
    fields: dict[str, Any] = {"family": "vgg", "channels": 1, "height": 8, "width": 8, "widths": widths, "operators": chosen}
    return Architecture(**fields, pool_after=pool_after, pooling=pooling)


def mlp(widths: tuple[int, ...], *operators: Operator) -> Architecture:
    """A small fully connected network for the digits."""
    chosen = operators if len(operators) > 1 else operators * (len(widths) + 1)
    return Architecture(family="mlp", channels=1, height=8, width=8, widths=widths, operators=chosen)


def probe(name: str, rows: int, cols: int, network: Architecture, accelerator: Mapping[str, Any] | None = None, **other: Any) -> Probe:
    """A probe whose accelerator has exactly the network's operators, unless `accelerator` says otherwise."""
    fields = {"rows": rows, "cols": cols, "operators": tuple(dict.fromkeys(network.operators)), **(accelerator or {})}
    return Probe(name=name, config=AcceleratorConfig(**fields), architecture=network, **other)


NARROW = {"operand_bits": 32}

PROBES = (
    probe("int8", 2, 2, vgg((8, 12), I8)),
    probe("int8_tall", 4, 2, vgg((8, 16), I8), {"accumulator_depth": 4, "accumulator_bits": 28}, images=2),
    probe("int8_wide", 2, 4, vgg((12, 16), I8, pool_after=(0, 1)), {"activation_words": 128, "weight_words": 512}),
    probe("int8_narrow", 3, 4, vgg((8, 8), I8), NARROW | {"accumulator_depth": 8, "output_words": 128}, mapping="drawn", seed=1),
    probe("int8_flat", 2, 2, vgg((6, 10), I8, pool_after=()), {"pooling": False, "pipeline_stages": 0, "accumulator_depth": 4}),
    probe("int8_slow", 1, 4, mlp((24,), I8), NARROW | {"memory_interval": 3}),
    probe("int8_large", 4, 4, vgg((16, 16), I8), {"accumulator_depth": 4}),
    probe("int4", 2, 4, vgg((12, 12), I4), {"accumulator_bits": 20}),
    probe("int4_tall", 4, 2, vgg((16, 16), I4, pooling="average"), NARROW | {"accumulator_bits": 20, "accumulator_depth": 4}, images=2),
    probe("int48", 2, 2, vgg((8, 12), I48), {"pipeline_stages": 0, "accumulator_bits": 22}, mapping="drawn", seed=2),
    probe("int2", 2, 4, vgg((16, 24), I8, I2, I2), {"accumulator_bits": 24, "accumulator_depth": 8}),
    probe("int6_int3", 2, 2, vgg((8, 12), integer(6), integer(3), integer(5, 6))),
    probe("int84_int28", 2, 2, vgg((8, 12, 12), integer(8, 4), integer(2, 8), integer(3, 4), integer(7, 5)), {"accumulator_bits": 26}),
    probe("signed", 2, 2, vgg((8, 12, 8), I8S, integer(4, signed=True), binary_weight(8, signed=True), I8)),
    probe("signed_narrow", 2, 2, vgg((8, 12), I8S, I56S, I4), NARROW),
    probe("bw8", 2, 2, vgg((8, 16), B8), {"accumulator_bits": 20}),
    probe("bw8_wide", 1, 8, vgg((16, 16), B8), NARROW | {"accumulator_bits": 24, "accumulator_depth": 4}),
    probe("bw4_bw2", 4, 2, vgg((16, 16, 12), B8, B4, binary_weight(2), B4), {"accumulator_bits": 20}),
    probe("bw2_bw6", 2, 2, vgg((8, 12, 8), binary_weight(3), binary_weight(2), binary_weight(6), B4), {"accumulator_bits": 22}),
    probe("xnor", 2, 4, vgg((32, 32), I8, X, X), {"accumulator_bits": 20, "weight_words": 128}),
    probe("xnor_only", 4, 2, vgg((16, 32), X), {"accumulator_bits": 16, "accumulator_depth": 4, "activation_words": 64}),
    probe(
        "xnor_large", 4, 4, vgg((32, 32), B8, X, X, pool_after=(0, 1)), NARROW | {"accumulator_bits": 20, "accumulator_depth": 8}, images=2
    ),
    probe(
        "xnor_deep",
        2,
        2,
        mlp((64, 32), X),
        {"accumulator_bits": 14, "accumulator_depth": 16, "pooling": False, "weight_words": 4096, "parameter_words": 64},
    ),
    probe("sm64", 2, 2, vgg((8, 8), SM), {"accumulator_bits": 20}),
    probe("sm64_wide", 2, 4, vgg((8, 8), SM), NARROW | {"accumulator_depth": 4}, mapping="drawn", seed=3),
    probe("sm32_lfsr", 4, 2, vgg((8, 12), SM32), {"accumulator_bits": 20, "pipeline_stages": 0}),
    probe("sm_bits", 2, 2, vgg((8, 12, 12), SML, SM6, SM4, stochastic(64, bits=7)), {"accumulator_bits": 22}),
    probe("bp128", 2, 2, vgg((8, 8), BP), {"accumulator_bits": 24}),
    probe("bp64_tall", 4, 4, vgg((8, 12), BPS), NARROW | {"accumulator_bits": 24}),
    probe("bp4_xnor", 2, 2, vgg((8, 16, 12), BPS, BP4, X, BP4), {"accumulator_bits": 22, "accumulator_depth": 4}),
    probe("shift", 2, 2, vgg((8, 12), shift(), S46, S12), {"accumulator_bits": 30}),
    probe("shift_narrow", 2, 4, vgg((8, 8), shift(4)), NARROW | {"accumulator_bits": 28, "accumulator_depth": 4}),
    probe("mf", 2, 2, vgg((8, 12, 12), L1, MFNET, L16, MFNET), {"accumulator_bits": 24}),
    probe("mf_narrow", 2, 4, vgg((8, 8), MFNET, L1, MFNET), NARROW | {"accumulator_bits": 22}),
    probe("shift_tall", 4, 2, vgg((8, 12, 8), shift(4), shift(), S46, S12), {"accumulator_bits": 30}),
    probe("shift_deep", 2, 2, vgg((12, 8), shift(), L1, shift(4)), {"accumulator_bits": 28, "pipeline_stages": 2}),
    probe("mf_tall", 4, 2, vgg((12, 12, 8), MFNET, L1, MFNET4, L1), {"accumulator_bits": 22}),
    probe("counter", 2, 2, vgg((8, 12, 8), COUNTER, SHARED, COUNTER_BP, COUNTER), {"accumulator_bits": 24}),
    probe("counter_narrow", 2, 4, vgg((8, 8), SHARED, COUNTER, COUNTER_BP), NARROW | {"accumulator_bits": 24, "accumulator_depth": 4}),
    probe("adders", 2, 2, vgg((8, 12, 8), APPROXIMATE, OR, MUX, MUX_SM), {"accumulator_bits": 24}),
    probe("adders_narrow", 4, 2, vgg((8, 12, 8), OR, APPROXIMATE, MUX_SM, MUX), NARROW | {"accumulator_bits": 24}),
    probe("split", 2, 2, vgg((8, 16, 12), I8, X, I4, I8), {"split": True}),
    probe("split_narrow", 4, 2, vgg((12, 12, 16), I8, B8, I2, X), NARROW | {"split": True, "accumulator_bits": 22}),
    probe("split_deep", 2, 4, vgg((8, 16), I4, X, I4), {"split": True, "pipeline_stages": 2, "accumulator_depth": 4}),
    probe("streams_deep", 2, 2, vgg((8, 12, 8), SM, BPS, SML, SM), {"accumulator_bits": 24, "pipeline_stages": 2}),
    probe("int_rest", 4, 2, vgg((12, 16, 8), integer(6), integer(4, signed=True), I56S, integer(3))),
    probe("shift_flat", 2, 4, vgg((12, 8, 8), S12, shift(), shift(4), S46), {"accumulator_bits": 30, "pipeline_stages": 0}),
    probe("shift_mixed", 4, 2, vgg((8, 12, 8), S46, S12, shift(), shift(4)), NARROW | {"accumulator_bits": 30}),
    probe("mf_flat", 2, 2, vgg((8, 12, 8), L1, L16, MFNET, MFNET4), {"accumulator_bits": 24, "pipeline_stages": 0}),
    probe("mf_deep", 2, 4, vgg((8, 8, 12), MFNET4, L16, L1, MFNET), {"accumulator_bits": 24, "pipeline_stages": 2}),
    probe("int_small", 2, 2, vgg((12, 16, 12), I2, integer(3), integer(2, 8), I4), {"accumulator_bits": 22}),
    probe("int_flat", 4, 2, vgg((8, 12, 8), integer(3), I2, integer(8, 4), integer(7, 5)), NARROW | {"pipeline_stages": 0}),
    probe("int_pairs", 2, 4, vgg((8, 12, 8), integer(2, 8), integer(8, 4), integer(7, 5), integer(3, 4)), {"accumulator_bits": 26}),
    probe("signed_deep", 2, 4, vgg((8, 12, 8), I56S, integer(4, signed=True), integer(6), I8S), {"pipeline_stages": 2}),
    probe("bw_flat", 2, 4, vgg((8, 12, 12), binary_weight(2), binary_weight(3), B4, binary_weight(6)), {"pipeline_stages": 0}),
    probe("split_four", 2, 2, vgg((8, 16, 16), I8, I4, I2, X), {"split": True}),
    probe("split_flat", 4, 2, vgg((8, 16, 12), I8, B8, X, I4), {"split": True, "pipeline_stages": 0}),
    probe("split_small", 2, 4, vgg((8, 12, 8), I4, I2, X, I4), NARROW | {"split": True, "accumulator_bits": 20}),
    probe("adders_flat", 2, 2, vgg((8, 12, 8), MUX, MUX_SM, APPROXIMATE, OR), {"accumulator_bits": 24, "pipeline_stages": 0}),
    probe("sm_small", 2, 4, vgg((8, 12, 8), SM6, SM4, stochastic(64, bits=7), SHARED), NARROW | {"accumulator_bits": 24}),
    probe("bp_mixed", 4, 2, vgg((8, 12), BP4, BP, COUNTER_BP), {"accumulator_bits": 24}),
    probe("int8_deep", 2, 2, vgg((8, 12), I8), {"pipeline_stages": 2}),
    probe("mixed_deep", 2, 4, vgg((8, 16, 8), I8, X, B8, I4), {"pipeline_stages": 2, "accumulator_depth": 4}),
    probe("mixed", 2, 2, vgg((8, 16, 12, 8), I8, X, B8, SM, I4)),
    probe("mixed_large", 4, 4, vgg((12, 16), I8, X, I8), {"accumulator_depth": 4, "output_words": 512}),
    probe("mixed_narrow", 4, 2, vgg((8, 12, 8), I4, B8, SM32, I8), NARROW | {"accumulator_depth": 4}, images=2),
    probe("mixed_idle", 2, 4, vgg((8, 12), I4), {"operators": (I8, I4, X, B8, BPS), "memory_interval": 2}),
    probe("grid8", 8, 4, vgg((16, 32), I8, X, X), NARROW | {"accumulator_depth": 4}, images=2),
    probe("grid8_wide", 4, 8, vgg((16, 32), B8, X, I4), {"accumulator_bits": 20, "accumulator_depth": 2}),
    probe(
        "small_buffers",
        2,
        2,
        vgg((8, 12), I8, pool_after=(0, 1)),
        {"activation_words": 64, "weight_words": 64, "output_words": 32, "parameter_words": 16},
    ),
    probe(
        "large_buffers",
        2,
        2,
        vgg((8, 12), I8),
        {"activation_words": 2048, "weight_words": 4096, "output_words": 1024, "parameter_words": 128},
    ),
)

SHORT = tuple(stochastic(length, source="counter", sharing=1) for length in (8, 16, 32))  # what SC-NAS chooses, in drawn probes only
SHORT_4 = stochastic(8, bits=4, source="counter", sharing=1)
OPERATORS = (*dict.fromkeys(operator for probe in PROBES for operator in probe.config.operators), *SHORT, SHORT_4)
DRAWN = drawn(OPERATORS, 90, seed=4)

FULL = Plan(probes=(*PROBES, *DRAWN))
