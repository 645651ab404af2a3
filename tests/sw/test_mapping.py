"""What is said where a layer has no mapping: the keys it names make one legal, by the list of all mappings, and no smaller values do."""

import re

import numpy as np
import pytest

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, xnor
from gatewright.sw.layers import Context, Layer
from gatewright.sw.mapping import mappings, no_mapping

I4, I8, B8 = integer(4), integer(8), binary_weight(8)
I4_READS = Context(I4)
SMALL = AcceleratorConfig(rows=2, cols=2, operand_bits=32, operators=(I4, I8, B8, xnor()), weight_words=64)
DENSE = Layer(name="dense", operator=I4, C=192, K=8)
POOLED = Layer(name="pooled", operator=I8, C=4, K=4, H=4, W=4, pooling="max", pool_window=2, pool_stride=2)


def raised(message: str) -> dict[str, int]:
    """The keys that a message says to raise, or to set."""
    (advice,) = re.findall(r"\. (.*), or choose a smaller layer\.$", message)
    return {key: value == "true" or int(value) for key, value in re.findall(r"(?:raise|set) (\w+) (?:to|=) (\w+)", advice.lower())}


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        (
            DENSE,
            {},
            "one pixel with 4 resident channel groups, 96 weight words a column exceed weight_words 64. Raise weight_words to 128, or",
        ),
        (DENSE, {"activation_words": 16, "weight_words": 128}, "24 words exceeds activation_words 16. Raise activation_words to 32, or"),
        (DENSE, {"activation_words": 16}, "Raise activation_words to 32 and raise weight_words to 128, or"),
        (DENSE, {"parameter_words": 4, "weight_words": 128}, "exceed half of parameter_words 4. Raise parameter_words to 8, or"),
        (POOLED, {"pooling": False}, "the layer pools, but the accelerator has pooling = false. Set pooling = true, or"),
        (DENSE.replace(operator=B8, groups=2), {}, "bw8 has none. No allowed buffer size helps: change the layer, its operator or"),
        (DENSE.replace(C=8 * 32768 + 8), {}, "32769 words exceeds activation_words 256. No allowed buffer size helps"),
    ],
)
def test_the_nearest_mapping_is_named(layer: Layer, change: dict[str, int], message: str) -> None:
    config = SMALL.replace(**change)
    assert not list(mappings(layer, config, 1, I4_READS))
    assert message in no_mapping(layer, config, 1, I4_READS)


def test_the_keys_that_are_named_are_enough_and_needed() -> None:
    rng = np.random.default_rng(7)
    seen = set()
    for _ in range(150):
        sizes = {key: 1 << int(rng.integers(2, 6)) for key in ("activation_words", "weight_words", "output_words", "parameter_words")}
        config = SMALL.replace(cols=1 << int(rng.integers(4)), pooling=bool(rng.integers(2)), **sizes)
        layer = POOLED.replace(C=int(rng.integers(1, 80)), K=int(rng.integers(1, 40)), operator=(I8, I4)[rng.integers(2)])
        if next(mappings(layer, config, 1, I4_READS), None):
            continue
        keys = raised(no_mapping(layer, config, 1, I4_READS))
        seen |= set(keys)
        assert next(mappings(layer, config.replace(**keys), 1, I4_READS), None), (layer, config)
        for key, value in keys.items():
            less = keys | {key: value // 2}
            assert not next(mappings(layer, config.replace(**less), 1, I4_READS), None), (layer, config, key)
    assert seen == {"activation_words", "weight_words", "output_words", "parameter_words", "pooling"}
