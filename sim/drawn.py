"""Accelerators drawn at random for calibration: every operator again and again, in other company, on other grids, with other networks.

A plan made by hand tells families apart; drawn ones beside it keep the fit from leaning on what the hand chose alike.
"""

import random
from collections.abc import Iterator, Sequence

from gatewright.hw.config import AcceleratorConfig, Operator
from gatewright.sim.probe import Probe
from gatewright.sw.models import Architecture

GRIDS = ((1, 4), (2, 2), (2, 4), (4, 2), (4, 4), (2, 8), (8, 2), (4, 8), (8, 4), (8, 8))
STAGES = 3  # numbers of pipeline stages
WIDTHS = (8, 12, 16, 20, 24)  # output channels
POOLED = ((0,), (1,), (0, 1))  # convolutions before a pooling
DEEP = 8  # rows that one image of the digits does not fill
WEIGHTS = 1024  # words, enough for every layer drawn
WIDE, ACCUMULATORS = 32, (26, 28, 30)  # bits: for sums of shifted products and of streams, and for others
LONG_SUMS = ("shift", "stochastic", "multiplication_free")


def drawn(operators: Sequence[Operator], number: int, seed: int) -> tuple[Probe, ...]:
    """`number` probes with two or three of the operators each; each operator comes about as often as any other."""
    rng = random.Random(seed)
    deck = _deal(operators, rng)
    return tuple(_probe(i, deck, rng) for i in range(number))


def _deal(operators: Sequence[Operator], rng: random.Random) -> Iterator[Operator]:
    """The operators in a random order, over and over."""
    while True:
        yield from rng.sample(operators, len(operators))


def _probe(i: int, deck: Iterator[Operator], rng: random.Random) -> Probe:
    hand: list[Operator] = []
    while len(hand) < 2 + i % 2:
        if (operator := next(deck)) not in hand:
            hand.append(operator)
    (rows, cols), layers = GRIDS[i % len(GRIDS)], rng.choice((3, 4))
    chosen = hand + rng.choices(hand, k=layers - len(hand))
    rng.shuffle(chosen)
    config = AcceleratorConfig(
        rows=rows,
        cols=cols,
        operators=tuple(hand),
        operand_bits=rng.choice((32, 64)),
        pipeline_stages=i // len(GRIDS) % STAGES,
        accumulator_depth=rng.choice((2, 4, 8)),
        accumulator_bits=WIDE if any(operator.kind in LONG_SUMS for operator in hand) else rng.choice(ACCUMULATORS),
        weight_words=WEIGHTS,
    )
    network = Architecture(
        family="vgg",
        channels=1,
        height=8,
        width=8,
        widths=tuple(rng.choices(WIDTHS, k=layers - 1)),
        operators=tuple(chosen),
        pool_after=rng.choice(POOLED),
    )
    return Probe(name=f"drawn{i}", config=config, architecture=network, images=4 if rows == DEEP else rng.choice((1, 2, 4)), seed=i)
