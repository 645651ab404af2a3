"""The nouns: frozen, hashable, validated, JSON round-trip, one content hash in every process; messages are pinned."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from gatewright.hw import config
from gatewright.hw.config import AcceleratorConfig, Operator, binary_weight, integer, multiplication_free, shift, stochastic, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.layers import Layer, Workload

SMALL = AcceleratorConfig(rows=2, cols=4, operators=(integer(8), xnor(), stochastic(64)))
CONV = Layer(name="conv", operator=integer(4, 8), C=3, K=8, H=8, W=8, R=3, S=3, padding=1, pooling="max", pool_window=2, pool_stride=2)
DENSE = Layer(name="dense", operator=integer(8), C=8, K=10, H=4, W=4, R=4, S=4)
NETWORK = Workload(name="tiny", layers=(CONV, DENSE))
NOUNS: list[Noun] = [
    integer(8),
    integer(2, 3, signed=True),
    binary_weight(),
    xnor(),
    stochastic(256, "bipolar", "lfsr", 6),
    shift(4, 4, exponents=6, signed=True),
    multiplication_free("mfnet", 4, 8, zero_sign=0),
    SMALL,
    CONV,
    NETWORK,
]
named = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: f"{type(noun).__name__}-{getattr(noun, 'name', '')}")


@named
def test_round_trip(noun: Noun) -> None:
    again = type(noun).from_json(noun.to_json())
    assert again == noun
    assert hash(again) == hash(noun)
    assert again.content_hash == noun.content_hash
    assert type(noun).from_json(noun.to_json(indent=2)) == noun


@named
def test_frozen(noun: Noun) -> None:
    field = next(iter(type(noun).model_fields))
    with pytest.raises(ValueError, match="frozen"):
        setattr(noun, field, getattr(noun, field))


@named
def test_replace_with_nothing_is_equal(noun: Noun) -> None:
    assert noun.replace() == noun


def test_replace_is_validated() -> None:
    assert SMALL.replace(rows=8).rows == 8
    assert SMALL.rows == 2
    assert SMALL.replace(rows=8).content_hash != SMALL.content_hash
    with pytest.raises(BadInput, match="AcceleratorConfig: rows: Input should be less than or equal to 64 \\(got 65\\)"):
        SMALL.replace(rows=65)
    with pytest.raises(BadInput, match="AcceleratorConfig: row: is not a known key"):
        SMALL.replace(row=4)


def test_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Operator("int", 8, 8)  # type: ignore[call-arg, misc]


def test_the_content_hash_is_equal_in_another_process() -> None:
    script = "import sys; from gatewright.sw.layers import *; from gatewright.hw.config import *\n" + "".join(
        f"print({type(noun).__name__}.from_json({noun.to_json()!r}).content_hash)\n" for noun in NOUNS
    )
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [noun.content_hash for noun in NOUNS]


def test_content_hashes_differ() -> None:
    assert len({noun.content_hash for noun in NOUNS}) == len(NOUNS)
    assert {len(noun.content_hash) for noun in NOUNS} == {16}


def operator(**changes: object) -> Callable[[], Operator]:
    return lambda: Operator(**({"kind": "int", "weight_bits": 8, "activation_bits": 8} | changes))  # type: ignore[arg-type]


def layer(**changes: object) -> Callable[[], Layer]:
    return lambda: Layer(**({"name": "a", "operator": integer(8), "C": 3, "K": 4, "H": 8, "W": 8} | changes))  # type: ignore[arg-type]


def accelerator(**changes: object) -> Callable[[], AcceleratorConfig]:
    return lambda: AcceleratorConfig(**({"rows": 2, "cols": 4, "operators": (integer(8),)} | changes))  # type: ignore[arg-type]


def workload(*layers: Layer) -> Callable[[], Workload]:
    return lambda: Workload(name="tiny", layers=layers)


WRONG: list[tuple[Callable[[], Noun], str]] = [
    (operator(bits=3), "Operator: bits: is not a known key; check its spelling."),
    (operator(weight_bits=9), "Operator: int takes weights and activations of 2 to 8 bits; for one bit use xnor or binary_weight."),
    (operator(weight_bits=0), "Operator: weight_bits: Input should be greater than or equal to 1 (got 0)."),
    (operator(weight_bits=1), "Operator: int takes weights and activations of 2 to 8 bits; for one bit use xnor or binary_weight."),
    (
        operator(kind="log"),
        "Operator: kind must be one of binary_weight, float, int, multiplication_free, shift, stochastic, xnor; got 'log'.",
    ),
    (operator(kind="xnor"), "Operator: xnor has weight_bits = activation_bits = 1, unsigned."),
    (operator(kind="stochastic"), "Operator: kind 'stochastic' needs stream_length, coding, source."),
    (operator(stream_length=8), "Operator: stream_length cannot be given with kind 'int'."),
    (lambda: Operator(kind="int", weight_bits=8), "Operator: activation_bits: Field required."),  # type: ignore[call-arg]
    (lambda: stochastic(100), "Operator: stream_length must be a multiple of the lane width 8, up to 4096; got 100."),
    (lambda: stochastic(64, bits=2), "Operator: stochastic takes weights and activations of 3 to 8 bits."),
    (lambda: stochastic(64).replace(coding="bipolar"), "Operator: bipolar activations are signed, sign_magnitude activations unsigned."),
    (accelerator(rows=0), "AcceleratorConfig: rows: Input should be greater than or equal to 1 (got 0)."),
    (accelerator(cols=3), "AcceleratorConfig: cols must be a power of two, so that outputs pack into words; got 3."),
    (accelerator(operand_bits=48), "AcceleratorConfig: operand_bits: Input should be 32 or 64 (got 48)."),
    (accelerator(operators=()), "AcceleratorConfig: operators: Tuple should have at least 1 item after validation, not 0 (got ())."),
    (accelerator(operators=(xnor(), xnor())), "AcceleratorConfig: operators must differ from each other."),
    (accelerator(weight_words=100), "AcceleratorConfig: weight_words must be a power of two; got 100."),
    (
        accelerator(accumulator_depth=3),
        "AcceleratorConfig: accumulator_depth must be even: one half drains while the other accumulates; got 3.",
    ),
    (
        accelerator(rows="many", speed=3),
        (
            "AcceleratorConfig: rows: Input should be a valid integer, unable to parse string as an integer (got 'many'); "
            "speed: is not a known key; check its spelling."
        ),
    ),
    (layer(C=0), "Layer: C: Input should be greater than or equal to 1 (got 0)."),
    (layer(R=9, S=3), "Layer: kernel 9 x 3 is larger than the image 8 x 8 with padding 0."),
    (layer(R=3, S=3, padding=3), "Layer: padding must be less than the kernel (R 3, S 3); got 3."),
    (layer(pool_window=2), "Layer: pool_window and pool_stride need pooling: 'max' or 'average'."),
    (layer(pooling="max", pool_window=9), "Layer: pool_window 9 is larger than the convolution's output 8 x 8."),
    (layer(H=16, W=16, pooling="max", pool_window=9), "Layer: a pooling window holds at most 64 samples; got 9 x 9."),
    (workload(), "Workload: layers: Tuple should have at least 1 item after validation, not 0 (got ())."),
    (workload(CONV, DENSE.replace(C=7)), "Workload: layer dense takes (C, H, W) = (7, 4, 4), but layer conv before it gives (8, 4, 4)."),
    (workload(DENSE, DENSE.replace(C=10, H=1, W=1, R=1, S=1)), "Workload: layer names must differ."),
    (
        lambda: Operator.from_json(""),
        "Operator: the text is not JSON (Expecting value: line 1 column 1 (char 0)).",
    ),
    (lambda: Operator.from_json("[8]"), "Operator: expected a JSON object, got list."),
]


@pytest.mark.parametrize(("build", "message"), WRONG, ids=range(len(WRONG)))
def test_a_broken_rule_names_rule_value_and_what_is_legal(build: Callable[[], Noun], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        build()
    assert str(caught.value) == message


def test_names_of_operators_differ() -> None:
    bits = range(2, 9)
    operators = [integer(w, a, signed=s) for w in bits for a in bits for s in (False, True)]
    operators += [binary_weight(a, signed=s) for a in bits for s in (False, True)] + [xnor()]
    operators += [
        stochastic(n, c, s, b) for n in (64, 256) for c in ("bipolar", "sign_magnitude") for s in ("lfsr", "sobol") for b in (4, 8)
    ]
    operators += [shift(w, a, exponents=e, signed=s) for w in (4, 5) for a in bits for e in (5, 8) for s in (False, True)]
    operators += [
        multiplication_free(v, w, a, signed=s, zero_sign=z)  # type: ignore[arg-type]
        for v in ("l1", "mfnet")
        for w in (4, 8)
        for a in bits
        for s in (False, True)
        for z in (0, 1)
    ]
    assert len({op.name for op in operators}) == len(set(operators)) == len(operators)
    assert [op.name for op in (integer(8), integer(4, 8), xnor(), stochastic(64, "bipolar"))] == [
        "int8",
        "int4x8",
        "xnor",
        "sc_bipolar_sobol64_8",
    ]


@pytest.mark.parametrize(("bits", "lane"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8)])
def test_lanes(bits: int, lane: int) -> None:
    assert config.container(bits) == lane
    op = xnor() if bits == 1 else integer(bits)
    assert op.width == lane
    assert SMALL.lanes(op) == 64 // lane
    assert SMALL.lanes(integer(2, 8)) == 8


def test_ranges_and_steps() -> None:
    assert integer(8).activation_range == (0, 255)
    assert integer(8, signed=True).activation_range == (-128, 127)
    assert xnor().activation_range == (0, 1)
    assert (integer(8).steps, stochastic(256).steps) == (1, 32)


def test_layer_geometry() -> None:
    assert (CONV.P, CONV.Q, CONV.out_h, CONV.out_w) == (8, 8, 4, 4)
    assert CONV.products == 8 * 3 * 9 * 64
    assert (DENSE.P, DENSE.Q, DENSE.products) == (1, 1, 8 * 16 * 10)
    strided = CONV.replace(stride=2, pooling=None, pool_window=1, pool_stride=1)
    assert (strided.P, strided.out_w) == (4, 4)
