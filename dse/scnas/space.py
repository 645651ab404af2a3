"""What is searched: networks of a plan and the circuits of their layers, as Optuna distributions and back."""

from collections.abc import Mapping, Sequence

from optuna.distributions import CategoricalDistribution

from gatewright.dse.layered import Params
from gatewright.dse.scnas.circuits import circuits
from gatewright.dse.scnas.contraction import OPTIONS, stages, steps, stream
from gatewright.dse.scnas.plan import Plan
from gatewright.hw.config import Operator, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.models import Architecture

__all__ = ["architecture", "circuits", "distributions", "stages", "steps"]

BINARY = "xnor"  # a stream of length one
LAST = "last"
PARTS = ("length", "bits", "coding", "source", "sharing", "adder")  # of a circuit; its multiplier goes with them
ACTIVATIONS = ("relu", "clamp")

Choices = Mapping[str, Sequence[str | int]]


def distributions(
    plan: Plan, *, operators: Sequence[str] = (), network: Architecture | None = None, contracted: bool = True
) -> dict[str, CategoricalDistribution]:
    """Every choice by name: width{i} and kernel{i} of convolution i, circuit{j} and pooling{j} of stage j, circuit_last of the logits;
    activation{i}, what becomes of negative results of convolution i, if circuits are among the choices that read signed ones.

    operators: of all layers, in place of stream circuits (one is no choice). network: its sizes are given, and only circuits chosen.
    contracted: else the space before its contraction, as far as an accelerator could have it: each layer's circuit in its parts, length{i},
    bits{i}, coding{i}, source{i}, sharing{i} and adder{i} (or ..._last), many of which do not go together.
    """
    choices = _sizes(plan) if network is None else {}
    convolutions = range(len(plan.widths))
    if operators or contracted:
        given = _by_stage(plan, operators)
        choices |= {name: names for name, names in given.items() if len(names) > 1}
        signed = any(operator_named(str(name)).coding == "bipolar" for names in given.values() for name in names)
    else:
        choices |= {_part(name, place): OPTIONS[name] for place in (*map(str, convolutions), LAST) for name in PARTS}
        signed = True
    if signed and network is None:
        choices |= {f"activation{i}": ACTIVATIONS for i in convolutions}
    return {name: CategoricalDistribution(tuple(dict.fromkeys(values))) for name, values in choices.items()}


def _sizes(plan: Plan) -> dict[str, Sequence[str | int]]:
    found: dict[str, Sequence[str | int]] = {}
    for i, widths in enumerate(plan.widths):
        found |= {f"width{i}": widths, f"kernel{i}": plan.kernels}
    return found | {f"pooling{j}": plan.pooling for j in range(len(plan.pool_after))}


def _by_stage(plan: Plan, operators: Sequence[str]) -> dict[str, Sequence[str | int]]:
    """Operators to choose from: those given, or the streams'; the image and the logits need several bits."""
    several: Sequence[str | int] = tuple(operators) or circuits()
    inner = several if operators else (*several, BINARY)
    return {f"circuit{j}": inner if j else several for j in range(len(stages(plan)))} | {f"circuit_{LAST}": several}


def _part(name: str, place: str) -> str:
    return f"{name}_{LAST}" if place == LAST else f"{name}{place}"


def architecture(
    plan: Plan,
    params: Params,
    shape: tuple[int, int, int],
    classes: int,
    *,
    operators: Sequence[str] = (),
    network: Architecture | None = None,
) -> Architecture:
    """The network of a choice from any of the `distributions` of the same operators and network.

    shape: channels, height and width of the images. Raises BadInput, naming the rule, for an impossible one.
    """
    convolutions = range(len(plan.widths))
    if _part("length", LAST) in params:
        chosen = tuple(_assembled(params, place) for place in (*map(str, convolutions), LAST))
    else:
        chosen = tuple(_named(params, f"circuit{j}", operators) for j, part in enumerate(stages(plan)) for _ in part)
        chosen += (_named(params, f"circuit_{LAST}", operators),)
    if "xnor" in (chosen[0].kind, chosen[-1].kind):
        raise BadInput("The image and the logits need operands of several bits; got xnor for the first or the last layer.")
    signed = [operator.coding == "bipolar" for operator in chosen[1:]]
    relus = [reads and params.get(f"activation{i}", "relu") == "relu" for i, reads in enumerate(signed)]
    activations = tuple("relu" if relu else "clamp" for relu in relus) if any(relus) else ()
    if network is not None:
        return network.replace(operators=chosen, activations=activations)
    kernels = tuple(int(params[f"kernel{i}"]) for i in convolutions)
    return Architecture(
        family="vgg",
        channels=shape[0],
        height=shape[1],
        width=shape[2],
        classes=classes,
        widths=tuple(int(params[f"width{i}"]) for i in convolutions),
        kernels=kernels if {*kernels} != {3} else (),
        pool_after=tuple(sorted(plan.pool_after)),
        pooling=tuple(params[f"pooling{j}"] for j in range(len(plan.pool_after))),
        operators=chosen,
        activations=activations,
    )


def _named(params: Params, name: str, operators: Sequence[str]) -> Operator:
    if name not in params and len(operators) != 1:
        raise BadInput(f"A network needs its {name} chosen, or one operator for all layers; got {', '.join(operators) or 'none'}.")
    return operator_named(str(params[name] if name in params else operators[0]))


def _assembled(params: Params, place: str) -> Operator:
    """A layer's circuit by its parts."""
    values = {name: params[_part(name, place)] for name in PARTS}
    return xnor() if values["length"] == 1 else stream(values)
