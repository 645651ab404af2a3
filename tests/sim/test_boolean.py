"""Liberty's Boolean functions: precedence, C text, probabilities."""

from itertools import product

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.boolean import expression

FUNCTIONS = {
    "A B + C'": lambda a, b, c: (a & b) | (1 - c),
    "!A&B|C": lambda a, b, c: ((1 - a) & b) | c,
    "A ^ B * C": lambda a, b, c: (a ^ b) & c,  # Liberty binds ^ tighter than and
    "!(A+B)' C": lambda a, b, c: (a | b) & c,
    "(A * !B)|(!A*B) ^ C": lambda a, b, c: (a & (1 - b)) | (((1 - a) & b) ^ c),
    "A''": lambda a, b, c: a,
    "1": lambda a, b, c: 1,
}


@pytest.mark.parametrize("text", FUNCTIONS)
def test_every_row_of_the_truth_table(text):
    function = expression(text)
    for a, b, c in product((0, 1), repeat=3):
        values = {"A": a, "B": b, "C": c}
        assert function.evaluate(values) == FUNCTIONS[text](a, b, c)


@pytest.mark.parametrize("text", FUNCTIONS)
def test_the_c_text_works_on_words(text):
    rng = np.random.default_rng(1)
    words = {name: rng.integers(0, 2**64, 16, dtype=np.uint64) for name in "ABC"}
    ones = np.uint64(2**64 - 1)
    code = expression(text).c({name: f"words['{name}']" for name in "ABC"}).replace("(uint64_t)0", "np.uint64(0)")
    assert np.all(eval(code, {"words": words, "np": np}) == expression(text).evaluate(words, ones))


@pytest.mark.parametrize("text", FUNCTIONS)
def test_probability_is_the_mean_over_independent_pins(text):
    high = {"A": 0.25, "B": 0.5, "C": 0.9}
    mean = 0.0
    for bits in product((0, 1), repeat=3):
        weight = np.prod([high[name] if bit else 1 - high[name] for name, bit in zip("ABC", bits, strict=True)])
        mean += weight * FUNCTIONS[text](*bits)
    assert expression(text).probability(high) == pytest.approx(mean)


def test_sensitivity_is_the_boolean_difference():
    assert expression("A*B").sensitivity("A").probability({"B": 0.3}) == pytest.approx(0.3)
    assert expression("A^B").sensitivity("A").probability({"B": 0.3}) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "A+", "(A", "A)", "A=B", "*A", "A ? B"])
def test_bad_functions_are_refused(text):
    with pytest.raises(BadInput, match="Boolean function"):
        expression(text)
