"""Measures the laws of `gatewright.sw.stochastic.laws` by playing streams, at every degree of sharing.

`python -m gatewright.sw.stochastic.measure` prints the tables of docs/stochastic.md; with a file's path it rewrites them there.
Errors are root mean squares over trials with fresh values and seeds; the same command gives the same numbers.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gatewright.hw.config import Source, stochastic
from gatewright.hw.stochastic.sharing import ALL_LANES, Rotation, Sharing
from gatewright.sw.operators import arithmetic
from gatewright.sw.stochastic import activate, add, laws, multiply
from gatewright.sw.stochastic.streams import generate

BITS = 16  # of registers and values: a stream is a small part of a register's period
HOLDS = (0.8, 1.25)  # measured / law
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"
StreamCoding = Literal["bipolar", "sign_magnitude", "unipolar"]
CODINGS: tuple[StreamCoding, ...] = ("bipolar", "sign_magnitude", "unipolar")
How = Literal["random numbers", "own registers", "one register, rotated", "one register, 17 cycles apart"]
STANH_SOURCES: tuple[Source | Literal["random numbers"], ...] = ("random numbers", "lfsr", "sobol", "counter")
HOW: tuple[How, ...] = ("random numbers", "own registers", "one register, rotated", "one register, 17 cycles apart")


@dataclass(frozen=True)
class Row:
    """One line of a table: what the law says and what was measured."""

    block: str
    streams: str
    sharing: int
    law: float
    measured: float

    @property
    def ratio(self) -> float:
        return self.measured / self.law

    @property
    def holds(self) -> bool:
        return HOLDS[0] <= self.ratio <= HOLDS[1]

    def text(self) -> str:
        verdict = "holds" if self.holds else "fails"
        return f"| {self.block} | {self.streams} | {self.sharing} | {self.law:.4f} | {self.measured:.4f} | {self.ratio:.2f} | {verdict} |"


def row_of_streams(how: How, inputs: int, sharing: int, trial: int, side: int) -> Sharing:
    """Who compares with what: `sharing` neighbours with the same numbers, the groups with other registers or views of one."""
    groups = -(-inputs // sharing)
    views = {"own registers": 1, "one register, rotated": min(groups, BITS)}.get(how, groups)
    sense = (1, -1)[side]  # turned alike, both sides' streams would be shifted together, and count alike
    turns = tuple(Rotation(sense * turn % BITS if how == "one register, rotated" else 0) for turn in range(views))
    phase = 17 if how == "one register, 17 cycles apart" and side == 0 else 0
    return Sharing("lfsr", BITS, inputs, sharing, turns, phase, first=(2 * trial + side) * 131)


def products(how: How, inputs: int, sharing: int, length: int, trial: int, *, bipolar: bool) -> tuple[np.ndarray, np.ndarray]:
    """Products' values float64 [N] and streams bool [N, L], of values uniform over their range."""
    rng = np.random.default_rng((trial, inputs, bipolar))
    operands, streams = [], []
    for side in (0, 1):
        values = rng.integers(0, 1 << BITS, inputs)
        operands.append(2 * values / (1 << BITS) - 1 if bipolar else values / (1 << BITS))
        if how == "random numbers":
            drawn = rng.integers(0, 1 << BITS, (-(-inputs // sharing), length))
            streams.append(values[:, None] > np.repeat(drawn, sharing, axis=0)[:inputs])
        else:
            streams.append(generate(values, row_of_streams(how, inputs, sharing, trial, side), length))
    return operands[0] * operands[1], (multiply.bipolar if bipolar else multiply.unipolar)(*streams)


def rms(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def sums(how: How, sharing: int, trials: int, inputs: int = 64, length: int = 256) -> Iterator[Row]:
    """The exact counter and the multiplexer on the same products."""
    exact, expected, expected_mux = [], [], []
    mux: list[float] = []
    shared: list[float] = []
    for trial in range(trials):
        values, streams = products(how, inputs, sharing, length, trial, bipolar=True)
        total = values.sum()
        exact.append(2 * streams.mean(axis=1).sum() - inputs - total)
        for found, numbers in (
            (mux, row_of_streams("own registers", 1, 1, trial + trials, 1)),
            (shared, _first(how, inputs, sharing, trial)),
        ):
            select = np.array(numbers.levels(0, length)) >> BITS - (inputs - 1).bit_length()
            found.append(inputs * (2 * add.mux(streams, select).mean() - 1) - total)
        expected.append(laws.counter_std(values, length))
        expected_mux.append(laws.mux_std(total, inputs, length))
    yield Row("counter, error of s", how, sharing, rms(expected), rms(exact))
    yield Row("multiplexer, error of s", how, sharing, rms(expected_mux), rms(mux))
    if how != "random numbers":
        yield Row("multiplexer selected by the products' own register, error of s", how, sharing, rms(expected_mux), rms(shared))


def _first(how: How, inputs: int, sharing: int, trial: int) -> Sharing:
    """The activations' first register, alone."""
    return Sharing("lfsr", BITS, 1, first=row_of_streams(how, inputs, sharing, trial, 0).first)


def saturation(how: How, sharing: int, trials: int, inputs: int = 8, length: int = 4096) -> Iterator[Row]:
    """OR: the mean over trials of the law and of the measured value."""
    law, measured = [], []
    for trial in range(trials):
        values, streams = products(how, inputs, sharing, length, trial, bipolar=False)
        law.append(laws.saturating_sum(values))
        measured.append(add.saturating(streams).mean())
    yield Row("OR, value", how, sharing, float(np.mean(law)), float(np.mean(measured)))


def slope(law: list[float], measured: list[float]) -> float:
    """The factor of the law that fits best."""
    return float(np.dot(law, measured) / np.dot(law, law))


def btanh(how: How, sharing: int, trials: int, inputs: int = 25, length: int = 2048) -> Iterator[Row]:
    """Btanh of counted products, K = 2 N: mean magnitude of tanh(s), and of it as measured (the law's fitted factor times it)."""
    law, measured = [], []
    for trial in range(trials):
        values, streams = products(how, inputs, sharing, length, trial, bipolar=True)
        law.append(float(laws.btanh(values.sum(), 2 * inputs, inputs)))
        measured.append(2 * activate.tanh(add.count(streams), 2 * inputs, inputs).mean() - 1)
    size = float(np.mean(np.abs(law)))
    yield Row("Btanh(2N), value", how, sharing, size, size * slope(law, measured))


def stanh(source: Source | Literal["random numbers"], states: int, length: int = 4096) -> Iterator[Row]:
    """Stanh of one stream, over values of the whole range."""
    values = np.linspace(0, (1 << 12) - 1, 81).astype(np.int64)
    if source == "random numbers":
        stream = np.random.default_rng(states).integers(0, 1 << 12, (len(values), length)) < values[:, None]
    else:
        stream = generate(values[:, None], Sharing(source, 12, 1, length=length if source == "counter" else 0), length)[:, 0]
    law = laws.stanh(2 * values / (1 << 12) - 1, states)
    measured = 2 * activate.tanh(stream, states).mean(axis=-1) - 1
    size = float(np.mean(np.abs(law)))
    yield Row(f"Stanh({states}), value", source, 1, size, size * slope(list(law), list(measured)))


def conditional(length: int, sharing: int, trials: int, coding: StreamCoding, inputs: int = 25) -> Iterator[Row]:
    """How many times less a sum of conditional products of Sobol streams errs than one of random products of the same values."""
    bits, bipolar = 10, coding == "bipolar"
    random: list[float] = []
    sobol: list[float] = []
    for trial in range(trials):
        rng = np.random.default_rng((trial, length, len(coding)))
        a, w = (rng.integers(0, 1 << bits, inputs) for _ in range(2))
        signs = rng.choice([-1, 1], inputs) if coding == "sign_magnitude" else np.ones(inputs)
        values = [2 * x / (1 << bits) - 1 if bipolar else x / (1 << bits) for x in (a, w)]
        total = (signs * values[0] * values[1]).sum()
        streams = [rng.integers(0, 1 << bits, (inputs, length)) < x[:, None] for x in (a, w)]
        plain = (multiply.bipolar if bipolar else multiply.unipolar)(*streams)
        made = generate(a, Sharing("sobol", bits, inputs, sharing), length)
        parts = [slice(first, first + sharing) for first in range(0, inputs, sharing)]
        drawn = [
            multiply.conditional(made[part], w[part], bits, bits, bipolar=bipolar, dimension=1 + group) for group, part in enumerate(parts)
        ]
        for found, product in ((random, plain), (sobol, np.concatenate(drawn))):
            density = product.mean(axis=1)
            found.append((2 * density - 1 if bipolar else signs * density).sum() - total)
    law = laws.LOW_DISCREPANCY[length]
    yield Row(
        f"conditional products, {coding.replace('_', '-')}, L = {length}: gain over random", "Sobol", sharing, law, rms(random) / rms(sobol)
    )


@dataclass(frozen=True)
class Setting:
    """How much is measured."""

    trials: int = 200
    degrees: tuple[int, ...] = (1, 4, 16, 64)


def rows(setting: Setting) -> Iterator[Row]:
    """Every law at every degree of sharing."""
    experiments: list[Callable[[How, int, int], Iterator[Row]]] = [sums, saturation, btanh]
    degrees = (setting.degrees, (1, 2, 8), (1, 5, 25))
    for experiment, shared in zip(experiments, degrees, strict=True):
        for sharing in shared:
            for how in HOW[: 2 if sharing == shared[-1] else None]:
                yield from experiment(how, sharing, setting.trials)
    for source in STANH_SOURCES:
        for states in (4, 8):
            yield from stanh(source, states)
    for coding in CODINGS:
        for length in laws.LOW_DISCREPANCY:
            for sharing in (2, 5, 25):
                yield from conditional(length, sharing, setting.trials, coding)


def grid(trials: int, inputs: int = 64) -> Iterator[str]:
    """The grid's operator: errors of sums of 64 products, in units of the sum of a w / 2**(bits), ReLU-like activations, normal weights."""
    rng = np.random.default_rng(0)
    a = np.minimum(np.abs(rng.normal(0, 80, (trials, inputs, 1, 1))), 255).astype(np.int64) * (rng.random((trials, inputs, 1, 1)) > 0.4)
    w = np.clip(np.rint(rng.normal(0, 45, (8, inputs, 1, 1))), -127, 127).astype(np.int64)
    ideal = np.einsum("nc,kc->nk", a[..., 0, 0], w[..., 0, 0]) / 2**15
    for adder in ("exact", "approximate", "mux", "or"):
        for source in ("sobol", "counter", "lfsr"):
            for sharing in (ALL_LANES, 2, 1):
                errors = []
                for length in (16, 64, 256):
                    made = arithmetic(stochastic(length, source=source, sharing=sharing, adder=adder))
                    errors.append(rms(list((made.accumulate(a, w)[..., 0, 0] / length - ideal).ravel())))
                cells = " | ".join(f"{error:.3f}" for error in errors)
                yield f"| {adder} | {source} | {'all' if sharing == ALL_LANES else sharing} | {cells} |"


def tables(setting: Setting) -> str:
    """Markdown of everything measured."""
    lines = ["| what | streams | sharing | law | measured | ratio | the law |", "|---|---|---|---|---|---|---|"]
    lines += [row.text() for row in rows(setting)]
    lines += ["", "| adder | source | sharing | L = 16 | L = 64 | L = 256 |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *grid(setting.trials)]) + "\n"


def publish(arguments: list[str], text: str, begin: str, end: str) -> None:
    """Print a text, or put it into the file that the arguments name, between its two marks."""
    if not arguments:
        print(text, end="")
        return
    path = Path(arguments[0])
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    path.write_text(before + begin + text + end + rest.partition(end)[2], encoding="utf-8")


def main(arguments: list[str]) -> None:
    """The tables, printed or rewritten in a page."""
    publish(arguments, tables(Setting()), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
