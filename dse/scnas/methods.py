"""The searches that are compared: what each may choose, by which sampler, and how much energy it may take."""

import math
from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from gatewright.dse.layered import Params
from gatewright.dse.samplers.controller import ControllerSampler
from gatewright.dse.scnas import space
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Kind
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.models import Architecture

SCNAS, SEQUENTIAL, PURE = "scnas", "sequential", "pure"
MAIN = (SCNAS, "tpe", "int8", "int4", "fp32", "fp16")  # what the claims are about, and streams by the other sampler that learns
STARTUP = 20  # points that TPE draws at random first
QUICKLY: dict[str, Any] = {"learning_rate": 0.02, "generation": 4, "entropy": 0.4}  # for searches of a few hundred points
LARGE = 100_000  # choices; in a space of fewer the controller would draw the best again and again if it imitated them


class Method(Noun):
    """A search. `operators`: of every layer, where they are given; else stream circuits are chosen. `network`: where only they are."""

    name: str
    label: str
    kind: Kind
    sampler: Literal["controller", "tpe", "random"] = "controller"
    operators: tuple[str, ...] = ()
    network: Architecture | None = None

    def distributions(self, plan: Plan) -> dict[str, CategoricalDistribution]:
        """Every choice by name."""
        return space.distributions(plan, operators=self.operators, network=self.network)

    def size(self, plan: Plan) -> int:
        """Combinations of all choices."""
        return math.prod(len(distribution.choices) for distribution in self.distributions(plan).values())

    def architecture(self, plan: Plan, params: Params, shape: tuple[int, int, int], classes: int) -> Architecture:
        """The network of a choice."""
        return space.architecture(plan, params, shape, classes, operators=self.operators, network=self.network)


def together(plan: Plan, fixed: Architecture) -> tuple[Method, ...]:
    """The searches that need no other's result. fixed: the reference network."""
    return (
        Method(name=SCNAS, label="SC-NAS", kind="stochastic"),
        Method(name="tpe", label="streams, TPE", kind="stochastic", sampler="tpe"),
        Method(name="random", label="streams, random", kind="stochastic", sampler="random"),
        Method(name="hardware", label="hardware only", kind="stochastic", network=fixed),
        Method(name="int8", label="INT8 NAS", kind="integer", operators=("int8",)),
        Method(name="int4", label="INT4 NAS", kind="integer", operators=("int4",)),
        Method(name="fp32", label="FP-NAS, FP32", kind="float", operators=("fp32",)),
        Method(name="fp16", label="FP-NAS, FP16", kind="float", operators=("fp16",)),
    )


def sequential(network: Architecture) -> Method:
    """Circuits for a network that was found without them."""
    return Method(name=SEQUENTIAL, label="software, then hardware", kind="stochastic", network=network)


def sampler(method: Method, plan: Plan, seed: int) -> BaseSampler:
    """What draws a method's points."""
    if method.sampler == "random":
        return RandomSampler(seed=seed)
    if method.sampler == "tpe":
        return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True)
    return ControllerSampler(seed=seed, imitation=float(method.size(plan) >= LARGE), **QUICKLY)


def drawn(methods: Sequence[Method], plan: Plan, random: Random, shape: tuple[int, int, int], classes: int) -> Architecture:
    """A network that one of some methods could draw: what a super-network is trained with."""
    while True:
        method = random.choice(methods)
        params: dict[str, Any] = {name: random.choice(d.choices) for name, d in method.distributions(plan).items()}
        try:
            return method.architecture(plan, params, shape, classes)
        except BadInput:  # the method has impossible points too
            continue
