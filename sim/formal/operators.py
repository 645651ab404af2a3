"""The lanes of every operator in the registry against their arithmetic, and the array that splits at run time in every mode."""

import time
from collections.abc import Iterator, Mapping

import numpy as np

from gatewright.hw.config import Operator
from gatewright.hw.errors import Mismatch
from gatewright.hw.names import operator_named
from gatewright.hw.operators import circuit
from gatewright.hw.operators import modules as kinds
from gatewright.hw.split import SplitLanes, modes
from gatewright.hw.verilog import emit
from gatewright.sim.formal.claim import Claim
from gatewright.sim.formal.equivalence import Proof
from gatewright.sim.formal.graphs import graph
from gatewright.sim.formal.lanes import Lane, lane, lanes_of, prove_sum
from gatewright.sim.formal.specification import PRODUCTS, Product, product, signed_pulses
from gatewright.sim.gates import simulate
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from gatewright.sw.operators import arithmetic

STREAMS = 512  # simulated at a time
WORD = 64  # operand bits
NAMES: Mapping[str, tuple[str, ...]] = {  # operators to look at, by kind
    "int": ("int2", "int4", "int8", "int8s", "int3x5"),
    "binary_weight": ("bw4", "bw8", "bw8s"),
    "xnor": ("xnor",),
    "shift": ("shift4x8", "shift5x8s", "shift4x8e6"),
    "multiplication_free": ("mf_l1_8", "mf_l1_4s", "mf_mfnet_8s", "mf_mfnet_8_sgn0"),
    "stochastic": ("sc_sign_magnitude_sobol64_8", "sc_sign_magnitude_sobol64_4"),
}
SPLITS = (("int4", "int2", "xnor"), ("int8", "int4s", "bw4", "xnor"))


def claims() -> Iterator[Claim]:
    """Claims about every kind of operator that has lanes; a kind that nobody named operators of is claimed with its examples."""
    for kind, module in sorted(kinds().items()):
        if not hasattr(module, "Lanes"):
            continue
        names = NAMES.get(kind) or tuple(word.strip() for word in module.EXAMPLES.split(",") if " " not in word.strip())
        for operator in map(operator_named, names):
            yield from _of(operator)
    for names in SPLITS:
        yield from split_claims(tuple(map(operator_named, names)))


def _of(operator: Operator) -> Iterator[Claim]:
    says = "sum of lanes = sum of products"
    if operator.kind in PRODUCTS or operator.kind == "stochastic":
        yield Claim(f"lanes {operator.name}", says, f"{WORD} bits", lambda seconds: prove_lanes(operator, WORD, seconds))
    if operator.kind != "stochastic":
        yield Claim(f"lanes {operator.name}", "gates = arithmetic", f"{WORD} bits", lambda _: every_pair(operator))


def prove_lanes(operator: Operator, bits: int, seconds: float) -> Proof:
    """The lanes of `bits` operand bits against the specification."""
    module = circuit(operator)
    lanes = graph(module.Lanes(operator, bits), "lanes")
    if operator.kind == "stochastic":
        width = operator.width
        of = signed_pulses(width)
        places = [lane(of, range(i * width, (i + 1) * width), [*range(i * width, (i + 1) * width), bits + i]) for i in range(bits // width)]
        pulses = {f"{side}[{i}]": i for i in range(bits) for side in ("activation", "weight")}
        return prove_sum(lanes, of, places, (-width, width), seconds=seconds, parts=pulses)
    table, of = arithmetic(operator).table, product(operator)
    places = lanes_of(operator, of, bits, module.encoded_bits(operator, bits))
    return prove_sum(lanes, of, places, (int(table.min()), int(table.max())), seconds=seconds)


def every_pair(operator: Operator) -> Proof:
    """Every pair of operands in every lane of the gate netlist, the others being zero, against the arithmetic training uses."""
    began, module, library = time.monotonic(), circuit(operator), ihp130()
    netlist = synthesise(emit(module.Lanes(operator, WORD), "lanes"), "lanes", library.liberty_files())
    table, count = arithmetic(operator).table, WORD // operator.width
    a, w = (codes.reshape(-1).astype(np.uint64) for codes in np.indices(table.shape))
    a_place, w_place = (bits // count for bits in module.encoded_bits(operator, WORD))
    for i in range(count):
        shape = (-1, min(STREAMS, len(a)))
        words = {"activation": (a << np.uint64(i * a_place)).reshape(shape), "weight": (w << np.uint64(i * w_place)).reshape(shape)}
        found = simulate(netlist, library.library, words).outputs["sum"].reshape(-1).astype(np.int64)
        bits = len(netlist.outputs["sum"])
        found -= (found >> (bits - 1)) << bits
        wrong = np.flatnonzero((found != table.reshape(-1) + (count - 1) * table[0, 0]) & _held(operator, w))
        if len(wrong):
            k = wrong[0]
            raise Mismatch(f"Lane {i} of {operator.name}: activation bits {a[k]:#x}, weight bits {w[k]:#x} give the sum {found[k]}.")
    return Proof(f"exhaustive, {len(a)} x {count} lanes", time.monotonic() - began)


def _held(operator: Operator, weights: "np.ndarray") -> "np.ndarray":
    """Which weight codes a network can hold: a shift has only so many exponents."""
    if operator.exponents is None:
        return np.ones(weights.shape, dtype=np.bool_)
    return (weights & np.uint64((1 << (operator.weight_bits - 1)) - 1)) < operator.exponents


def split_claims(operators: tuple[Operator, ...]) -> Iterator[Claim]:
    """One claim for every mode of an array."""
    name = f"split {'+'.join(operator.name for operator in operators)}"
    for k, mode in enumerate(modes(operators)):

        def prove(seconds: float, k: int = k) -> Proof:
            return prove_mode(operators, WORD, k, seconds)

        sign = "s" if mode.signed else "u" if mode.width > 1 else ""
        yield Claim(name, f"mode {mode.width}{sign}: sum of products", f"{WORD} bits", prove)


def prove_mode(operators: tuple[Operator, ...], bits: int, k: int, seconds: float) -> Proof:
    """The array's mode k; weights come spread to their lanes, so that they are two's complement of the lane's width."""
    array = SplitLanes(operators, bits)
    mode, count = array.modes[k], len(array.modes)
    width = mode.width
    of = Product("a_bits == w_bits ? 1 : 0", 1, 1) if width == 1 else Product("a * w", width, width, mode.signed)
    per = array.lane // width  # the parts of a lane are turned round in the weights
    turned = [i - i % per + per - 1 - i % per for i in range(bits // width)]
    places: list[Lane] = [
        lane(of, range(i * width, (i + 1) * width), range(turned[i] * width, (turned[i] + 1) * width)) for i in range(bits // width)
    ]
    fixed = {(f"mode[{i}]" if count > 1 else "mode"): int(i == k) for i in range(count)}
    half, top = 1 << (width - 1), (1 << (width - 1 if mode.signed else width)) - 1
    extremes = (0, 1) if width == 1 else (-half * top, half * half if mode.signed else (half - 1) * top)
    shared = 1 < width < array.lane  # where adders are shared with other modes, cut at the partial products
    weights = {f"weight[{i}]": i for i in range(bits)} if shared else {}
    return prove_sum(graph(array, "lanes"), of, places, extremes, fixed, seconds, weights)
